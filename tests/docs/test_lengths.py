"""A page is short enough to be read, and so is the documentation as a whole."""

from __future__ import annotations

from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
#: Made from the gallery of messages, and looked up by its headings.
LISTS = {"reference/messages.md"}
LONGEST = 2_500
WHOLE = 112_000
#: As many pages of `how-to` as a reader looks through.
GUIDES = 44


def words() -> dict[str, int]:
    """Return how many words each page of the site has, as `wc -w` counts them."""
    pages = {path.relative_to(DOCS): path for path in DOCS.rglob("*.md")}
    return {
        name.as_posix(): len(path.read_text("utf-8").split())
        for name, path in pages.items()
        if name.parts[0] not in ("_build", "decisions")
        and not any(part.startswith(".") for part in name.parts)
    }


def test_no_page_is_longer_than_a_reader_follows() -> None:
    too_long = {name: count for name, count in words().items() if count > LONGEST}

    assert too_long.keys() - LISTS == set(), too_long


def test_the_documentation_does_not_grow() -> None:
    assert sum(words().values()) <= WHOLE


def test_there_are_no_more_guides_than_a_reader_looks_through() -> None:
    assert sum(name.startswith("how-to/") for name in words()) <= GUIDES
