"""The plugin of the run that `python -m pytest_jobs lint` makes: it writes what the collected tests import."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ...insight.lint.collecting import FILE
from ...insight.source.running import running_jobs


def pytest_collection_finish(session: pytest.Session) -> None:
    """Write the registries once all tests are collected."""
    running = running_jobs(session.config.rootpath.resolve())
    Path(os.environ[FILE]).write_text(json.dumps(running.to_dict()), "utf-8")
