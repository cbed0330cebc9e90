"""Each rule has a page, which says what the rule is called, why it is there, and how it is switched off."""

from __future__ import annotations

import pytest
from lint_pages import FOLDER, listed

from pytest_jobs.insight.lint.linter import RULES
from pytest_jobs.insight.lint.pages import page_of

IN_SETTINGS = '`ignore = ["{0}"]` in `[tool.pytest-jobs.lint]` of `pyproject.toml`.'
IN_A_LINE = "`# jobs: ignore[{0}]` at the end of the line, or "


def test_each_rule_has_a_page_and_each_page_a_rule():
    assert {path.stem.upper() for path in FOLDER.glob("job*.md")} == {rule.id for rule in RULES}


def test_the_list_of_rules_says_what_their_pages_say():
    """`python tests/insight/lint/lint_pages.py` writes the list anew."""
    assert (FOLDER / "index.md").read_text("utf-8") == listed()


@pytest.mark.parametrize("rule", RULES, ids=[rule.id for rule in RULES])
def test_a_page_has_each_of_its_parts(rule):
    page = page_of(rule.id)
    text = (FOLDER / f"{rule.id.lower()}.md").read_text("utf-8")

    head = f"# {rule.id} {page.name}\n\n{page.title}\n\n**Why:** {page.why}\n\n## Bad\n\n"
    assert text.startswith(head)
    assert page.title.endswith(".")
    assert page.bad != page.good
    assert page.off == ("" if rule.check is None else IN_A_LINE).format(
        rule.id
    ) + IN_SETTINGS.format(rule.id)
