"""A real scheduler with its thread does to a job what the bridge does."""

from collections import Counter
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("apscheduler.schedulers.background")

from apscheduler.events import (
    EVENT_JOB_ADDED,
    EVENT_JOB_ERROR,
    EVENT_JOB_EXECUTED,
    EVENT_JOB_MISSED,
    EVENT_JOB_REMOVED,
    EVENT_JOB_SUBMITTED,
)
from apscheduler.jobstores.base import ConflictingIdError
from apscheduler.schedulers.background import BackgroundScheduler
from servers import wait_until

OF_JOBS = (
    EVENT_JOB_ADDED
    | EVENT_JOB_REMOVED
    | EVENT_JOB_SUBMITTED
    | EVENT_JOB_EXECUTED
    | EVENT_JOB_ERROR
    | EVENT_JOB_MISSED
)


def add(scheduler, **options):
    scheduler.add_job(int, "date", run_date=datetime.now(UTC), **options)


def add_late(scheduler, **options):
    past = datetime.now(UTC) - timedelta(minutes=30)
    scheduler.add_job(int, "date", run_date=past, **options)


CASES = {
    "in time": lambda scheduler: add(scheduler, misfire_grace_time=60),
    "late": add_late,
    "late without a limit": lambda scheduler: add_late(scheduler, misfire_grace_time=None),
    "late within its grace": lambda scheduler: add_late(scheduler, misfire_grace_time=3600),
    "late beyond its grace": lambda scheduler: add_late(scheduler, misfire_grace_time=60),
}


def events_of(scheduler, case):
    codes = []
    scheduler.start()
    scheduler.add_listener(lambda event: codes.append(event.code), OF_JOBS)
    case(scheduler)
    return codes


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_events_of_a_job_are_those_of_a_real_scheduler(open_over, case):
    real = BackgroundScheduler(timezone="UTC")
    expected = events_of(real, case)
    try:
        # The thread pool may be quicker than the scheduler, or slower.
        wait_until(lambda: len(expected) == 4, "four events")
    finally:
        real.shutdown()
    scheduler = BackgroundScheduler(timezone="UTC")
    with open_over(scheduler) as jobs:
        codes = events_of(scheduler, case)
        jobs.drain()

    assert Counter(codes) == Counter(expected)
    assert codes.index(EVENT_JOB_REMOVED) < codes.index(EVENT_JOB_SUBMITTED)
    assert expected.index(EVENT_JOB_REMOVED) < expected.index(EVENT_JOB_SUBMITTED)


def double(basket):
    basket.extend(basket)


@pytest.mark.parametrize("is_real", [True, False])
def test_a_store_in_memory_shares_the_arguments_with_the_application(open_over, is_real):
    scheduler, basket = BackgroundScheduler(timezone="UTC"), ["tea"]
    with nullcontext() if is_real else open_over(scheduler) as jobs:
        scheduler.start(paused=True)
        scheduler.add_job(double, "date", args=[basket], misfire_grace_time=None)
        basket.append("milk")
        scheduler.resume()
        if is_real:
            wait_until(lambda: len(basket) == 4, "the job")
            # A scheduler that is shut down does not find the job that it still has to remove.
            wait_until(lambda: not scheduler.get_jobs(), "the job's removal")
            scheduler.shutdown()
        else:
            jobs.drain()

    assert basket == ["tea", "milk", "tea", "milk"]


def test_a_real_scheduler_refuses_an_id_that_is_taken_at_its_start():
    real = BackgroundScheduler(timezone="UTC")
    for _ in range(2):
        add(real, id="sum")

    with pytest.raises(ConflictingIdError):
        real.start()
