"""The plugin of the run that `python -m pytest_jobs lint` makes: it writes what the collected tests import."""

from __future__ import annotations

import pytest

from ...insight.lint.collecting import write


def pytest_collection_finish(session: pytest.Session) -> None:
    """Write the registries once all tests are collected."""
    write(session.config.rootpath.resolve())
