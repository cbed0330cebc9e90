"""A job is performed by `process` of SAQ's worker."""

import asyncio
from datetime import timedelta

import pytest

pytest.importorskip("saq")

from booked import Shop, books
from saq import Status
from saq.queue.base import JobError

from pytest_jobs import check_idempotent
from pytest_jobs.errors import (
    CriterionError,
    DuplicateEffect,
    LostEffect,
    NotPerformedError,
    UnknownJobError,
)


class Down(Exception): ...


async def add(ctx, *, a, b=0):
    return a + b


def subtract(ctx, *, a, b):
    return a - b


async def fail(ctx):
    raise Down


@pytest.fixture
def jobs(open_over):
    with open_over(add, subtract, fail) as jobs:
        yield jobs


def test_hooks_run_around_the_function(open_over, queue, run):
    seen = []

    async def before(ctx):
        seen.append(("before", ctx["job"].function))

    def after(ctx):
        seen.append(("after", type(ctx.get("exception"))))

    with open_over(add, fail, before_process=before, after_process=[after]) as jobs:
        run(queue.enqueue("add", a=1))
        run(queue.enqueue("fail"))
        jobs.drain(raise_errors=False)

    assert seen == [("before", "add"), ("after", type(None)), ("before", "fail"), ("after", Down)]


def test_a_context_of_the_test_stands_in_for_the_startup(open_over, queue, run):
    async def open_session(ctx):
        raise ConnectionError("no database")

    async def look(ctx):
        return ctx["session"], ctx["job"].attempts

    context = {"session": "a fake"}
    with open_over(("look", look), startup=open_session, context=context) as jobs:
        run(queue.enqueue("look"))
        jobs.drain()

        assert jobs.performed[0].result == ("a fake", 1)


def test_a_function_that_is_not_a_coroutine_runs_in_this_thread(open_over, queue, run):
    import threading

    seen = []
    with open_over(("work", lambda ctx: seen.append(threading.get_ident()))) as jobs:
        run(queue.enqueue("work"))
        jobs.drain()

    assert seen == [threading.get_ident()]


@pytest.mark.parametrize(
    ("options", "waits"),
    [
        ({}, []),
        ({"retries": 3}, [0, 0]),
        ({"retries": 3, "retry_delay": 10.0}, [10, 10]),
        ({"retries": 4, "retry_delay": 10.0, "retry_backoff": True}, [0, 0, 0]),
    ],
)
def test_waits_are_those_of_the_job(jobs, queue, run, options, waits):
    run(queue.enqueue("fail", **options))

    jobs.drain(raise_errors=False)

    assert [each.wait.total_seconds() for each in jobs.retried] == waits
    assert jobs.deliveries[-1].status == ("exhausted" if waits else "failed")


@pytest.mark.parametrize("jitter", ["zero", "seeded"])
def test_jitter_may_make_a_wait_as_long_as_the_backoff(open_over, queue, run, jitter):
    options = {"retries": 4, "retry_delay": 10.0, "retry_backoff": 25.0}
    with open_over(fail, jitter=jitter) as jobs:
        run(queue.enqueue("fail", **options))
        jobs.drain(raise_errors=False)

        assert [each.wait_bounds for each in jobs.retried] == [
            (timedelta(0), timedelta(seconds=most)) for most in (10, 20, 25)
        ]
        for each in jobs.retried:
            shortest, longest = each.wait_bounds
            assert shortest <= each.wait < longest
            assert (each.wait > shortest) is (jitter == "seeded")


def test_a_simulation_takes_the_options_of_the_last_job_and_makes_one_attempt_without(
    jobs, queue, run
):
    assert jobs.simulate_retries(add, kwargs={"a": 1}, raising=Down()).status == "failed"
    run(queue.enqueue("add", a=1, retries=3, retry_delay=7.0))

    timeline = jobs.simulate_retries(add, kwargs={"a": 1}, raising=Down())

    assert timeline.wait_seconds == [7, 7]
    assert len(jobs.enqueued) == 1


def test_a_later_attempt_can_be_asked_for_if_saq_makes_it(jobs, queue, run):
    run(queue.enqueue("fail", retries=3))
    (record,) = jobs.pending

    with pytest.raises(CriterionError, match="up to 3, and not for 4"):
        jobs.perform(record, attempt=4)
    assert jobs.perform(record, attempt=3).status == "exhausted"


async def _sleeps(ctx):
    await asyncio.sleep(3600)


async def _returns_an_object(ctx):
    return object()


@pytest.mark.parametrize(
    ("work", "error"),
    [(_sleeps, TimeoutError), (_returns_an_object, TypeError)],
    ids=["timeout", "no JSON"],
)
def test_a_timeout_in_virtual_time_and_a_result_that_is_no_json_fail_the_job(
    open_over, queue, run, work, error
):
    with open_over(("work", work)) as jobs:
        run(queue.enqueue("work", timeout=10))
        with pytest.raises(error, match="JSON" if error is TypeError else None):
            jobs.drain()

        assert [each.status for each in jobs.deliveries] == ["failed"]


def test_a_job_may_note_its_progress(open_over, queue, run):
    async def work(ctx):
        await ctx["job"].update(progress=0.5, meta={"page": 3})

    with open_over(("work", work)) as jobs:
        job = run(queue.enqueue("work"))
        jobs.drain()
        run(job.refresh())

    assert (job.status, job.meta) == (Status.COMPLETE, {"page": 3})


def test_a_job_that_nobody_knows_is_an_error(jobs, queue, run):
    run(queue.enqueue("ad", a=1))

    with pytest.raises(UnknownJobError, match="The nearest name is 'add'"):
        jobs.drain()


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_error_that_ends_a_worker_leaves_the_job_as_it_was(open_over, queue, run, error):
    seen = []

    async def work(ctx):
        raise error

    with open_over(("work", work), after_process=seen.append) as jobs:
        job = run(queue.enqueue("work", retries=3))
        with pytest.raises(error):
            jobs.drain()

        assert len(jobs.pending) == 1
        assert len(jobs.deliveries) == 0
        assert run(queue.job(job.key)).status == Status.QUEUED
    assert seen == []


@pytest.mark.parametrize(("options", "seconds"), [({}, 600), ({"ttl": 5}, 5), ({"ttl": 0}, None)])
def test_a_result_is_gone_when_its_ttl_has_passed(jobs, queue, run, options, seconds):
    job = run(queue.enqueue("add", a=1, b=1, **options))
    jobs.drain()

    jobs.clock.advance((seconds or 10**7) - 1)
    assert run(queue.job(job.key)).result == 2
    jobs.clock.advance(1)
    assert (run(queue.job(job.key)) is None) is (seconds is not None)


def test_the_result_or_the_error_is_there_once_the_job_was_performed(jobs, queue, run):
    job, failed = run(queue.enqueue("subtract", a=3, b=1)), run(queue.enqueue("fail"))
    jobs.drain(raise_errors=False)

    run(job.refresh(until_complete=0))
    run(failed.refresh())
    assert (job.result, job.status, failed.status) == (2, Status.COMPLETE, Status.FAILED)
    assert "Down" in str(JobError(failed))


@pytest.mark.parametrize(
    "wait",
    [
        lambda queue: queue.apply("add", a=1),
        lambda queue: queue.map("add", [{"a": 1}, {"a": 2}], timeout=3),
        lambda queue: _refreshed(queue, 0),
        lambda queue: _refreshed(queue, 3),
    ],
    ids=["apply", "map", "refresh", "refresh with a timeout"],
)
def test_waiting_for_a_job_that_nobody_performs_is_an_error(jobs, queue, run, wait):
    with pytest.raises(NotPerformedError, match="drain"):
        run(_awaited(wait(queue)))


async def _awaited(awaitable):
    return await awaitable


async def _refreshed(queue, seconds):
    job = await queue.enqueue("add", a=1)
    await job.refresh(until_complete=seconds)


def test_what_a_queue_counts_is_as_before_the_harness(open_over, queue, run):
    with open_over(add) as jobs:
        run(queue.enqueue("add", a=1))
        jobs.drain()
        assert queue.complete == 1

    assert queue.complete == 0


def test_a_key_of_its_own_makes_an_enqueue_safe(open_over, queue):
    async def book(ctx, *, number):
        await queue.enqueue("add", a=number, key=f"add-{number}")
        Shop.ledger.book(number, key=f"book-{number}")

    with open_over(add, ("book", book)):
        check_idempotent(book, kwargs={"number": 7}, world=books)


def test_without_a_key_of_its_own_a_job_is_performed_for_each_enqueue(open_over, queue):
    async def note(ctx, *, number):
        Shop.ledger.book(number)

    async def book(ctx, *, number):
        await queue.enqueue("note", number=number)

    with (
        open_over(("note", note), ("book", book)),
        pytest.raises(DuplicateEffect, match=r"ledger\.book"),
    ):
        check_idempotent(book, kwargs={"number": 7}, world=books)


def test_a_job_with_one_attempt_is_lost_with_its_error(open_over, queue, run):
    async def book(ctx, *, number):
        Shop.ledger.book(number, key=f"book-{number}")
        Shop.ledger.book(-number, key=f"mark-{number}")

    with open_over(("book", book)):
        with pytest.raises(LostEffect, match=r"ledger\.book \[effect_fails"):
            check_idempotent(book, kwargs={"number": 7}, world=books, delivery="as configured")
        run(queue.enqueue("book", number=1, retries=2))
        check_idempotent(book, kwargs={"number": 7}, world=books, delivery="as configured")


def test_the_worker_starts_once_on_a_loop_and_is_shut_down_with_it(open_over, queue, run):
    called = []

    async def look(ctx):
        called.append(ctx["session"])

    async def open_session(ctx):
        ctx["session"] = "a session"
        called.append("startup")

    def note(ctx):
        called.append(ctx["session"])

    async def close_session(ctx):
        called.append("shutdown")

    with open_over(("look", look), startup=[open_session, note], shutdown=close_session) as jobs:
        for _ in range(2):
            run(queue.enqueue("look"))
        jobs.drain()
        run(queue.enqueue("look"))
        jobs.drain()
        assert called == ["startup", *["a session"] * 4]

    assert called[5:] == ["shutdown"]


def test_the_worker_starts_on_the_loop_of_an_asynchronous_test(open_over, queue, run):
    loops = []

    async def open_session(ctx):
        loops.append(asyncio.get_running_loop())

    async def look(ctx):
        loops.append(asyncio.get_running_loop())

    async def test(jobs):
        await queue.enqueue("look")
        await jobs.adrain()
        return asyncio.get_running_loop()

    with open_over(("look", look), startup=open_session) as jobs:
        loop = run(test(jobs))

    assert loops == [loop, loop]


def test_an_error_of_the_startup_is_the_error_of_the_job(open_over, queue, run):
    async def open_session(ctx):
        raise ConnectionError("no database")

    async def look(ctx):
        """Look."""

    with open_over(("look", look), startup=open_session) as jobs:
        run(queue.enqueue("look"))
        with pytest.raises(ConnectionError, match="no database"):
            jobs.drain()
