"""A job goes through Procrastinate's worker: context, threads, retries, aborts."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("procrastinate")

from procrastinate import BaseRetryStrategy, RetryDecision, RetryStrategy
from procrastinate.exceptions import JobAborted

from pytest_jobs.errors import UnknownJobError


class Flaky(Exception):
    """An error that passes."""


class OtherQueue(BaseRetryStrategy):
    def get_retry_decision(self, *, exception, job):
        if job.attempts == 2:
            return None
        return RetryDecision(retry_in={"seconds": 7}, queue="slow", priority=-5)


@pytest.fixture
def deliveries(app, jobs):
    """Return a function that performs a task that fails always, and returns its deliveries."""

    def deliveries(retry, error=Flaky):
        @app.task(name="flaky", retry=retry)
        def flaky():
            raise error

        jobs.clock.freeze()
        flaky.defer()
        jobs.drain(raise_errors=False)
        return list(jobs.deliveries)

    return deliveries


@pytest.mark.parametrize(
    ("retry", "waits"),
    [
        # 0 ** (attempts + 1) is 0, so the waits are what is given.
        (3, [0, 0, 0]),
        (RetryStrategy(max_attempts=3, wait=5), [5, 5, 5]),
        (RetryStrategy(max_attempts=3, linear_wait=5), [0, 5, 10]),
        (RetryStrategy(max_attempts=3, exponential_wait=3), [3, 9, 27]),
        (RetryStrategy(max_attempts=2, wait=1, linear_wait=2, exponential_wait=3), [4, 12]),
    ],
)
def test_a_job_that_fails_is_retried_as_its_strategy_says(deliveries, jobs, retry, waits):
    found = deliveries(retry)

    assert [d.status for d in found] == ["retried"] * len(waits) + ["exhausted"]
    assert [d.wait.total_seconds() for d in found[:-1]] == waits
    assert all(d.wait_bounds == (d.wait, d.wait) for d in found[:-1])
    assert [d.record.attempt for d in found] == list(range(1, len(waits) + 2))
    policy = jobs.harness.bridges[0].retry_policy("flaky")
    assert policy.attempts == len(found)
    assert [policy.wait(n + 1).total_seconds() for n in range(len(waits))] == waits


@pytest.mark.parametrize(
    ("retry", "attempts"),
    [(False, 1), (RetryStrategy(max_attempts=3, retry_exceptions=[KeyError]), 4)],
)
def test_a_task_or_an_error_that_is_not_retried_fails(deliveries, jobs, retry, attempts):
    assert [d.status for d in deliveries(retry)] == ["failed"]
    assert jobs.harness.bridges[0].retry_policy("flaky").attempts == attempts


def test_a_strategy_of_a_project_says_when_and_where(deliveries, jobs):
    found = deliveries(OtherQueue())

    assert [d.status for d in found] == ["retried", "retried", "exhausted"]
    assert [d.wait for d in found[:2]] == [timedelta(seconds=7)] * 2
    assert (found[1].record.queue, found[1].record.priority) == ("slow", -5)
    assert jobs.harness.bridges[0].retry_policy("flaky") is None


def test_retries_without_an_end_are_simulated(app, jobs):
    task = app.task(lambda: None, name="endless", retry=True)

    timeline = jobs.simulate_retries(task, raising=Flaky(), succeed_on=4)

    assert timeline.wait_seconds == [0, 0, 0]
    assert jobs.harness.bridges[0].retry_policy(task).attempts is None


def test_the_context_says_what_is_known_of_the_run(app, jobs):
    contexts = []

    @app.task(name="look", pass_context=True, retry=1)
    def look(context, x):
        contexts.append(context)
        if context.job.attempts == 0:
            raise Flaky

    job_id = look.defer(x=7)
    jobs.drain()

    first, second = contexts
    assert (first.app, first.task, first.job.id) == (app, look, job_id)
    assert (first.job.task_kwargs, second.job.attempts) == ({"x": 7}, 1)
    assert first.should_abort() is False


def test_a_function_runs_in_this_thread_without_a_loop_and_what_it_returns_is_awaited(app, jobs):
    seen = []

    async def answer():
        return 7

    @app.task(name="look")
    def look():
        seen.append((threading.current_thread(), asyncio.run(answer())))
        return answer()

    look.defer()
    jobs.drain()

    assert seen == [(threading.current_thread(), 7)]
    assert jobs.performed[0].result == 7


@pytest.mark.parametrize("error", [JobAborted, asyncio.CancelledError])
def test_a_job_that_aborts_itself_is_cancelled(app, jobs, error):
    @app.task(name="stop", retry=3)
    async def stop():
        raise error

    job_id = stop.defer()
    assert jobs.drain() == (
        {"cancelled": 1} if error is JobAborted else {"retried": 3, "cancelled": 1}
    )
    assert app.job_manager.get_job_status(job_id).value == "aborted"


def test_a_running_job_sees_that_it_shall_abort(app, jobs):
    seen = []

    @app.task(name="look", pass_context=True)
    def look(context):
        app.job_manager.cancel_job_by_id(context.job.id, abort=True)
        seen.append(context.should_abort())
        raise JobAborted

    look.defer()

    assert jobs.drain() == {"cancelled": 1}
    assert seen == [True]


def test_middlewares_run_around_a_job(make_app, open_over):
    pytest.importorskip("procrastinate.middleware", reason="they came with Procrastinate 3.10")
    seen = []

    async def of_worker(call_next, context, worker):
        seen.append("worker")
        return await call_next()

    def of_task(call_next, context, worker):
        seen.append(context.job.task_name)
        return call_next() + 1

    app = make_app()
    app.worker_defaults = {"worker_middleware": [of_worker], "task_middleware": [of_task]}
    task = app.task(lambda: 7, name="seven")
    with open_over(app) as jobs:
        task.defer()
        jobs.drain()

        assert (seen, jobs.performed[0].result) == (["worker", "seven"], 8)


def test_a_job_that_nobody_has_is_an_error(app, jobs):
    app.task(lambda: None, name="known")
    app.configure_task("knwon").defer()

    with pytest.raises(UnknownJobError) as caught:
        jobs.drain()

    assert str(caught.value) == (
        "No app has a task named 'knwon', so a worker fails the job: import the module that declares the task, or "
        "name it in import_paths of the app. The nearest name is 'known'."
    )


def test_the_error_of_a_killed_worker_leaves_the_job_as_it_was(app, jobs):
    """Procrastinate takes it for an error of the job, and would retry it."""

    class Killed(BaseException):
        """What a killed worker looks like."""

    @app.task(name="dies", retry=3)
    def dies():
        raise Killed

    dies.defer()
    with pytest.raises(Killed):
        jobs.drain()

    assert [(record.attempt, record.retry_of) for record in jobs.pending] == [(1, None)]
    assert jobs.deliveries == []


def test_a_job_that_is_killed_while_it_is_a_retry_keeps_its_attempt(app, jobs):
    task = app.task(lambda: None, name="work")
    task.defer()
    jobs.perform(jobs.pending[0], attempt=3)

    assert jobs.deliveries[0].record.attempt == 3


def test_periodic_tasks_come_at_their_times(app, jobs):
    stamps = []

    @app.periodic(cron="0 3 * * *", periodic_id="nightly")
    @app.task(name="report", queue="reports")
    def report(timestamp):
        stamps.append(timestamp)

    jobs.clock.move_to(datetime(2030, 1, 1, tzinfo=UTC))
    jobs.run_for(timedelta(days=2))

    expected = [datetime(2030, 1, day, 3, tzinfo=UTC) for day in (1, 2)]
    assert stamps == [int(each.timestamp()) for each in expected]
    assert [record.enqueued_at for record in jobs.enqueued] == expected
    assert {record.queue for record in jobs.enqueued} == {"reports"}
    (periodic,) = app.periodic_registry.periodic_tasks.values()
    assert periodic.configure_kwargs == {}


def test_a_periodic_task_that_still_waits_is_not_deferred_twice(app, jobs):
    @app.periodic(cron="0 * * * *")
    @app.task(name="report", queueing_lock="report")
    def report(timestamp):
        """Be deferred."""

    jobs.clock.move_to(datetime(2030, 1, 1, tzinfo=UTC))
    report.configure(schedule_in={"days": 1}).defer(timestamp=0)
    jobs.run_for(timedelta(hours=3))

    assert len(jobs.enqueued) == 1
    assert len(jobs.kept_out) == 3


@pytest.mark.asyncio
async def test_a_job_is_performed_on_the_loop_of_the_test(app, jobs):
    loops = []

    @app.task(name="note")
    async def note():
        loops.append(asyncio.get_running_loop())

    await note.defer_async()
    await jobs.adrain()

    assert loops == [asyncio.get_running_loop()]


@pytest.mark.asyncio
async def test_a_verb_that_is_cancelled_ends(app, jobs):
    """The worker would take the cancellation for one of the job."""
    started = asyncio.Event()

    @app.task(name="wait")
    async def wait():
        started.set()
        await asyncio.Event().wait()

    await wait.defer_async()
    draining = asyncio.ensure_future(jobs.adrain())
    await started.wait()
    draining.cancel()

    with pytest.raises(asyncio.CancelledError):
        await draining
    assert len(jobs.pending) == 1
