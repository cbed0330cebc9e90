"""A job that runs once is recorded when it is added, and the scheduler knows it as ever."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("apscheduler.schedulers.background")

from apscheduler.events import (
    EVENT_ALL,
    EVENT_JOB_ADDED,
    EVENT_JOB_EXECUTED,
    EVENT_JOB_REMOVED,
    EVENT_JOB_SUBMITTED,
)
from apscheduler.jobstores.base import BaseJobStore, ConflictingIdError, JobLookupError
from apscheduler.schedulers import SchedulerAlreadyRunningError, SchedulerNotRunningError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.base import STATE_STOPPED, BaseScheduler
from apscheduler.schedulers.blocking import BlockingScheduler

from pytest_jobs import assert_enqueued, assert_not_enqueued
from pytest_jobs.bridges.apscheduler.bridge import APSchedulerBridge
from pytest_jobs.bridges.opening import bridges_to
from pytest_jobs.errors import ApplicationError, CriterionError

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def add(a, b=0):
    return a + b


def not_reached(*args):
    raise AssertionError("the database was asked")


class Database(BaseJobStore):
    start = lookup_job = get_due_jobs = get_next_run_time = get_all_jobs = not_reached
    add_job = update_job = remove_job = remove_all_jobs = not_reached


@pytest.mark.parametrize("is_started", [False, True], ids=["stopped", "started"])
def test_a_job_is_recorded_when_it_is_added(jobs, scheduler, is_started):
    if is_started:
        scheduler.start()
    scheduler.add_job(add, args=(1,), kwargs={"b": 2})

    record = assert_enqueued(add, params={"a": 1, "b": 2}, within=jobs.enqueued)
    assert (record.due_at, record.queue) == (None, "default")
    assert jobs.drain() == {"performed": 1}
    assert jobs.performed[0].result == 3
    assert scheduler.get_jobs() == []


def test_a_date_is_when_the_job_is_due(jobs, scheduler):
    jobs.clock.move_to(NOON)
    later = NOON + timedelta(hours=1)
    scheduler.add_job(add, "date", run_date=later, args=(1,))

    assert assert_enqueued(add, at=later, within=jobs.enqueued) in list(jobs.scheduled)
    assert jobs.perform_due() == {}
    assert jobs.run_for(timedelta(hours=1)) == {"performed": 1}


def test_the_decorator_adds_a_job_too_and_a_reference_names_a_function(jobs, scheduler):
    @scheduler.scheduled_job("date", args=(1,))
    def work(number):
        return number

    scheduler.add_job("test_apscheduler_adding:add", args=(1,))

    assert_enqueued(work, args=(1,), within=jobs.enqueued)
    assert_enqueued("test_apscheduler_adding:add", args=(1,), within=jobs.enqueued)


def test_a_job_that_is_removed_is_withdrawn(jobs, scheduler):
    scheduler.start()
    first = scheduler.add_job(add, args=(1,))
    scheduler.add_job(add, args=(2,), id="two")
    first.remove()
    assert [record.args for record in jobs.pending] == [(2,)]

    scheduler.remove_all_jobs()
    assert jobs.pending == []
    with pytest.raises(JobLookupError):
        scheduler.remove_job("two")


def test_a_job_that_is_moved_is_due_then_and_a_paused_one_is_not_pending(jobs, scheduler):
    jobs.clock.move_to(NOON)
    scheduler.start()
    job = scheduler.add_job(add, args=(1,), run_date=NOON + timedelta(hours=1))
    job.pause()
    assert jobs.pending == []

    job.resume()
    assert [record.due_at for record in jobs.pending] == [NOON + timedelta(hours=1)]
    job.reschedule("date", run_date=NOON + timedelta(hours=2))
    assert [record.due_at for record in jobs.pending] == [NOON + timedelta(hours=2)]


def test_a_job_replaces_the_one_with_its_id(jobs, scheduler):
    scheduler.start()
    scheduler.add_job(add, args=(1,), id="sum")
    with pytest.raises(ConflictingIdError):
        scheduler.add_job(add, args=(2,), id="sum")
    scheduler.add_job(add, args=(3,), id="sum", replace_existing=True)

    assert [record.args for record in jobs.pending] == [(3,)]


def test_an_id_that_is_taken_is_refused_before_the_start_too(jobs, scheduler):
    scheduler.add_job(add, args=(1,), id="sum")
    scheduler.add_job(add, "interval", hours=1, args=(0,), id="hourly")
    with pytest.raises(ConflictingIdError, match="sum"):
        scheduler.add_job(add, args=(2,), id="sum")
    with pytest.raises(ConflictingIdError, match="hourly"):
        scheduler.add_job(add, args=(2,), id="hourly")

    assert [record.args for record in jobs.pending] == [(1,)]
    scheduler.remove_job("sum")
    scheduler.add_job(add, args=(3,), id="sum")
    assert [record.args for record in jobs.pending] == [(3,)]


def test_an_id_is_taken_in_its_own_store_only(open_over):
    scheduler = BackgroundScheduler(timezone="UTC", jobstores={"other": Database()})
    with open_over(scheduler):
        scheduler.add_job(add, args=(1,), id="sum")
        scheduler.add_job(add, args=(2,), id="sum", jobstore="other")
        with pytest.raises(ConflictingIdError):
            scheduler.add_job(add, args=(2,), id="sum", jobstore="other")


@pytest.mark.parametrize("starts", [False, True], ids=["stopped", "started"])
def test_a_job_that_recurs_is_replaced_before_the_start_too(jobs, scheduler, starts, ran):
    jobs.clock.move_to(NOON)
    for number in (1, 2):
        scheduler.add_job(
            ran.append, "interval", hours=1, args=(number,), id="tick", replace_existing=True
        )
    if starts:
        scheduler.start()
    jobs.run_for(timedelta(hours=1))

    assert ran == [2]


def test_a_job_of_before_the_harness_keeps_its_id(open_over, scheduler):
    scheduler.add_job(add, "interval", hours=1, args=(1,), id="sum")
    with open_over(scheduler), pytest.raises(ConflictingIdError):
        scheduler.add_job(add, "interval", hours=1, args=(1,), id="sum")
    with open_over(scheduler):
        scheduler.remove_job("sum")
        scheduler.add_job(add, "interval", hours=1, args=(1,), id="sum")


def test_all_jobs_are_removed_before_the_start_and_the_real_ones_stay(open_over, scheduler):
    scheduler.add_job(add, "interval", hours=1, args=(1,))
    with open_over(scheduler) as jobs:
        scheduler.add_job(add, args=(2,))
        scheduler.remove_all_jobs()
        assert (jobs.pending, scheduler.get_jobs()) == ([], [])

    assert [job.args for job in scheduler.get_jobs()] == [(1,)]


@pytest.mark.parametrize("is_started", [False, True], ids=["stopped", "started"])
def test_methods_that_were_bound_before_the_harness_are_seen(scheduler, open_over, is_started):
    add_job, remove_job = scheduler.add_job, scheduler.remove_job
    with open_over(scheduler) as jobs:
        if is_started:
            scheduler.start()
        add_job(add, args=(1,), id="one")
        add_job(add, args=(2,), id="one", replace_existing=True)
        add_job(add, args=(3,), id="three")
        assert_enqueued(add, args=(2,), within=jobs.enqueued)
        remove_job("three")

        assert [record.args for record in jobs.pending] == [(2,)]
        assert jobs.drain() == {"performed": 1}


def test_a_job_that_is_recorded_before_the_start_is_recorded_once(jobs, scheduler):
    job = scheduler.add_job(add, args=(1,))
    scheduler.start()
    assert [record.args for record in jobs.enqueued] == [(1,)]

    job.modify(args=(2,))
    assert [record.args for record in jobs.pending] == [(2,)]


def test_a_job_that_is_performed_at_once_in_another_thread_can_add_jobs(open_over, scheduler):
    def adds(number):
        thread = threading.Thread(target=scheduler.add_job, args=(add,), kwargs={"args": (number,)})
        thread.start()
        thread.join(10)
        assert not thread.is_alive()

    with open_over(scheduler, mode="inline") as jobs:
        scheduler.start()
        scheduler.add_job(adds, args=(1,))

        assert [record.args for record in jobs.enqueued] == [(1,), (1,)]


@pytest.mark.skipif(
    not hasattr(BaseScheduler, "import_jobs"), reason="APScheduler 3.11 brought import_jobs"
)
def test_jobs_that_are_imported_are_recorded(jobs, scheduler, tmp_path):
    scheduler.start()
    scheduler.add_job(add, args=(1,))
    scheduler.export_jobs(tmp_path / "jobs.json")
    scheduler.remove_all_jobs()
    scheduler.import_jobs(tmp_path / "jobs.json")

    assert [list(record.args) for record in jobs.enqueued] == [[1], [1]]
    assert jobs.drain() == {"performed": 1}


def test_a_listener_may_add_a_job_while_the_scheduler_starts(jobs, scheduler):
    def listener(event):
        scheduler.remove_listener(listener)
        scheduler.add_job(add, args=(2,))

    scheduler.add_listener(listener, EVENT_JOB_ADDED)
    scheduler.add_job(add, args=(1,))
    scheduler.start()

    assert [record.args for record in jobs.enqueued] == [(1,), (2,)]


def test_an_interval_that_ends_is_removed_with_an_event(jobs, scheduler):
    removed = []
    scheduler.add_listener(removed.append, EVENT_JOB_REMOVED)
    jobs.clock.move_to(NOON)
    scheduler.start()
    end = NOON + timedelta(hours=1)
    scheduler.add_job(add, "interval", hours=1, end_date=end, args=(1,), id="hourly")
    jobs.run_for(timedelta(hours=3))

    assert [(event.job_id, event.jobstore) for event in removed] == [("hourly", "default")]


def test_arguments_that_do_not_fit_and_an_unknown_job_store_are_refused(jobs, scheduler):
    scheduler.start()
    with pytest.raises(ValueError, match="not been supplied"):
        scheduler.add_job(add)
    with pytest.raises(KeyError, match="No such job store: other"):
        scheduler.add_job(add, args=(1,), jobstore="other")

    assert jobs.enqueued == []


def test_a_database_is_never_asked_and_its_jobs_must_be_written_down(open_over):
    scheduler = BackgroundScheduler(timezone="UTC", jobstores={"default": Database()})
    with open_over(scheduler) as jobs:
        scheduler.add_jobstore(Database(), "other")
        scheduler.start()
        scheduler.add_job(add, args=(1,))
        scheduler.add_job(add, args=(2,), jobstore="other")
        with pytest.raises(TypeError, match="pickle"):
            scheduler.add_job(add, args=(threading.Lock(),))

        assert jobs.drain() == {"performed": 2}


def test_a_store_in_memory_takes_what_cannot_be_written_down_and_a_shutdown_loses_it(
    jobs, scheduler
):
    lock = threading.Lock()
    scheduler.start()
    scheduler.add_job(lambda given: given, args=(lock,))
    jobs.drain()
    assert jobs.performed[0].result is lock

    scheduler.add_job(add, args=(1,))
    scheduler.shutdown()
    assert jobs.pending == []


@pytest.mark.parametrize("kind", [BackgroundScheduler, BlockingScheduler])
def test_a_scheduler_starts_without_a_thread_and_does_not_block(open_over, kind):
    scheduler = kind(timezone="UTC")
    before = threading.active_count()
    with open_over(scheduler):
        with pytest.raises(SchedulerNotRunningError):
            scheduler.shutdown()
        scheduler.start()
        assert (scheduler.running, threading.active_count()) == (True, before)
        with pytest.raises(SchedulerAlreadyRunningError):
            scheduler.start()
        scheduler.pause()
        scheduler.resume()
        scheduler.shutdown()
        assert not scheduler.running

    assert scheduler.state == STATE_STOPPED


def test_listeners_are_called(jobs, scheduler):
    codes = []
    scheduler.add_listener(lambda event: codes.append(event.code), EVENT_ALL)
    scheduler.start()
    codes.clear()
    scheduler.add_job(add, args=(1,))
    jobs.drain()

    assert codes == [EVENT_JOB_ADDED, EVENT_JOB_REMOVED, EVENT_JOB_SUBMITTED, EVENT_JOB_EXECUTED]


def test_what_is_not_a_scheduler_is_refused(scheduler):
    with pytest.raises(ApplicationError, match="is not a scheduler of apscheduler"):
        APSchedulerBridge([Database()])
    (made,) = bridges_to([scheduler])
    assert isinstance(made, APSchedulerBridge)


def test_a_job_of_before_the_harness_comes_in_it_and_is_as_it_was(open_over, scheduler):
    def state():
        return [{n: getattr(job, n, None) for n in job.__slots__} for job in scheduler.get_jobs()]

    ran = []
    scheduler.add_job(lambda: ran.append(1), "interval", hours=1, start_date=NOON)
    scheduler.add_job(lambda: ran.append(2), "date", run_date=NOON + timedelta(minutes=90))
    before = state()
    with open_over(scheduler) as jobs:
        jobs.clock.move_to(NOON - timedelta(minutes=1))
        jobs.run_for(timedelta(hours=2))

    assert ran == [1, 1, 2]
    assert state() == before


def never_scheduled():
    """Be in a module."""


def test_of_a_function_that_no_scheduler_has_nothing_was_enqueued(jobs, scheduler):
    assert_not_enqueued(never_scheduled, within=jobs.enqueued)
    written = {}
    exec("def pay(): ...", written)

    for function in (lambda: None, written["pay"], print):
        with pytest.raises(CriterionError, match="is not a job"):
            assert_not_enqueued(function, within=jobs.enqueued)
        with pytest.raises(CriterionError, match="is not a job"):
            assert_enqueued(function)
