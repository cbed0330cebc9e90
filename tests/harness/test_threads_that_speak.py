"""A thread that the loop has not started may wake it: virtual time jumps only when nobody can speak."""

import asyncio
import threading

import pytest

from pytest_jobs import job, open_jobs
from pytest_jobs.errors import JobsError
from pytest_jobs.harness.time import loop as loops


async def answered_by_a_thread(seconds=0.05):
    """Return what a thread says after some real time."""
    loop, answer = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()

    def speak():
        threading.Event().wait(seconds)
        loop.call_soon_threadsafe(answer.set_result, "spoken")

    threading.Thread(target=speak, daemon=True).start()
    return await answer


async def asks_a_thread():
    async with asyncio.timeout(10):
        assert await answered_by_a_thread() == "spoken"


async def asks_aiosqlite():
    aiosqlite = pytest.importorskip("aiosqlite")
    async with asyncio.timeout(10), aiosqlite.connect(":memory:") as db:
        await db.execute("create table orders (number)")
        await asyncio.sleep(1)
        await db.execute("insert into orders values (1)")


async def asks_an_executor_and_sleeps():
    for _ in range(30):
        await asyncio.to_thread(int)
        await asyncio.sleep(60)


@pytest.mark.parametrize("asks", [asks_a_thread, asks_aiosqlite])
@pytest.mark.parametrize("by_itself", [False, True])
def test_a_timeout_does_not_pass_while_a_thread_may_answer(jobs, asks, by_itself):
    @job
    def asking_by_itself():
        asyncio.run(asks())

    (asking_by_itself if by_itself else job(asks)).perform_later()
    assert jobs.drain()["performed"] == 1


def test_a_thread_of_an_executor_delays_no_jump_when_it_is_done(jobs, monkeypatch):
    graces = []
    genuine = loops.LoopThreads.end_grace
    monkeypatch.setattr(loops.LoopThreads, "end_grace", lambda self: graces.append(genuine(self)))
    job(asks_an_executor_and_sleeps).perform_later()
    jobs.drain()

    assert graces == []


@pytest.mark.parametrize(("seconds", "times"), [(60, 1), (None, 0)])
def test_a_silent_thread_is_waited_for_once_unless_only_another_one_lets_it_go_on(
    jobs, monkeypatch, seconds, times
):
    graces = []
    genuine = loops.LoopThreads.end_grace
    monkeypatch.setattr(loops, "_GRACE_SECONDS", 0.001)
    monkeypatch.setattr(loops.LoopThreads, "end_grace", lambda self: graces.append(genuine(self)))
    ended = threading.Event()

    @job
    async def beside_a_thread():
        threading.Thread(target=ended.wait, args=(seconds,), daemon=True).start()
        for _ in range(20):
            await asyncio.sleep(60)

    beside_a_thread.perform_later()
    jobs.drain()
    ended.set()

    assert len(graces) == times


def test_a_task_that_cannot_be_cancelled_is_named_and_not_waited_for_without_end(monkeypatch):
    monkeypatch.setattr(loops, "_SETTLING_SECONDS", 0.05)

    async def never_ends():
        while True:
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                continue

    kept = []

    @job
    async def leaves_a_task():
        kept.append(asyncio.create_task(never_ends()))
        await asyncio.sleep(0)

    def drained():
        with open_jobs() as jobs:
            leaves_a_task.perform_later()
            jobs.drain()

    with pytest.raises(JobsError, match="never_ends"):
        drained()
    # Python would say when it is collected that it was pending.
    kept.pop()._log_destroy_pending = False
