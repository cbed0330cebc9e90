"""Each rule finds its planted faults, and nothing in their mended twins."""

from __future__ import annotations

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
    found = linted({"app.py": example.bad, **dict(example.files)})

    assert {one.rule for one in found} == {rule.id}


@pytest.mark.parametrize(("rule", "example"), EXAMPLES)
def test_in_a_mended_twin_nothing_is_found(rule, example, linted):
    assert linted({"app.py": example.good, **dict(example.files)}) == []


def test_there_are_rules_in_each_group_with_stable_ids():
    ids = [rule.id for rule in RULES]

    assert ids == sorted(set(ids))
    assert {one[:4] for one in ids} == {"JOB1", "JOB2", "JOB3", "JOB4", "JOB5"}
    assert len(ids) >= 30
