"""Each rule has a page, which says what the rule is called and why it is there."""

from __future__ import annotations

import pytest
from lint_pages import FOLDER, listed

from pytest_jobs.insight.lint.linter import RULES
from pytest_jobs.insight.lint.pages import page_of


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
    assert f'`ignore = ["{rule.id}"]` in `[tool.pytest-jobs.lint]`' in str(page)
    assert (f"`# jobs: ignore[{rule.id}]`" in str(page)) == (rule.check is not None)
