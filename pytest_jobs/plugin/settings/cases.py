"""Tests that derive from `JobsTestCase`, which need not be imported to be known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ...harness.jobs import Jobs

#: The options that a class can set, by the names of its attributes.
_OPTIONS = {
    "jobs_mode": "mode",
    "jobs_raise": "raise_at",
    "jobs_jitter": "jitter",
    "jobs_strict": "strict",
}


def is_jobs_case(item: pytest.Item) -> bool:
    """Say whether a test is a method of such a class."""
    return bool(getattr(_class_of(item), "_is_jobs_case", False))


def options_of_case(item: pytest.Item) -> dict[str, Any]:
    """Return what the class of a test says, by the names that a marker has for it."""
    said = {option: getattr(_class_of(item), name) for name, option in _OPTIONS.items()}
    return {option: value for option, value in said.items() if value is not None}


def applications_of_case(item: pytest.Item, applications: Sequence[object]) -> Iterable[object]:
    """Return the applications, and further ones that the class of a test names."""
    if not is_jobs_case(item):
        return applications
    own = [app for app in _class_of(item).jobs_apps if app not in applications]
    return [*applications, *own]


def hand_over(item: pytest.Item, harness: Jobs) -> None:
    """Give the harness of a test to its test case, so that the case opens none."""
    if is_jobs_case(item):
        instance: Any = getattr(item, "instance", None)
        instance.jobs = harness


def _class_of(item: pytest.Item) -> Any:
    return getattr(item, "cls", None)
