"""Every page is in the navigation once, in groups that a reader can take in."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

from pages import doors

DOCS = Path(__file__).parents[2] / "docs"
TOCTREE = re.compile(
    r"^```\{toctree\}\n(?P<options>(?::[^\n]*\n)*)\n(?P<names>.*?)\n```$", re.MULTILINE | re.DOTALL
)


def groups(page: Path) -> dict[str, list[Path]]:
    """Return the pages that a page leads to, by the caption of the group."""
    found = {}
    for group in TOCTREE.finditer(page.read_text("utf-8")):
        caption = re.search(r"(?m)^:caption: (.+)$", group["options"])
        names = group["names"].splitlines()
        found[caption[1] if caption else ""] = [
            Path(os.path.normpath(page.parent / f"{name}.md")) for name in names
        ]
    return found


def test_each_group_has_a_caption_and_at_most_nine_pages() -> None:
    found = groups(DOCS / "index.md")

    assert "" not in found
    assert {caption: len(pages) for caption, pages in found.items() if len(pages) > 9} == {}


def test_every_page_is_there_once_and_decisions_are_not() -> None:
    # Running the examples leaves hidden folders there, with pages of pytest.
    pages = {
        path
        for path in DOCS.rglob("*.md")
        if not re.search(r"/(?:_build|decisions|\.\w+)/", path.relative_to(DOCS.parent).as_posix())
    }
    listed = Counter(
        target for page in pages for group in groups(page).values() for target in group
    )

    assert listed == Counter(pages - {DOCS / "index.md"})


def test_a_page_says_in_its_first_line_whom_it_serves() -> None:
    # The first page, examples, rules and lists of signatures are exempt.
    silent = {
        page.stem
        for folder in ("explanation", "how-to", "how-to/migrate", "reference", "tutorial")
        for page in (DOCS / folder).glob("*.md")
        if not re.search(r"(?m)\A# .+\n\n\*For .+\.\*$", page.read_text("utf-8"))
    }

    assert silent - {"architecture", "messages"} == set()


def test_the_sidebar_shows_no_more_than_a_reader_looks_through() -> None:
    assert sum(map(len, groups(DOCS / "index.md").values())) <= 18


def test_each_door_leads_to_a_test_to_copy_that_fails_and_then_passes() -> None:
    # The last one leads to the audit of the reader's own suite.
    found = list(doors(DOCS).items())[:-1]
    silent = [
        name
        for name, text in found
        if re.search(
            r"(?s)pip install pytest-jobs.*def test_.*<!-- pytest .*1 failed -->.*<!-- pytest .*\d passed",
            text,
        )
        is None
    ]

    assert len(found) > 6
    assert silent == []


def test_the_list_of_decisions_names_each() -> None:
    decisions = sorted(path.name for path in (DOCS / "decisions").glob("0*.md"))
    listed = re.findall(
        r"(?m)^(\d+)\. \[.+?\]\((.+?)\)", (DOCS / "decisions" / "index.md").read_text("utf-8")
    )

    assert listed == [(str(int(name[:4])), name) for name in decisions]
