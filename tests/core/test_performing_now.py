"""`perform_now` performs a job here, by the same rules as a worker."""

import asyncio
import gc
import weakref
from dataclasses import dataclass

import pytest
from tables import each_row

from pytest_jobs import Job, before_enqueue, before_perform, configure, discard_on, job, retry_on
from pytest_jobs.errors import (
    DeserializationError,
    Halt,
    NoAdapterError,
    RunningLoopError,
    SerializationError,
    SignatureError,
)


class Add(Job):
    def perform(self, first, second=10):
        return first + second


@job
def add(first, second=10):
    return first + second


@job
async def aadd(first, second=10):
    await asyncio.sleep(0)
    return first + second


@pytest.mark.parametrize("job", [Add, add, aadd])
def test_it_returns_what_perform_returns_and_needs_no_adapter(job):
    async def main():
        if job is not aadd:
            assert job.perform_now(1) == 11
        return await job.aperform_now(1, second=2)

    with configure(adapter=None):
        assert job.perform_now(1, second=2) == 3
        assert asyncio.run(main()) == 3


def test_a_coroutine_job_cannot_be_performed_synchronously_inside_an_event_loop():
    async def main():
        aadd.perform_now(1)

    with pytest.raises(RunningLoopError) as raised:
        asyncio.run(main())

    assert str(raised.value) == (
        f"{__name__}.aadd is a coroutine job, and it was to be performed synchronously inside a running "
        "event loop: write `await ....aperform_now(...)`."
    )


def test_the_arguments_make_the_round_trip():
    items = ["a"]

    @job
    def extend(items):
        items.append("b")
        return items

    assert extend.perform_now(items) == ["a", "b"]
    assert items == ["a"]


@pytest.mark.parametrize(
    ("args", "error"), [((), SignatureError), ((object(),), SerializationError)]
)
def test_wrong_arguments_are_refused(args, error):
    with pytest.raises(error):
        Add.perform_now(*args)


def _fail():
    raise KeyError("a")


@pytest.mark.parametrize("rule", [lambda fail: fail, retry_on(KeyError, attempts=1)])
def test_an_error_also_of_an_exhausted_job_is_raised_with_its_own_traceback(rule):
    with pytest.raises(KeyError) as raised:
        rule(job(_fail)).perform_now()

    assert raised.traceback[-1].name == "_fail"
    assert not hasattr(raised.value, "__notes__")


def test_what_ends_the_program_is_raised():
    @job
    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop.perform_now()


@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_error_that_is_retried_is_raised_with_a_note(adapter, clock, asynchronous):
    @retry_on(KeyError, wait=60)
    @job
    def fail(key):
        raise KeyError(key)

    with pytest.raises(KeyError) as raised:
        asyncio.run(fail.aperform_now("a")) if asynchronous else fail.perform_now("a")

    (payload,) = adapter.pending
    assert raised.value.__notes__ == ["A retry of the job was enqueued."]
    assert (payload.attempt, payload.arguments) == (2, '[["a"],{}]')
    assert payload.due_ns == clock.now_ns + 60 * 10**9


def test_an_error_that_would_be_retried_without_an_adapter_says_so():
    with configure(adapter=None), pytest.raises(NoAdapterError) as raised:
        retry_on(KeyError)(job(_fail)).perform_now()

    assert type(raised.value.__context__) is KeyError


@each_row("asynchronous", [False, True])
@each_row(
    "rule",
    [discard_on(KeyError), retry_on(KeyError, attempts=1, then=lambda job, error: "handled")],
)
def test_a_job_whose_error_a_rule_dealt_with_returns_nothing(rule, asynchronous):
    fail = rule(job(_fail))

    assert (asyncio.run(fail.aperform_now()) if asynchronous else fail.perform_now()) is None


def test_enqueue_callbacks_do_not_run_and_a_halted_job_returns_nothing():
    class Now(Job):
        @before_enqueue
        def fail(self):
            raise AssertionError

        def perform(self):
            return "now"

    class Never(Now):
        @before_perform
        def halt(self):
            raise Halt

    assert (Now.perform_now(), Never.perform_now()) == ("now", None)


def test_a_job_that_asks_for_its_next_attempt_returns_what_perform_returns(adapter):
    class Poll(Job):
        def perform(self):
            self.retry(wait=5)
            return "later"

    assert Poll.perform_now() == "later"
    assert [payload.attempt for payload in adapter.pending] == [2]


def test_arguments_that_cannot_be_built_again_are_an_error():
    @dataclass
    class Once:
        number: int
        built = 0

        def __post_init__(self):
            Once.built += 1
            if Once.built > 2:  # The second is to see, before it is sent, that it can be built.
                raise ValueError("once")

    @job
    def take(once: Once):
        pass

    with pytest.raises(DeserializationError, match="cannot be read back: ValueError: once"):
        take.perform_now(Once(1))


def test_a_job_that_has_run_is_gone_before_garbage_is_collected():
    seen = []

    class Look(Job):
        def perform(self):
            seen.append(weakref.ref(self))

    gc.disable()
    try:
        Look.perform_now()
        assert seen[0]() is None
    finally:
        gc.enable()
