"""Coroutine jobs that a synchronous verb performs sleep on a loop whose time is the clock."""

import asyncio
import threading
import time
from datetime import timedelta

import pytest
from tables import each_row

from pytest_jobs import Job, job, retry_on
from pytest_jobs.bridges.opening import open_jobs
from pytest_jobs.harness.time import loop as loop_module

HOUR = timedelta(hours=1)


@pytest.fixture
def virtual(jobs, no_real_waiting, noon):
    """Stand at noon, where no event loop may wait in real time."""
    return jobs


def performed(jobs, function, *args):
    """Perform a coroutine function as a job; return its result, and how far the clock moved."""
    declared = job(function)
    declared.perform_later(*args)
    before = jobs.clock.now()
    jobs.drain()
    return jobs.performed[-1].result, jobs.clock.now() - before


async def _nap():
    loop = asyncio.get_running_loop()
    before = loop.time()
    await asyncio.sleep(3600)
    return round(loop.time() - before, 6)


async def _months():
    await asyncio.sleep(100 * 86_400)


async def _gather():
    await asyncio.gather(*(asyncio.sleep(seconds) for seconds in (10, 30, 20)))


async def _times_out():
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await asyncio.sleep(3600)


async def _in_time():
    async with asyncio.timeout(3600):
        await asyncio.sleep(5)
    return "in time"


async def _waits_in_vain():
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), 5)


async def _waits():
    return await asyncio.wait_for(asyncio.sleep(5, "in time"), 3600)


@each_row(
    ("function", "result", "seconds"),
    [
        (_nap, 3600, 3600),
        (_months, None, 100 * 86_400),
        (_gather, None, 30),
        (_times_out, None, 5),
        (_in_time, "in time", 5),
        (_waits_in_vain, None, 5),
        (_waits, "in time", 5),
        (lambda: None, None, 0),
    ],
)
def test_whatever_sleeps_moves_the_clock_as_far(virtual, function, result, seconds):
    assert performed(virtual, function) == (result, timedelta(seconds=seconds))


def test_sleeping_before_the_clock_has_moved(jobs, no_real_waiting):
    async def nap():
        await asyncio.sleep(1e-9)
        await asyncio.sleep(0.5)

    before = jobs.clock.now()
    performed(jobs, nap)

    assert jobs.clock.now() - before >= timedelta(seconds=0.5)
    assert jobs.clock.frozen


def test_yielding_does_not_move_the_clock(jobs, no_real_waiting):
    async def yields():
        for _ in range(10):
            await asyncio.sleep(0)

    performed(jobs, yields)

    assert not jobs.clock.frozen


@pytest.mark.parametrize("years", [1, 50, 500, 5_000])
def test_sleeping_after_the_clock_has_travelled_for_years(virtual, years):
    async def nap():
        await asyncio.sleep(60)
        await asyncio.sleep(0.25)
        await asyncio.sleep(86_400)

    virtual.clock.advance(timedelta(days=365 * years))
    _, moved = performed(virtual, nap)

    assert abs(moved - timedelta(days=1, seconds=60.25)) < timedelta(milliseconds=1)


def test_tasks_wake_and_calls_come_in_the_order_of_their_times(virtual):
    async def naps():
        loop = asyncio.get_running_loop()
        woke = []

        async def nap(seconds):
            await asyncio.sleep(seconds)
            woke.append(seconds)

        loop.call_later(2.5, woke.append, "later")
        loop.call_at(loop.time() + 1.25, woke.append, "at")
        async with asyncio.TaskGroup() as group:
            for seconds in (3, 1, 2, 1.5):
                group.create_task(nap(seconds))
        return woke

    assert performed(virtual, naps) == ([1, "at", 1.5, 2, "later", 3], timedelta(seconds=3))


def test_a_retry_waits_from_the_end_of_the_attempt(virtual, noon):
    @retry_on(ValueError, wait=10, attempts=2)
    @job
    async def slow():
        await asyncio.sleep(5)
        raise ValueError

    slow.perform_later()
    virtual.drain(raise_errors=False)

    assert [delivery.at - noon for delivery in virtual.deliveries] == [
        timedelta(0),
        timedelta(seconds=15),
    ]
    assert virtual.clock.now() - noon == timedelta(seconds=20)


def test_all_jobs_run_on_one_loop_that_is_closed_with_the_harness_and_plain_ones_on_none(sleepless):
    async def which():
        return asyncio.get_running_loop()

    with open_jobs() as jobs:
        performed(jobs, lambda: None)
        assert jobs.harness.performer._own_loop is None
        first, _ = performed(jobs, which)
        second, _ = performed(jobs, which)
        assert first is second
        assert not first.is_closed()

    assert first.is_closed()


def test_context_variables_leak_neither_into_a_coroutine_job_nor_out_of_it(virtual):
    from contextvars import ContextVar

    variable = ContextVar("variable", default="of the process")

    async def sets():
        seen = variable.get()
        variable.set("of the job")
        return seen

    variable.set("of the caller")
    seen, _ = performed(virtual, sets)

    assert (seen, variable.get()) == ("of the process", "of the caller")


def test_a_task_and_a_generator_that_a_job_left_are_ended_with_its_delivery(sleepless):
    ended, kept = [], []

    async def numbers():
        try:
            while True:
                yield 1
        finally:
            ended.append("generator")

    async def forever():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("task")

    @job
    async def leaves():
        kept.extend([numbers(), asyncio.create_task(forever())])
        return await anext(kept[0]) or await asyncio.sleep(0)

    with open_jobs() as jobs:
        leaves.perform_later()
        jobs.drain()
        assert ended == ["task", "generator"]

    assert kept[1].cancelled()


def test_work_in_threads_is_waited_for(jobs, noon):
    async def works():
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(3600):
            alone = await asyncio.to_thread(work, 3)
            several = (loop.run_in_executor(None, work, number) for number in range(5))
            return alone, await asyncio.gather(*several)

    def work(number):
        # By now the loop would have jumped, if it did not wait for this thread.
        for _ in range(number):
            threading.Event().wait(0.001)
        return number

    assert performed(jobs, works) == ((3, [0, 1, 2, 3, 4]), timedelta(0))


def test_sleeping_after_work_in_a_thread_moves_the_clock_and_what_it_does_meanwhile_is_seen(
    jobs, noon
):
    async def works():
        await asyncio.to_thread(int)
        task = asyncio.create_task(asyncio.sleep(10))
        await asyncio.sleep(0)
        time.sleep(60)  # noqa: ASYNC251
        await task
        await asyncio.sleep(60)

    assert performed(jobs, works) == (None, timedelta(seconds=120))


def test_the_threads_of_a_loop_are_waited_for_when_it_is_closed(sleepless, recwarn):
    release = threading.Event()

    @job
    async def works():
        await asyncio.to_thread(int)
        loop = asyncio.get_running_loop()
        loop.run_in_executor(None, lambda: release.wait(5))

    with open_jobs() as jobs:
        works.perform_later()
        jobs.drain()
        timer = threading.Timer(0.01, release.set)
        timer.start()
    timer.join()

    assert recwarn.list == []


def test_a_connection_is_not_overtaken_by_a_timer(jobs, noon):
    async def talks():
        async def answer(reader, writer):
            line = await reader.readline()
            writer.write(line.upper())
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server, asyncio.timeout(3600):
            port = server.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"hello\n")
            answered = await reader.readline()
            writer.close()
            await writer.wait_closed()
        return answered.decode()

    assert performed(jobs, talks) == ("HELLO\n", timedelta(0))


def test_an_open_connection_on_which_nothing_comes_holds_a_jump_up_for_a_moment_only(
    jobs, noon, monkeypatch
):
    import socket

    monkeypatch.setattr(loop_module, "_GRACE_SECONDS", 0.001)

    async def listens():
        ours, theirs = socket.socketpair()
        with ours, theirs:
            reader, writer = await asyncio.open_connection(sock=ours)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 60)
            writer.close()
            await writer.wait_closed()

    assert performed(jobs, listens) == (None, timedelta(seconds=60))


def test_a_timer_that_cannot_move_the_clock_is_an_error_that_fails_the_job(jobs):
    import time_machine

    from pytest_jobs.errors import ClockConflictError

    class Nap(Job):
        async def perform(self):
            await asyncio.sleep(60)

    jobs.clock.advance(0)
    Nap.perform_later()
    with time_machine.travel(0), pytest.raises(ClockConflictError):
        jobs.drain()

    assert len(jobs.pending) == 0
    assert [type(delivery.error) for delivery in jobs.failed] == [ClockConflictError]


def test_a_connection_can_be_watched_both_ways(jobs, noon):
    import socket

    async def both_ways():
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            writable, readable = loop.create_future(), loop.create_future()
            loop.add_reader(ours, lambda: readable.done() or readable.set_result(True))
            loop.add_writer(ours, lambda: writable.done() or writable.set_result(True))
            await writable
            loop.remove_writer(ours)
            theirs.send(b"x")
            await asyncio.wait_for(readable, 60)
            loop.remove_reader(ours)

    assert performed(jobs, both_ways) == (None, timedelta(0))
