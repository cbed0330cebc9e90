"""What comes later: a periodic task, and letters that wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from letters.service import accept, withdraw
from letters.store import store
from letters.tasks import collect
from pytest_jobs import Jobs
from pytest_jobs.types import AssertPerformed


def test_letters_are_collected_each_morning(jobs: Jobs, assert_performed: AssertPerformed) -> None:
    store.letters["to ann"] = "printed"

    jobs.run_for(timedelta(days=1))

    assert_performed(collect)
    assert store.letters == {"to ann": "posted"}


def test_a_letter_that_waits_can_be_withdrawn(jobs: Jobs) -> None:
    job_id = accept("to ann", at=datetime.now(UTC) + timedelta(hours=1))

    assert withdraw(job_id)
    assert jobs.drain() == {}
