"""rq-scheduler, a package of its own: what it schedules comes at its time, and recurs in `run_for`."""

from datetime import UTC, datetime, timedelta

import pytest
import rq_tasks
from rq_tasks import greet

rq_scheduler = pytest.importorskip("rq_scheduler")

# The package asks for the time in ways that Python and crontab warn of.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*utc.*is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Version 0.22.0:FutureWarning"),
]


@pytest.fixture
def scheduler():
    return rq_scheduler.Scheduler("mail", connection=rq_tasks.redis)


def times(jobs):
    return [f"{record.enqueued_at:%d %H:%M}" for record in jobs.enqueued]


def test_a_job_for_a_time_is_due_then(jobs, scheduler):
    job = scheduler.enqueue_at(datetime(2030, 1, 7, 1, tzinfo=UTC), greet, "Ann")
    scheduler.enqueue_in(timedelta(hours=2), greet, "Bob")

    assert [record.wait for record in jobs.enqueued] == [timedelta(hours=1), timedelta(hours=2)]
    assert job in scheduler
    jobs.drain()
    assert [delivery.result for delivery in jobs.performed] == ["Hello, Ann!", "Hello, Bob!"]
    assert job not in scheduler


def test_a_job_that_is_cancelled_is_not_performed(jobs, scheduler):
    scheduler.cancel(scheduler.enqueue_in(timedelta(hours=2), greet, "Ann"))

    assert len(jobs.pending) == 0


def test_an_interval_recurs(jobs, scheduler):
    scheduler.schedule(
        datetime(2030, 1, 7, 1, tzinfo=UTC), greet, args=("Ann",), interval=3600, repeat=2
    )
    assert len(jobs.enqueued) == 0

    jobs.run_for(timedelta(hours=5))

    assert times(jobs) == ["07 01:00", "07 02:00"]
    assert len(jobs.performed) == 2


def test_a_crontab_line_recurs(jobs, scheduler):
    scheduler.cron("0 6 * * *", greet, args=("Ann",))

    jobs.run_for(timedelta(days=2))
    jobs.run_for(timedelta(days=1))

    assert times(jobs) == ["07 06:00", "08 06:00", "09 06:00"]


def test_what_recurs_ends_when_it_is_cancelled(jobs, scheduler):
    job = scheduler.cron("0 6 * * *", greet, args=("Ann",))
    scheduler.cancel(job)

    jobs.run_for(timedelta(days=2))

    assert len(jobs.enqueued) == 0


def test_a_job_without_an_interval_comes_once(jobs, scheduler):
    scheduler.schedule(datetime.now(UTC) + timedelta(hours=1), greet, args=("Ann",))

    jobs.run_for(timedelta(days=2))

    assert len(jobs.performed) == 1
