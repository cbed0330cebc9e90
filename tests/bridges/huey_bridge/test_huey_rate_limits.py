"""A rate limit of Huey 3 counts the runs of a window by the clock of the test."""

from datetime import UTC, datetime, timedelta

import pytest
from huey import Huey

if not hasattr(Huey, "rate_limit"):
    pytest.skip("this Huey has no rate limits", allow_module_level=True)


@pytest.fixture
def mail(huey, jobs):
    """Return a function that declares a task of which two may run each minute, half a minute before a new one."""
    jobs.clock.move_to(datetime(2030, 1, 7, 12, 0, 30, tzinfo=UTC))

    def declared(*, retry, **options):
        return huey.task(name="mail", **options)(huey.rate_limit("mail", 2, 60, retry=retry)(int))

    return declared


def test_a_run_above_the_limit_waits_for_the_next_window(jobs, mail):
    mail(retry=True).map(range(3))

    assert jobs.drain() == {"performed": 3, "retried": 1}
    assert jobs.retried[0].wait == timedelta(seconds=30)


def test_the_delay_of_the_task_counts_before_the_window(jobs, mail):
    mail(retry=True, retry_delay=5).map(range(3))

    jobs.perform_due()

    assert [record.wait for record in jobs.pending] == [timedelta(seconds=5)]


def test_a_run_above_a_limit_without_retry_is_dropped(jobs, mail):
    mail(retry=False).map(range(3))

    assert jobs.drain() == {"performed": 2, "discarded": 1}
