"""The pages of the rules, and the list of them. `python tests/insight/lint/lint_pages.py` writes the list anew."""

from __future__ import annotations

import re
from pathlib import Path

from pytest_jobs.insight.lint.linter import RULES
from pytest_jobs.insight.lint.pages import page_of

FOLDER = Path(__file__).parents[3] / "docs" / "reference" / "lint"
BEGIN, END = "<!-- begin rules -->\n", "<!-- end rules -->\n"

#: The groups of rules, by the beginning of their ids.
GROUPS = {
    "JOB1": "Declaring jobs",
    "JOB2": "Enqueueing jobs",
    "JOB3": "Performing jobs",
    "JOB4": "Retrying jobs",
    "JOB5": "Scheduling jobs",
}


def files_of(rule_id):
    """Return the files of a page that a bad and a good example have in common."""
    text = (FOLDER / f"{rule_id.lower()}.md").read_text("utf-8")
    return dict(re.findall(r"\*\*`([^`]+)`\*\*\n```\w+\n(.*?)```\n", text, re.DOTALL)[2:])


def listed():
    """Return the page that lists the rules, as it has to be."""
    head, _, rest = (FOLDER / "index.md").read_text("utf-8").partition(BEGIN)
    return f"{head}{BEGIN}{''.join(_groups())}{END}{rest.partition(END)[2]}"


def _groups():
    for beginning, title in GROUPS.items():
        group = [page_of(rule.id) for rule in RULES if rule.id.startswith(beginning)]
        yield f"## {title}\n\n| rule | what it finds |\n|---|---|\n"
        yield from (
            f"| [{page.id}]({page.id.lower()}.md) `{page.name}` | {page.title} |\n"
            for page in group
        )
        yield f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n"
        yield "".join(f"{page.id.lower()}\n" for page in group) + "```\n\n"


if __name__ == "__main__":
    (FOLDER / "index.md").write_text(listed(), "utf-8")
