"""Writes the pages of the rules. `python tests/insight/lint/lint_pages.py` writes them anew."""

from __future__ import annotations

from pathlib import Path

from pytest_jobs.insight.lint.linter import RULES
from pytest_jobs.insight.lint.pages import page_of, tables

FOLDER = Path(__file__).parents[3] / "docs" / "reference" / "lint"
BEGIN, END = "<!-- begin rules -->\n", "<!-- end rules -->\n"


def pages() -> dict[Path, str]:
    """Return each page as it has to be."""
    found = {FOLDER / f"{rule.id.lower()}.md": page_of(rule) for rule in RULES}
    index = FOLDER / "index.md"
    head, _, rest = index.read_text("utf-8").partition(BEGIN)
    found[index] = f"{head}{BEGIN}{tables()}{END}{rest.partition(END)[2]}"
    return found


if __name__ == "__main__":
    for path in FOLDER.glob("job*.md"):
        path.unlink()
    for path, text in pages().items():
        path.write_text(text, "utf-8")
