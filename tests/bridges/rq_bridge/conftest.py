"""A harness with RQ, whose servers do not exist."""

from datetime import UTC, datetime

import pytest

pytest.importorskip("rq")
pytest.importorskip("lupa")

from pytest_jobs.bridges.rq.bridge import RqBridge
from pytest_jobs.harness.jobs import Jobs


@pytest.fixture
def bridge():
    return RqBridge()


@pytest.fixture
def jobs(bridge):
    with Jobs([bridge]) as jobs:
        jobs.clock.move_to(datetime(2030, 1, 7, tzinfo=UTC))
        yield jobs
