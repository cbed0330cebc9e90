"""With `timeout`, `assert_enqueued` waits in real time for what another thread or task enqueues."""

import asyncio
import threading
from datetime import timedelta

import pytest

from pytest_jobs import job
from pytest_jobs.errors import CriterionError, RunningLoopError

SOON = 0.01  # s, for what never comes
LONG = 60  # s, for what does


@job
def note(value): ...


@pytest.fixture
def when_looked_at():
    """Return a function that makes a `where=` which lets a thread enqueue once it was asked."""
    threads = []

    def make(wanted, *enqueue):
        looked = threading.Event()

        def work():
            looked.wait(LONG)
            for call in enqueue:
                call()

        def where(record):
            looked.set()
            return record.args[0] in wanted

        threads.append(threading.Thread(target=work))
        threads[-1].start()
        return where

    yield make
    for thread in threads:
        thread.join(LONG)


def test_it_returns_what_another_thread_enqueues_while_it_waits(
    jobs, assert_enqueued, when_looked_at
):
    note.perform_later(0)
    where = when_looked_at({1}, lambda: note.perform_later(1))

    assert assert_enqueued(note, where=where, timeout=LONG).args == (1,)


def test_it_waits_for_as_many_as_are_asked_for(jobs, assert_enqueued, when_looked_at):
    note.perform_later(0)
    where = when_looked_at(
        {1, 2}, *(lambda value=value: note.perform_later(value) for value in (1, 5, 2))
    )

    records = assert_enqueued(note, where=where, count=2, timeout=timedelta(seconds=LONG))

    assert [record.args for record in records] == [(1,), (2,)]


def test_what_is_there_already_is_returned_at_once(jobs, assert_enqueued):
    note.perform_later(1)

    assert assert_enqueued(note, timeout=SOON).args == (1,)


def test_the_clock_of_the_harness_may_stand_still(jobs, noon, assert_enqueued, when_looked_at):
    note.perform_later(0)
    where = when_looked_at({1}, lambda: note.perform_later(1))

    assert assert_enqueued(note, where=where, timeout=LONG, at=None).enqueued_at == noon


def test_what_never_comes_fails_and_says_how_long_was_waited(jobs, assert_enqueued, failure):
    assert failure(assert_enqueued, note, params={"value": 1}, timeout=SOON) == (
        "No note was enqueued, and no other job.\n"
        "Expected exactly 1 note enqueued (waiting up to 0.01s) with\n"
        "  params  value=1\n"
        "\n"
        "Next: make sure that the code which enqueues it ran, inside the test, and enqueued it: a plain call "
        "and `perform_now` run a job and enqueue nothing.\n"
        "See: python -m pytest_jobs explain nothing-enqueued"
    )


def test_too_many_fail_without_waiting(jobs, assert_enqueued, failure):
    note.perform_later(1)
    note.perform_later(2)

    assert failure(assert_enqueued, note, timeout=LONG).startswith(
        "2 note were enqueued, not 1.\nExpected exactly 1 note enqueued (waiting up to 1m)\nbut 2 match:\n"
    )


def test_a_task_of_the_same_loop_is_waited_for(jobs, assert_enqueued):
    async def run():
        looked = asyncio.Event()

        def where(record):
            looked.set()
            return record.args == (1,)

        async def enqueue():
            await looked.wait()
            note.perform_later(1)

        note.perform_later(0)
        task = asyncio.create_task(enqueue())
        record = await assert_enqueued.awaited(note, where=where, timeout=LONG)
        await task
        return record

    assert asyncio.run(run()).args == (1,)


def test_a_thread_is_waited_for_on_the_loop(jobs, assert_enqueued, when_looked_at):
    note.perform_later(0)
    where = when_looked_at({1}, lambda: note.perform_later(1))

    record = asyncio.run(assert_enqueued.awaited(note, where=where, timeout=LONG))

    assert record.args == (1,)


def test_what_never_comes_fails_on_the_loop(jobs, assert_enqueued):
    with pytest.raises(AssertionError) as caught:
        asyncio.run(assert_enqueued.awaited(note, timeout=SOON))

    assert str(caught.value).startswith(
        "No note was enqueued, and no other job.\n"
        "Expected exactly 1 note enqueued (waiting up to 0.01s)\n"
    )


def test_waiting_inside_a_running_loop_names_the_twin(jobs, assert_enqueued):
    async def run():
        assert_enqueued(note, timeout=SOON)

    with pytest.raises(RunningLoopError) as caught:
        asyncio.run(run())
    assert str(caught.value) == (
        "assert_enqueued(timeout=...) was called inside a running event loop, which it would block, and with it "
        "the task that enqueues: write `await assert_enqueued.awaited(..., timeout=...)`."
    )


def test_the_twin_needs_a_timeout(jobs, assert_enqueued):
    with pytest.raises(CriterionError) as caught:
        asyncio.run(assert_enqueued.awaited(note))

    assert str(caught.value) == (
        "assert_enqueued.awaited() waits for a job and does not know how long: write timeout=, in seconds."
    )


@pytest.mark.parametrize("timeout", [0, -1, True, "5", float("nan"), timedelta(0)])
def test_what_is_no_time_to_wait_is_refused(jobs, assert_enqueued, refusal, timeout):
    assert refusal(assert_enqueued, note, timeout=timeout) == (
        f"timeout={timeout!r} is not a time to wait: write seconds above 0, or a timedelta."
    )


@pytest.mark.parametrize("counts", [{"count": 0}, {"at_most": 3}])
def test_waiting_for_nothing_is_refused(jobs, assert_enqueued, refusal, counts):
    assert refusal(assert_enqueued, note, timeout=LONG, **counts) == (
        "timeout= waits for jobs, and none are enough here: ask for at least one, or wait for another job and "
        "assert this afterwards."
    )


def test_other_assertions_know_no_timeout(jobs, assert_not_enqueued, refusal):
    assert refusal(assert_not_enqueued, note, timeout=5).startswith(
        "assert_not_enqueued() knows no criterion 'timeout'"
    )


def test_nobody_is_woken_afterwards(jobs, assert_enqueued):
    with pytest.raises(AssertionError):
        assert_enqueued(note, timeout=SOON)

    assert jobs.harness.ledger._wakers == []
