"""Schedules written to files, and a harness that begins at a known time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import recurring_jobs

#: A Tuesday.
START = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def start(jobs):
    """Let the clock stand at the beginning of 2030."""
    return jobs.clock.move_to(START)


@pytest.fixture
def done():
    """Return what the jobs of `recurring_jobs` did in this test."""
    recurring_jobs.done.clear()
    return recurring_jobs.done


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a file and returns its path."""

    def write(name, text):
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return path

    return write
