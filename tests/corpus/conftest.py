"""A time of day at which an hour later is the same day."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pytest_jobs.bridges.opening import open_jobs


@pytest.fixture(autouse=True)
def _morning():
    with open_jobs() as jobs:
        jobs.clock.move_to(datetime(2030, 1, 1, 9, tzinfo=UTC))
        yield
