"""Tests that have a harness without asking for a fixture."""

from __future__ import annotations

import pytest

from .options import item_options, session_options


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have the harness opened before all other fixtures, where options or a marker want one."""
    always = session_options(config).always
    for item in items:
        fixturenames = getattr(item, "fixturenames", None)
        if fixturenames is None or not (always or item.get_closest_marker("jobs")):
            continue
        if item_options(item).opens and "job_harness" not in fixturenames[:1]:
            fixturenames.insert(0, "job_harness")
