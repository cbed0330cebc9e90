"""Each rule finds its planted faults, and nothing in mended twins. The examples are imported as by a test."""

from __future__ import annotations

import inspect

import pytest

from pytest_jobs.insight.lint.linter import RULES

EXAMPLES = [
    pytest.param(rule, example, id=f"{rule.id}-{number}")
    for rule in RULES
    if not rule.is_watched
    for number, example in enumerate(rule.examples)
]


@pytest.mark.parametrize(("rule", "example"), EXAMPLES)
def test_a_planted_fault_is_found_by_its_rule_and_by_no_other(rule, example, linted):
    found = linted({**dict(example.files), "app.py": example.bad})

    assert {one.rule for one in found} == {rule.id}
    assert linted({**dict(example.files), "app.py": example.good}) == []


def test_there_are_rules_in_each_group_with_stable_ids():
    ids = [rule.id for rule in RULES]

    assert ids == sorted(set(ids))
    assert {one[:4] for one in ids} == {"JOB1", "JOB2", "JOB3", "JOB4", "JOB5"}


def test_a_rule_has_at_most_sixty_lines_with_its_page():
    lines = {rule.id: len(inspect.getsourcelines(rule.check)[0]) for rule in RULES}

    assert {one: count for one, count in lines.items() if count > 60} == {}
