"""Inline, inside a running event loop, coroutine jobs run on that loop."""

# ruff: noqa: PT012 - a harness, and a block of one, raises at its end

import asyncio

import pytest

from pytest_jobs import Job, job
from pytest_jobs.bridges.opening import open_jobs
from pytest_jobs.errors import LoopLimitError, UnfinishedJobsError

pytestmark = pytest.mark.asyncio

UNFINISHED = (
    "Coroutine jobs that were enqueued inline inside the running event loop had not ended: await them with `async "
    "with jobs.inline():`, or perform them with `await jobs.adrain()`."
)


class Note(Job):
    def perform(self, text):
        pass


class Coroutine(Job):
    async def perform(self, text):
        await asyncio.sleep(0)
        return asyncio.get_running_loop()


class Fail(Job):
    async def perform(self, text="no"):
        await asyncio.sleep(0)
        raise ValueError(text)


def performed(jobs):
    return [delivery.record.args[0] for delivery in jobs.performed]


async def test_the_end_of_an_async_block_waits_for_coroutine_jobs_in_their_order(jobs):
    @job
    async def parent(text):
        Coroutine.perform_later("coroutine child")
        Note.perform_later("plain child")

    async with jobs.inline():
        Note.perform_later("a")
        Coroutine.perform_later("b")
        Note.perform_later("c")
        parent.perform_later("parent")
        assert performed(jobs) == ["a"]
    Coroutine.perform_later("e")

    assert performed(jobs) == ["a", "b", "c", "parent", "coroutine child", "plain child"]
    assert jobs.performed[1].result is asyncio.get_running_loop()
    assert [record.parent for record in jobs.enqueued] == [*[None] * 4, 3, 3, None]
    assert len(jobs.pending) == 1


async def test_a_plain_block_is_enough_when_the_jobs_end_inside_it(jobs):
    with jobs.inline():
        Coroutine.perform_later("a")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    assert performed(jobs) == ["a"]


async def test_a_plain_block_that_ends_too_early_is_an_error_and_the_rest_stays_pending(jobs):
    class PlainFail(Job):
        def perform(self):
            raise ValueError("no")

    with pytest.raises(UnfinishedJobsError) as caught, jobs.inline():
        PlainFail.perform_later()
        Coroutine.perform_later("a")
        Note.perform_later("b")

    assert str(caught.value) == UNFINISHED
    assert caught.value.__notes__ == ["Another inline job failed too: ValueError: no"]
    assert [record.args[0] for record in jobs.pending] == ["a", "b"]
    assert await jobs.adrain() == {"performed": 2}
    assert performed(jobs) == ["a", "b"]


async def test_what_had_begun_at_the_end_of_a_plain_block_stays_pending(jobs):
    @job
    async def waits(first):
        if first:
            await asyncio.Event().wait()

    block = jobs.inline()
    block.__enter__()
    waits.perform_later(True)
    await asyncio.sleep(0)
    with pytest.raises(UnfinishedJobsError):
        block.__exit__(None, None, None)
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert len(jobs.pending) == 1
    assert jobs.harness.ledger.deliveries == []


async def test_a_plain_block_that_raises_is_not_hidden_by_unfinished_jobs(jobs):
    with pytest.raises(KeyError), jobs.inline():
        Coroutine.perform_later("a")
        raise KeyError
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_a_twin_performs_coroutine_jobs_inside_a_block_and_what_they_enqueue_follows(jobs):
    @job
    async def parent(text):
        Coroutine.perform_later("child")

    with jobs.inline():
        Coroutine.perform_later("a")
        assert await jobs.adrain() == {"performed": 1}
    assert jobs.pending == []

    parent.perform_later("parent")
    async with jobs.inline():
        await jobs.aperform(jobs.pending[0])
        assert performed(jobs) == ["a", "parent", "child"]


@pytest.mark.parametrize("error", [ValueError, AssertionError])
async def test_the_caller_never_sees_the_error_of_a_coroutine_job(jobs, error):
    @job
    async def fails(text):
        raise error(text)

    with pytest.raises(error, match=r"^first\n") as caught:
        async with jobs.inline():
            fails.perform_later("first")
            fails.perform_later("second")
            Coroutine.perform_later("a")

    assert caught.value.__notes__ == [f"Another inline job failed too: {error.__name__}: second"]
    assert performed(jobs) == ["a"]


async def test_the_error_of_a_coroutine_job_is_raised_at_the_end_after_that_of_the_block(jobs):
    with pytest.raises(KeyError):
        async with jobs.inline():
            Fail.perform_later()
            raise KeyError
    assert len(jobs.failed) == 1

    with open_jobs(raise_at="enqueue") as inner:
        with pytest.raises(ValueError, match=r"^no$"):
            async with inner.inline():
                Fail.perform_later()
                Coroutine.perform_later("a")
        Note.perform_later("after the block")
    assert (performed(inner), len(inner.pending)) == (["a"], 1)

    with pytest.raises(ValueError, match=r"^no$"), open_jobs(mode="inline", raise_at="enqueue"):
        Fail.perform_later()
        for _ in range(5):
            await asyncio.sleep(0)


async def test_a_harness_that_is_closed_too_early_says_what_had_not_ended(sleepless):
    with pytest.raises(UnfinishedJobsError) as caught, open_jobs(mode="inline"):
        Coroutine.perform_later("a")

    assert str(caught.value) == UNFINISHED


@pytest.mark.parametrize("cancels", [False, True], ids=["closed", "cancelled"])
async def test_a_coroutine_job_whose_loop_was_closed_had_not_ended(sleepless, cancels):
    jobs = open_jobs(mode="inline")

    async def enqueue():
        Coroutine.perform_later("a")

    def run_a_loop():
        if cancels:
            asyncio.run(enqueue())
        else:
            loop = asyncio.new_event_loop()
            loop.run_until_complete(enqueue())
            loop.close()

    jobs.open()
    await asyncio.to_thread(run_a_loop)
    with pytest.raises(UnfinishedJobsError):
        jobs.check()
    jobs.close()

    if cancels:
        assert len(jobs.pending) == 1


async def test_coroutine_jobs_of_a_thread_are_performed_on_our_loop(jobs):
    async with jobs.inline():
        await asyncio.to_thread(Coroutine.perform_later, "a")

    assert performed(jobs) == ["a"]
    assert jobs.performed[0].result is not asyncio.get_running_loop()


async def test_a_harness_can_be_closed_inside_a_running_loop_after_it_ran_a_loop_of_its_own(
    sleepless,
):
    with open_jobs(mode="inline") as jobs:
        await asyncio.to_thread(Coroutine.perform_later, "a")
        loop = jobs.performed[0].result

    assert loop.is_closed()


async def test_a_job_that_a_thread_enqueues_as_the_last_one_ends_is_performed(jobs, monkeypatch):
    put_back = type(jobs.harness.ledger).put_back
    late = ["late"]

    def enqueue_from_a_thread(ledger, records):
        import threading

        put_back(ledger, records)
        # Garbage of another test may end meanwhile, and put back into its own ledger.
        if ledger is jobs.harness.ledger and late and performed(jobs) == ["a"]:
            thread = threading.Thread(target=Note.perform_later, args=(late.pop(),))
            thread.start()
            thread.join()

    monkeypatch.setattr(type(jobs.harness.ledger), "put_back", enqueue_from_a_thread)
    async with jobs.inline():
        Coroutine.perform_later("a")

    assert performed(jobs) == ["a", "late"]


@pytest.mark.wide
async def test_a_coroutine_job_that_enqueues_itself_for_ever_is_stopped(jobs):
    class Again(Job):
        async def perform(self):
            Again.perform_later()

    with pytest.raises(LoopLimitError):
        async with jobs.inline():
            Again.perform_later()

    assert len(jobs.deliveries) == 10_001
    assert len(jobs.pending) == 1


async def test_an_async_block_that_is_cancelled_stops_performing(jobs):
    @job
    async def waits():
        started.set()
        await asyncio.Event().wait()

    async def run():
        async with jobs.inline():
            waits.perform_later()

    started = asyncio.Event()
    task = asyncio.create_task(run())
    await started.wait()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    Note.perform_later("after")

    assert len(jobs.pending) == 2
    assert jobs.harness.ledger.deliveries == []


async def test_an_error_of_a_bridge_is_raised_at_the_end(jobs, monkeypatch):
    bridge = jobs.harness.bridges[0]
    monkeypatch.setattr(
        type(bridge), "perform", lambda self, record, **options: {}["the bridge is broken"]
    )
    with pytest.raises(KeyError, match="the bridge is broken"):
        async with jobs.inline():
            Coroutine.perform_later("a")

    assert len(jobs.pending) == 0
    assert [str(delivery.error) for delivery in jobs.failed] == ["'the bridge is broken'"]
