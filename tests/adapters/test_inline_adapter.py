"""`InlineAdapter` performs each job here, as soon as the one running has ended."""

import asyncio
from datetime import UTC, datetime

import pytest

from pytest_jobs import (
    Job,
    MemoryStore,
    after_enqueue,
    configure,
    discard_on,
    job,
    retry_on,
    unique,
)
from pytest_jobs.adapters import InlineAdapter
from pytest_jobs.errors import RunningLoopError

calls = []


@pytest.fixture(autouse=True)
def adapter():
    adapter = InlineAdapter()
    calls.clear()
    with configure(adapter=adapter):
        yield adapter


@job
def note(name, children=()):
    calls.append(f"{name} begins")
    for child in children:
        note.perform_later(*child)
    calls.append(f"{name} ends")


@retry_on(ConnectionError, wait=60, attempts=2)
@retry_on(TimeoutError, wait=0, attempts=3)
@discard_on(KeyError)
@retry_on(EOFError, attempts=1, then=lambda job, error: calls.append("then"))
class Fail(Job):
    errors = {  # noqa: RUF012
        error.__name__: error
        for error in (ConnectionError, TimeoutError, KeyError, EOFError, OSError)
    }

    def perform(self, error, then=None):
        calls.append(self.attempt)
        if then is not None:
            note.perform_later(then)
        raise self.errors[error](error)


def test_a_job_is_performed_when_it_is_enqueued():
    job = note.perform_later("a")

    assert job.enqueued
    assert calls == ["a begins", "a ends"]


def test_the_arguments_make_the_round_trip():
    @job
    def extend(items):
        items.append("b")
        calls.append(items)

    items = ["a"]
    extend.perform_later(items)

    assert (items, calls) == (["a"], [["a", "b"]])


def test_a_job_that_a_job_enqueues_is_performed_after_it():
    note.perform_later("parent", [["child", [["grandchild"]]], ["sibling"]])

    assert calls == [
        "parent begins",
        "parent ends",
        "child begins",
        "child ends",
        "sibling begins",
        "sibling ends",
        "grandchild begins",
        "grandchild ends",
    ]


def test_a_long_line_of_jobs_does_not_recurse():
    @job
    def count_down(number):
        if number:
            count_down.perform_later(number - 1)
        else:
            calls.append("done")

    count_down.perform_later(3000)

    assert calls == ["done"]


def test_a_coroutine_job_is_performed():
    @job
    async def fetch():
        await asyncio.sleep(0)
        calls.append("fetched")

    fetch.perform_later()

    assert calls == ["fetched"]


def test_a_coroutine_job_inside_an_event_loop_is_an_error():
    @job
    async def fetch():
        calls.append("fetched")

    async def main():
        fetch.perform_later()

    with pytest.raises(RunningLoopError):
        asyncio.run(main())

    assert calls == []


def test_it_keeps_nothing_back_that_waits_behind_it():
    @job
    async def ping(): ...

    @job
    def parent():
        ping.perform_later()
        note.perform_later("sibling")

    async def enqueue():
        with pytest.raises(RunningLoopError, match="was to be performed synchronously"):
            parent.perform_later()

    asyncio.run(enqueue())

    assert calls == ["sibling begins", "sibling ends"]


def test_after_enqueue_runs_when_the_job_has_been_performed():
    class Look(Job):
        @after_enqueue
        def look(self):
            calls.append("after enqueue")

        def perform(self):
            calls.append("perform")

    Look.perform_later()

    assert calls == ["perform", "after enqueue"]


def test_an_error_reaches_whoever_enqueued_the_job(adapter):
    with pytest.raises(OSError, match="OSError") as raised:
        Fail.perform_later("OSError")

    assert raised.traceback[-1].name == "perform"
    (letter,) = adapter.dead
    assert (letter.status, letter.error) == ("failed", raised.value)


def test_an_error_that_a_rule_deals_with_does_not(adapter):
    Fail.perform_later("KeyError")
    Fail.perform_later("EOFError")

    assert [letter.status for letter in adapter.dead] == ["discarded", "exhausted"]
    assert calls == [1, 1, "then"]


def test_a_retry_without_a_wait_is_performed_at_once(adapter):
    with pytest.raises(TimeoutError):
        Fail.perform_later("TimeoutError")

    assert calls == [1, 2, 3]
    assert [letter.status for letter in adapter.dead] == ["exhausted"]


def test_a_retry_with_a_wait_is_kept(adapter):
    Fail.perform_later("ConnectionError")

    (payload,) = adapter.scheduled
    assert (payload.attempt, calls) == (2, [1])


def test_a_job_that_is_due_later_is_kept_until_it_is_asked_for(adapter):
    job = note.set(wait=3600).perform_later("later")
    kept = list(adapter.scheduled)
    adapter.perform_scheduled()

    assert (job.enqueued, kept) == (True, [job.payload])
    assert calls == ["later begins", "later ends"]
    assert adapter.scheduled == []


def test_a_job_that_was_due_in_the_past_is_performed_at_once(adapter):
    note.set(at=datetime(2020, 1, 1, tzinfo=UTC)).perform_later("past")

    assert calls == ["past begins", "past ends"]
    assert adapter.scheduled == []


def test_what_is_kept_is_performed_in_the_order_of_enqueueing_and_retries_are_kept_again(adapter):
    note.set(wait=20).perform_later("first")
    Fail.set(wait=10).perform_later("ConnectionError")
    note.set(wait=10).perform_later("last")

    adapter.perform_scheduled()

    assert calls == ["first begins", "first ends", 1, "last begins", "last ends"]
    assert [payload.attempt for payload in adapter.scheduled] == [2]


def test_what_waits_behind_a_job_that_failed_is_performed_before_the_error_is_raised():
    with pytest.raises(OSError, match="OSError"):
        Fail.perform_later("OSError", then="child")

    assert calls == [1, "child begins", "child ends"]


def test_of_several_jobs_that_failed_the_first_error_is_raised_and_names_the_others(adapter):
    Fail.set(wait=1).perform_later("OSError")
    Fail.set(wait=1).perform_later("OSError")

    with pytest.raises(OSError, match="OSError") as caught:
        adapter.perform_scheduled()

    assert caught.value.__notes__ == ["Another job failed too: OSError: OSError"]


def test_a_job_that_waits_behind_the_one_running_can_be_replaced():
    @unique("name", on_conflict="replace")
    @job
    def greet(name, greeting):
        calls.append(greeting)

    @job
    def parent():
        greet.perform_later("ann", "hello")
        greet.perform_later("ann", "good bye")

    with configure(adapter=InlineAdapter(), store=MemoryStore()):
        parent.perform_later()

    assert calls == ["good bye"]
