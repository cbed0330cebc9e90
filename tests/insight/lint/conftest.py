"""Linting files that a test writes."""

from __future__ import annotations

import pytest

from pytest_jobs.insight.lint.basis.settings import LintSettings
from pytest_jobs.insight.lint.linter import lint


@pytest.fixture
def linted(tmp_path):
    """Return a function that writes files, lints them, and returns what was found."""

    def linted(files, **settings):
        if isinstance(files, str):
            files = {"app.py": files}
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        return lint([tmp_path], LintSettings(**settings), base=tmp_path).found

    return linted
