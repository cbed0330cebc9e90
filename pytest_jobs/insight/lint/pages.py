"""The page of each rule in the reference: what is wrong, why, and what to write instead."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

from .watching import WATCHED

_EXAMPLE: Final = re.compile(r"```python\n(.*?)```\n", re.DOTALL)


class Page(NamedTuple):
    """What the page of a rule says."""

    id: str
    #: A name of a few words, joined by hyphens.
    name: str
    #: What is wrong, as a sentence.
    title: str
    #: What happens in production.
    why: str
    bad: str
    good: str

    def __str__(self) -> str:
        """Return the page for a terminal."""
        head = f"{self.id} {self.name}"
        # No line stands for what deliveries show.
        in_a_line = f"`# jobs: ignore[{self.id}]` at the end of the line, or "
        off = "" if self.id in WATCHED else in_a_line
        return (
            f"{head}\n{'=' * len(head)}\n\n{self.title}\n\n{self.why}\n\nBad:\n\n{_indented(self.bad)}\n"
            f"Good:\n\n{_indented(self.good)}\nTo switch it off: "
            f'{off}`ignore = ["{self.id}"]` in `[tool.pytest-jobs.lint]` of `pyproject.toml`.\n'
        )


def reference() -> Path:
    """Return the folder of the pages: in a wheel beside the package, in a checkout where they are written."""
    packaged = Path(__file__).parents[1] / "pages"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "docs" / "reference"


def page_of(rule_id: str) -> Page:
    """Return what the page of a rule says."""
    text = (reference() / "lint" / f"{rule_id.lower()}.md").read_text("utf-8")
    head, title, why, _ = text.split("\n\n", 3)
    bad, good = _EXAMPLE.findall(text)[:2]
    return Page(rule_id, head.split()[-1], title, why.removeprefix("**Why:** "), bad, good)


def _indented(source: str) -> str:
    return "".join(f"    {line}".rstrip() + "\n" for line in source.splitlines())
