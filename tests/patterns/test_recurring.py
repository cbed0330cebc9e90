"""Recurring jobs under the harness: a schedule, two days, and what was enqueued in them."""

import asyncio
import time
from collections import Counter
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import pytest
from recurring_jobs import WeeklyReport, flaky, slow, sync_data

from pytest_jobs import (
    CurrentAttributes,
    Job,
    RecurringCommand,
    Schedule,
    before_enqueue,
    discard_on,
    job,
    load_schedule,
    preview,
    unique,
)
from pytest_jobs.core.foundation.settings import settings
from pytest_jobs.errors import CriterionError, Halt, StoreError, VerbInsideJobError
from pytest_jobs.types import Firing

SEED = """\
production: &production
  deliver_bundled_notifications:
    command: "recurring_jobs.deliver_bundles"
    schedule: every 30 minutes

  auto_postpone_all_due:
    command: "recurring_jobs.Card.auto_postpone_all_due"
    schedule: every hour at minute 50

  delete_unused_tags:
    class: recurring_jobs.DeleteUnusedTags
    schedule: every day at 04:02

  weekly_report:
    class: recurring_jobs.WeeklyReport
    args: ["summary"]
    schedule: every monday at 9am
    queue: low

development:
  <<: *production

test:
"""
DAY = timedelta(days=1)
DAILY = {"sync": {"class": sync_data, "schedule": "every day at 9am"}}


@pytest.fixture
def seed(write):
    return load_schedule(write("recurring.yml", SEED), environment="production")


@pytest.mark.parametrize("hours", [48, 1], ids=["one run", "one after the other"])
def test_two_days_of_the_seeds_schedule(jobs, start, seed, done, hours):
    scheduler = jobs.recurring(seed)
    performed = sum(jobs.run_for(timedelta(hours=hours)).total for _ in range(48 // hours))

    assert performed == 96 + 48 + 2
    assert Counter(firing.key for firing in scheduler.fired) == {
        "deliver_bundled_notifications": 96,
        "auto_postpone_all_due": 48,
        "delete_unused_tags": 2,
    }
    assert Counter(done) == {"delivered 10": 96, "postponed": 48, "tags deleted": 2}
    assert scheduler.fired == tuple(preview(seed, 2 * DAY, start=start))
    assert (scheduler.missed, scheduler.dropped) == ((), ())


def test_a_job_is_enqueued_at_its_time_with_what_the_task_says_as_in_the_preview(
    jobs, start, seed, assert_enqueued
):
    scheduler = jobs.recurring(seed)
    expected = preview(seed, 8 * DAY)
    jobs.run_for(8 * DAY)

    assert list(expected) == list(scheduler.fired)
    assert len(expected) == 8 * (48 + 24 + 1) + 1
    record = assert_enqueued(WeeklyReport, args=("summary",), queue="low", at=None)
    assert record.enqueued_at == datetime(2030, 1, 7, 9, tzinfo=UTC)
    command = {"command": "recurring_jobs.Card.auto_postpone_all_due"}
    assert_enqueued(RecurringCommand, params=command, queue="recurring", count=8 * 24)


def test_priority_and_keywords_reach_the_job(jobs, start, assert_enqueued):
    told = {
        "class": "recurring_jobs.WeeklyReport",
        "args": ["full", {"copies": 3}],
        "every": "1h",
        "priority": 7,
    }
    jobs.recurring(Schedule({"report": told}))
    jobs.run_for(3600)

    assert_enqueued(WeeklyReport, args=("full",), kwargs={"copies": 3}, priority=7, queue="reports")


def test_the_beginning_is_left_out_and_the_end_is_not_and_a_scheduler_says_how_it_is(jobs, start):
    scheduler = jobs.recurring(Schedule({"sync": {"class": sync_data, "schedule": "every day"}}))
    jobs.run_for(DAY)

    assert [firing.at for firing in scheduler.fired] == [start + DAY]
    assert repr(scheduler) == "<Scheduler 1 fired>"
    assert repr(scheduler.fired[0]) == "<Firing sync 2030-01-02 00:00:00+00:00>"
    assert scheduler.fired[0].key == "sync"
    assert scheduler.fired[0] != "sync"
    assert len({*scheduler.fired, *scheduler.fired}) == 1
    with scheduler.down():
        assert repr(scheduler) == "<Scheduler down 1 fired>"


@pytest.mark.parametrize("is_read_again", [True, False])
def test_v16_two_schedulers_enqueue_one_job_for_each_task_and_time(
    jobs, start, seed, write, is_read_again
):
    again = load_schedule(write("recurring.yml", SEED), environment="production")
    one, other = (jobs.recurring(each) for each in (seed, again if is_read_again else seed))
    jobs.run_for(2 * DAY)

    assert len(jobs.enqueued) == len(preview(seed, 2 * DAY, start=start))
    assert (len(one.fired), len(other.fired)) == (146, 0)
    assert other.missed == ()


def test_one_scheduler_fires_while_the_other_is_down(jobs, start):
    one, other = jobs.recurring(Schedule(DAILY)), jobs.recurring(Schedule(DAILY))
    with one.down():
        jobs.run_for(DAY)
    jobs.run_for(DAY)

    assert [firing.at.day for firing in other.fired] == [1]
    assert [firing.at.day for firing in one.fired] == [2]
    assert [firing.at.day for firing in one.missed] == [1]


def test_a_firing_that_is_missed_is_not_made_up_for(jobs, start):
    scheduler = jobs.recurring(Schedule(DAILY))
    with scheduler.down():
        jobs.run_for(DAY)

    assert jobs.run_for(timedelta(hours=8)).total == 0
    assert scheduler.missed == (Firing(1893488400_000_000_000, Schedule(DAILY).tasks["sync"]),)
    assert jobs.run_for(timedelta(hours=1)).total == 1


def test_what_other_verbs_pass_over_is_missed(jobs, start):
    scheduler = jobs.recurring(Schedule(DAILY))
    sync_data.set(wait=DAY).perform_later("then")
    assert jobs.drain().total == 1
    assert [firing.at.day for firing in scheduler.missed] == [1]
    jobs.clock.advance(DAY)
    assert [firing.at.day for firing in scheduler.missed] == [1, 2]
    jobs.run_for(DAY)

    assert [firing.at.day for firing in scheduler.missed] == [1, 2]
    assert [firing.at.day for firing in scheduler.fired] == [3]


def test_what_fires_later_in_a_run_is_not_missed_meanwhile(jobs, start):
    seen = []

    @job
    def look(scheduler_number: int):
        time.sleep(3600)
        seen.append(scheduler.missed)

    scheduler = jobs.recurring(Schedule(DAILY))
    look.set(wait=timedelta(hours=8, minutes=30)).perform_later(1)
    jobs.run_for(DAY)

    assert seen == [()]
    assert len(scheduler.fired) == 1


def test_a_clock_that_begins_earlier_takes_the_scheduler_along(jobs):
    scheduler = jobs.recurring(Schedule(DAILY))
    jobs.clock.move_to(datetime(1999, 12, 31, tzinfo=UTC))
    jobs.run_for(DAY)

    assert [firing.at for firing in scheduler.fired] == [datetime(1999, 12, 31, 9, tzinfo=UTC)]
    assert scheduler.missed == ()
    jobs.clock.advance(DAY)
    jobs.run_for(DAY)
    assert [firing.at for firing in scheduler.missed] == [datetime(2000, 1, 1, 9, tzinfo=UTC)]


def test_other_jobs_come_in_between_and_what_fires_at_once_by_priority(jobs, start):
    every = "every day at 9am"
    last = {"class": sync_data, "schedule": every, "priority": 2}
    first = {"class": WeeklyReport, "args": "a", "schedule": every, "priority": 1}
    jobs.recurring(Schedule({"last": last, "first": first}))
    for hours in (8, 9, 10):
        WeeklyReport.set(wait=timedelta(hours=hours)).perform_later(str(hours))
    jobs.run_for(DAY)

    assert [(d.at.hour, d.record.job, *d.record.args) for d in jobs.performed] == [
        (8, WeeklyReport, "8"),
        (9, WeeklyReport, "9"),
        (9, WeeklyReport, "a"),
        (9, sync_data),
        (10, WeeklyReport, "10"),
    ]


def test_what_fires_while_a_job_sleeps_is_enqueued_at_its_time_and_performed_after_it(jobs, start):
    slow_one = {"class": slow, "schedule": "every day at 8am"}
    scheduler = jobs.recurring(Schedule({"slow": slow_one, **DAILY}))
    jobs.run_for(DAY)

    assert [firing.at.hour for firing in scheduler.fired] == [8, 9]
    assert jobs.enqueued[1].enqueued_at == start + timedelta(hours=9)
    assert jobs.deliveries[1].at == start + timedelta(hours=9, minutes=30)
    assert scheduler.missed == ()


@unique(ttl=3600)
@job
def sweep(seconds):
    time.sleep(seconds)


@unique(ttl=3600)
@job
async def asweep(seconds):
    await asyncio.sleep(seconds)


@pytest.mark.parametrize(("sweep", "inline"), [(sweep, False), (asweep, False), (sweep, True)])
def test_a_unique_job_that_takes_longer_than_its_interval_keeps_the_next_out(
    jobs, start, sweep, inline
):
    jobs.recurring(Schedule({"sweep": {"class": sweep, "args": 100, "schedule": "every minute"}}))
    with jobs.inline() if inline else nullcontext():
        jobs.run_for(timedelta(minutes=6))

    begun = [(d.at - start).seconds // 60 for d in jobs.performed]
    assert begun == [1, 3, 5]
    assert len(jobs.kept_out) == 3


class Current(CurrentAttributes):
    tenant: str | None = None


@job
def whose():
    return Current.tenant


@job
def sleep_as_another():
    with Current.set(tenant="of the job"):
        time.sleep(5400)


def test_what_fires_while_a_job_sleeps_is_none_of_the_jobs_doing(jobs, start):
    jobs.recurring(
        Schedule(
            {
                "slow": {"class": sleep_as_another, "schedule": "every day at 8am"},
                "whose": {"class": whose, "schedule": "every day at 9am"},
            }
        )
    )
    with Current.set(tenant="of the test"):
        jobs.run_for(DAY)

    assert [d.result for d in jobs.performed] == [None, "of the test"]
    assert jobs.enqueued[1].parent is None
    assert jobs.deliveries[0].enqueued == ()


def test_a_job_that_sleeps_answers_for_no_firing_that_fails(jobs, start, monkeypatch):
    @discard_on(Exception)
    @job
    def patient():
        time.sleep(5400)

    patient.perform_later()
    schedule = Schedule({"told": {"class": sync_data, "schedule": "every hour"}})
    monkeypatch.setattr(type(schedule.tasks["told"]), "enqueue", lambda task: 1 / 0)
    jobs.recurring(schedule)

    with pytest.raises(ZeroDivisionError):
        jobs.run_for(DAY)
    assert [d.status for d in jobs.deliveries] == ["performed"]


def test_a_job_that_fails_stops_the_run_and_the_next_goes_on(jobs, start):
    told = {"class": flaky, "schedule": "every hour"}
    scheduler = jobs.recurring(Schedule({"flaky": told}))
    with pytest.raises(ConnectionError):
        jobs.run_for(DAY)

    assert jobs.clock.now() == start + timedelta(hours=1)
    assert jobs.run_for(timedelta(hours=5), raise_errors=False) == {"failed": 5}
    assert len(scheduler.fired) == 6
    assert scheduler.missed == ()


def test_jobs_that_are_left_out_stay_pending(jobs, start):
    jobs.recurring(
        Schedule({**DAILY, "report": {"class": WeeklyReport, "args": "a", "every": "1d"}})
    )

    assert jobs.run_for(2 * DAY, only=sync_data) == {"performed": 2}
    assert [record.job for record in jobs.pending] == [WeeklyReport, WeeklyReport]


@pytest.mark.parametrize("sleeps", [False, True])
def test_more_firings_than_the_limit_are_no_loop_while_a_job_sleeps_too(jobs, start, sleeps):
    jobs.recurring(Schedule({"sync": {"class": sync_data, "schedule": "every minute"}}))
    if sleeps:
        slow.perform_later()

    assert jobs.run_for(timedelta(hours=1), limit=10) == {"performed": 60 + sleeps}


@pytest.mark.parametrize("inline", [False, True])
def test_the_twin_fires_too_and_inline_mode_performs_what_fires(jobs, start, done, inline):
    jobs.recurring(Schedule(DAILY))
    with jobs.inline() if inline else nullcontext():
        jobs.run_for(2 * DAY) if inline else asyncio.run(jobs.arun_for(2 * DAY))

        assert done == ["synced since yesterday"] * 2


@unique(until="expired", ttl=3 * DAY)
class SyncOnce(Job):
    def perform(self):
        pass


class NeverSync(Job):
    @before_enqueue
    def not_now(self):
        raise Halt

    def perform(self):
        pass


def test_a_firing_whose_job_was_kept_out_is_told_from_one_that_enqueued(jobs, start):
    scheduler = jobs.recurring(Schedule({"sync": {"class": SyncOnce, "schedule": "every day"}}))

    tally = jobs.run_for(2 * DAY)

    assert [firing.at for firing in scheduler.fired] == [start + DAY, start + 2 * DAY]
    assert scheduler.dropped == scheduler.fired[1:]
    assert (len(jobs.enqueued), len(jobs.kept_out)) == (1, 1)
    assert scheduler.missed == ()
    assert tally == {"performed": 1}
    assert repr(scheduler) == "<Scheduler 2 fired, 1 of them dropped>"


def test_a_firing_that_a_callback_halted_is_dropped(jobs, start):
    scheduler = jobs.recurring(Schedule({"sync": {"class": NeverSync, "schedule": "every day"}}))
    jobs.run_for(DAY)

    assert (scheduler.dropped, len(scheduler.fired), jobs.enqueued) == (scheduler.fired, 1, [])


def test_a_firing_whose_store_is_down_is_missed(jobs, start, monkeypatch):
    def refuse(*args, **kwargs):
        raise StoreError("refused")

    scheduler = jobs.recurring(Schedule({"sync": {"class": SyncOnce, "schedule": "every day"}}))
    monkeypatch.setattr(settings.store, "acquire", refuse, raising=False)

    with pytest.raises(StoreError):
        jobs.run_for(DAY)

    assert scheduler.fired == ()
    assert [firing.at for firing in scheduler.missed] == [start + DAY]

    monkeypatch.undo()
    jobs.run_for(DAY)

    assert [firing.at for firing in scheduler.fired] == [start + 2 * DAY]


@pytest.mark.jobs(mode="inline", raise_at="enqueue")
def test_a_firing_whose_job_raises_inline_is_none_that_is_missed(jobs, start):
    scheduler = jobs.recurring(Schedule({"flaky": {"class": flaky, "schedule": "every day"}}))

    with pytest.raises(ConnectionError):
        jobs.run_for(DAY)

    assert len(scheduler.fired) == 1
    assert scheduler.missed == ()


def test_a_path_and_another_task_of_the_same_key_are_refused(jobs):
    jobs.recurring(Schedule(DAILY))
    with pytest.raises(CriterionError) as path:
        jobs.recurring("recurring.yml")
    with pytest.raises(CriterionError) as caught:
        jobs.recurring(Schedule({"sync": {"class": sync_data, "schedule": "every day at 8am"}}))

    assert str(path.value) == (
        "jobs.recurring('recurring.yml') is given no schedule: write "
        "jobs.recurring(load_schedule('recurring.yml'))."
    )
    assert str(caught.value) == (
        "jobs.recurring(<Schedule sync>) has a task 'sync', and another schedule has another task of that "
        "key, so only one of them would fire at a time: rename one."
    )


def test_a_job_brings_no_schedule_in(jobs):
    @job
    def bring() -> None:
        jobs.recurring(Schedule(DAILY))

    bring.perform_later()
    with pytest.raises(VerbInsideJobError):
        jobs.drain()


def test_a_task_enqueues_when_it_is_told_to(jobs, assert_enqueued):
    Schedule(DAILY).tasks["sync"].enqueue()

    assert_enqueued(sync_data, args=())
