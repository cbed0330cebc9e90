"""Jobs come due in virtual time, through the functions of APScheduler's executors."""

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

pytest.importorskip("apscheduler.schedulers.background")

from apscheduler.events import (
    EVENT_JOB_ERROR,
    EVENT_JOB_EXECUTED,
    EVENT_JOB_MAX_INSTANCES,
    EVENT_JOB_MISSED,
)
from apscheduler.jobstores.base import ConflictingIdError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger
from booked import Shop, books

from pytest_jobs import check_idempotent
from pytest_jobs.bridges.apscheduler.bridge import APSchedulerBridge
from pytest_jobs.errors import DuplicateEffect
from pytest_jobs.harness.jobs import Jobs

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def noon(jobs):
    jobs.clock.move_to(NOON)


@pytest.fixture
def tick(ran):
    def tick():
        ran.append(datetime.now(UTC))

    return tick


def hours(times):
    return [time.strftime("%d %H:%M") for time in times]


@pytest.mark.parametrize("is_started", [False, True], ids=["stopped", "started"])
def test_an_interval_comes_while_time_passes(jobs, scheduler, tick, ran, is_started):
    scheduler.add_job(tick, "interval", hours=2)
    if is_started:
        scheduler.start()

    assert jobs.enqueued == []
    assert jobs.run_for(timedelta(hours=5)) == {"performed": 2}
    assert hours(ran) == ["01 14:00", "01 16:00"]
    jobs.run_for(timedelta(hours=1))
    assert hours(ran)[2:] == ["01 18:00"]
    assert [job.next_run_time.hour for job in scheduler.get_jobs()] == [20]


def test_a_crontab_line_and_a_combination_come_too_and_what_recurs_ends(jobs, scheduler, tick, ran):
    triggers = (CronTrigger(hour=hour, timezone="UTC") for hour in (0, 3))
    scheduler.add_job(tick, CronTrigger.from_crontab("30 6 * * *", timezone="UTC"))
    scheduler.add_job(tick, OrTrigger([*triggers]))
    ends = scheduler.add_job(tick, "interval", hours=1, end_date=NOON + timedelta(hours=2))
    scheduler.start()
    jobs.run_for(timedelta(days=1))

    assert hours(ran) == ["01 13:00", "01 14:00", "02 00:00", "02 03:00", "02 06:30"]
    assert ends.id not in [job.id for job in scheduler.get_jobs()]


def test_a_paused_scheduler_runs_nothing_and_then_the_last_run(jobs, scheduler, tick, ran):
    missed = []
    scheduler.add_listener(missed.append, EVENT_JOB_MISSED)
    scheduler.start()
    scheduler.add_job(tick, "interval", hours=1, misfire_grace_time=None)
    scheduler.pause()
    assert jobs.run_for(timedelta(minutes=150)) == {}

    scheduler.resume()
    assert jobs.run_for(timedelta(minutes=10)) == {"performed": 1}
    assert (hours(ran), missed) == (["01 14:30"], [])


def test_a_run_that_is_too_late_is_discarded(jobs, scheduler, tick, ran):
    missed = []
    scheduler.add_listener(missed.append, EVENT_JOB_MISSED)
    scheduler.start()
    scheduler.add_job(tick, "interval", hours=1, misfire_grace_time=60, coalesce=False)
    scheduler.pause()
    jobs.run_for(timedelta(minutes=150))
    scheduler.resume()

    assert jobs.run_for(timedelta(minutes=40)) == {"discarded": 2, "performed": 1}
    assert [event.scheduled_run_time.hour for event in missed] == [13, 14]
    assert hours(ran) == ["01 15:00"]


@pytest.mark.parametrize("is_started", [False, True], ids=["stopped", "started"])
@pytest.mark.parametrize(
    ("late", "options", "status"),
    [
        (timedelta(minutes=30), {}, "discarded"),
        (timedelta(seconds=2), {}, "discarded"),
        (timedelta(seconds=1), {}, "performed"),
        (timedelta(seconds=60), {"misfire_grace_time": 60}, "performed"),
        (timedelta(seconds=61), {"misfire_grace_time": 60}, "discarded"),
        (timedelta(days=365), {"misfire_grace_time": None}, "performed"),
    ],
)
def test_a_date_that_is_past_when_the_job_is_added_has_the_grace_of_apscheduler(
    jobs, scheduler, tick, late, options, status, is_started
):
    missed = []
    scheduler.add_listener(missed.append, EVENT_JOB_MISSED)
    if is_started:
        scheduler.start()
    scheduler.add_job(tick, "date", run_date=NOON - late, **options)

    assert jobs.run_for(timedelta(hours=1)) == {status: 1}
    assert [event.scheduled_run_time for event in missed] == [NOON - late] * (status == "discarded")


def test_the_grace_of_the_scheduler_is_that_of_a_job_without_its_own(open_over, tick):
    scheduler = BackgroundScheduler(timezone="UTC", job_defaults={"misfire_grace_time": 3600})
    with open_over(scheduler) as jobs:
        scheduler.add_job(tick, run_date=datetime.now(UTC) - timedelta(minutes=59))
        scheduler.add_job(tick, run_date=datetime.now(UTC) - timedelta(minutes=61))

        assert jobs.drain() == {"performed": 1, "discarded": 1}


def test_a_job_that_is_moved_to_the_past_is_discarded_but_how_late_it_is_performed_does_not_count(
    jobs, scheduler, tick, ran
):
    scheduler.start()
    scheduler.add_job(tick, run_date=NOON + timedelta(hours=1))
    moved = scheduler.add_job(tick, run_date=NOON + timedelta(hours=1))
    moved.reschedule("date", run_date=NOON - timedelta(hours=1))
    jobs.clock.move_to(NOON + timedelta(hours=5))

    assert jobs.perform_due() == {"performed": 1, "discarded": 1}


def test_a_run_that_would_overlap_is_skipped(jobs, scheduler, ran):
    skipped = []
    scheduler.add_listener(skipped.append, EVENT_JOB_MAX_INSTANCES)

    def slow():
        ran.append(datetime.now(UTC))
        time.sleep(90 * 60)

    scheduler.add_job(slow, "interval", hours=1)
    jobs.run_for(timedelta(hours=3))

    assert len(skipped) == 1
    assert hours(ran) == ["01 13:00", "01 15:00"]


@pytest.mark.parametrize("change", ["pause", "remove", "reschedule"])
def test_a_job_that_changes_while_time_passes_is_asked_again(jobs, scheduler, tick, ran, change):
    scheduler.start()
    job = scheduler.add_job(tick, "interval", hours=1)
    changes = {
        "pause": job.pause,
        "remove": job.remove,
        "reschedule": lambda: job.reschedule("interval", days=7),
    }
    scheduler.add_job(changes[change], run_date=NOON + timedelta(minutes=90))
    jobs.run_for(timedelta(hours=5))

    assert hours(ran) == ["01 13:00"]


@pytest.mark.parametrize("is_started", [False, True], ids=["stopped", "started"])
def test_a_job_that_is_replaced_while_time_passes_comes_when_time_passes_again(
    jobs, scheduler, tick, ran, is_started
):
    if is_started:
        scheduler.start()

    def every_hour():
        scheduler.add_job(tick, "interval", hours=1, id="tick", replace_existing=True)

    every_hour()
    scheduler.add_job(every_hour, run_date=NOON + timedelta(minutes=90))
    jobs.run_for(timedelta(hours=2))

    assert hours(ran) == ["01 13:00"]
    jobs.run_for(timedelta(hours=1))
    assert len(ran) == 2


@pytest.mark.parametrize("jitter", ["zero", "seeded", "live"])
def test_jitter_is_drawn_as_the_harness_says(scheduler, tick, ran, jitter):
    with Jobs([APSchedulerBridge([scheduler])], jitter=jitter) as jobs:
        jobs.clock.move_to(NOON + timedelta(days=1))
        scheduler.add_job(tick, "interval", hours=1, jitter=600)
        jobs.run_for(timedelta(hours=5))

    assert len(ran) in (4, 5)
    apart = {after - before for before, after in pairwise(ran)}
    assert (apart == {timedelta(hours=1)}) is (jitter == "zero")


class Killed(BaseException):
    """Ends a process."""


def test_an_error_is_raised_and_told_to_listeners_unless_it_ends_the_process(jobs, scheduler):
    told = []
    scheduler.add_listener(told.append, EVENT_JOB_ERROR | EVENT_JOB_EXECUTED)

    def work(error):
        raise error

    scheduler.add_job(work, args=(ValueError("no"),))
    scheduler.add_job(lambda: 7)
    scheduler.add_job(work, args=(Killed(),))
    with pytest.raises(ValueError, match="no"):
        jobs.drain()
    with pytest.raises(Killed):
        jobs.drain()

    assert [delivery.status for delivery in jobs.deliveries] == ["failed", "performed"]
    assert (str(told[0].exception), told[1].retval, len(told)) == ("no", 7, 2)


def test_a_job_adds_the_next_one_under_its_own_id(jobs, scheduler, ran):
    scheduler.start()

    def work(number):
        ran.append(number)
        if number < 3:
            when = datetime.now(UTC) + timedelta(hours=1)
            scheduler.add_job(work, args=(number + 1,), id="work", run_date=when)

    scheduler.add_job(work, args=(1,), id="work")
    jobs.drain()

    assert ran == [1, 2, 3]
    assert [record.parent for record in jobs.enqueued] == [None, 0, 1]


async def nap(number):
    await asyncio.sleep(60)
    return number


def test_a_scheduler_with_threads_never_awaits_a_coroutine_function(jobs, scheduler):
    scheduler.add_job(nap, args=(7,))

    with pytest.raises(TypeError) as raised:
        jobs.drain()
    assert str(raised.value) == (
        "test_apscheduler_running:nap is a coroutine function, and BackgroundScheduler never awaits it: use "
        "AsyncIOScheduler, or a plain function that calls asyncio.run."
    )


def book(number):
    Shop.ledger.book(number)


@pytest.mark.parametrize("is_started", [False, True], ids=["stopped", "started"])
def test_a_job_with_an_id_of_its_own_is_added_once_by_two_runs(jobs, scheduler, is_started):
    def adds(number, **options):
        later = NOON + timedelta(days=9999)
        scheduler.add_job(book, "date", run_date=later, args=(number,), **options)

    def adds_once(number):
        with suppress(ConflictingIdError):
            adds(number, id=f"book-{number}")

    for function in (adds, adds_once):
        scheduler.add_job(function, args=(7,), next_run_time=None)
    if is_started:
        scheduler.start()

    check_idempotent(adds_once, args=(7,), world=books)
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE ledger\.book"):
        check_idempotent(adds, args=(7,), world=books)
