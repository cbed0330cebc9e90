"""Tests that have a harness without asking for a fixture."""

from __future__ import annotations

from typing import Any, cast

import pytest

from .cases import is_jobs_case
from .options import item_options, session_options


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have the harness opened before all other fixtures, where options or a marker want one."""
    always = session_options(config).always
    for item in items:
        fixturenames = getattr(item, "fixturenames", None)
        is_case = is_jobs_case(item)
        if fixturenames is None or not (always or is_case or item.get_closest_marker("jobs")):
            continue
        # A test case that wants a harness and is to have none is told so.
        if is_case or item_options(item).opens:
            # Of a parametrised test all items share one list.
            cast(Any, item).fixturenames = _with_harness(item, fixturenames)


def _with_harness(item: pytest.Item, names: list[str]) -> list[str]:
    """Put the harness before the fixtures of the test, and after those of a wider scope."""
    definitions = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})

    def is_wider(name: str) -> bool:
        return name in definitions and definitions[name][-1].scope != "function"

    wider = [name for name in names if is_wider(name)]
    return [*wider, "job_harness", *(name for name in names if not is_wider(name))]
