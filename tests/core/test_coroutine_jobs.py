"""`async def perform` and `async def` functions."""

import asyncio

import pytest

from pytest_jobs import (
    Job,
    after_perform,
    around_perform,
    before_perform,
    discard_on,
    job,
    rescue_from,
    retry_on,
)
from pytest_jobs.core.execution import perform
from pytest_jobs.errors import CallbackError, DeclarationError, Halt, RunningLoopError


class Fetch(Job):
    async def perform(self, url):
        await asyncio.sleep(0)
        return f"fetched {url}"


@job
async def fetch(url):
    await asyncio.sleep(0)
    return f"fetched {url}"


def test_a_coroutine_job_is_enqueued_and_performed_like_any_other(adapter):
    for each in (Fetch, fetch):
        each.perform_later("a")
    executions = adapter.perform_due()

    assert [(e.status, e.result) for e in executions] == [("performed", "fetched a")] * 2
    assert asyncio.run(fetch("a")) == "fetched a"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (KeyError, "retried"),
        (ValueError, "discarded"),
        (EOFError, "performed"),
        (OSError, "failed"),
        (Halt, "halted"),
    ],
)
def test_the_rules_and_callbacks_hold_for_a_coroutine_job(adapter, error, status):
    @retry_on(KeyError)
    @discard_on(ValueError)
    class Fail(Job):
        @before_perform
        async def halt(self):
            await asyncio.sleep(0)
            if error is Halt:
                raise Halt

        async def perform(self):
            await asyncio.sleep(0)
            raise error

        @rescue_from(EOFError)
        def rescue(self, error):
            pass

    Fail.perform_later()
    execution = adapter.perform(adapter.pending[0])

    assert execution.status == status


def test_coroutine_callbacks_are_awaited_around_a_coroutine_job():
    class Look(Job):
        calls = []  # noqa: RUF012

        @before_perform
        async def before(self):
            await asyncio.sleep(0)
            self.calls.append("before")

        @around_perform
        def around(self):
            self.calls.append("in")
            result = yield
            self.calls.append(result)

        @after_perform
        async def after(self):
            await asyncio.sleep(0)
            self.calls.append("after")

        @before_perform
        def plain(self):
            self.calls.append("plain")

        async def perform(self):
            await asyncio.sleep(0)
            self.calls.append("perform")
            return "result"

    assert Look.perform_now() == "result"
    assert Look.calls == ["before", "in", "plain", "perform", "after", "result"]


def test_what_cancels_a_coroutine_job_is_not_dealt_with(adapter):
    calls = []

    @retry_on(Exception)
    class Wait(Job):
        @around_perform
        def look(self):
            try:
                yield
            finally:
                calls.append("unwound")

        async def perform(self):
            raise asyncio.CancelledError

    payload = Wait.perform_later().payload

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(perform(payload))

    assert calls == ["unwound"]
    assert adapter.enqueued == [payload]


def _returns_a_coroutine():
    async def work():
        raise AssertionError

    return work()


class WithoutCallbacks(Job):
    def perform(self):
        return _returns_a_coroutine()


class WithCallbacks(WithoutCallbacks):
    @before_perform
    def nothing(self):
        pass


@pytest.mark.parametrize("job", [WithoutCallbacks, WithCallbacks])
def test_a_plain_perform_that_returns_a_coroutine_fails_the_job(adapter, job):
    job.perform_later()
    (execution,) = adapter.perform_due()

    assert execution.status == "failed"
    assert type(execution.error) is DeclarationError
    assert str(execution.error) == (
        f"{job.__name__}.perform returned a coroutine that nothing awaits: declare it `async def perform`."
    )


def test_a_plain_callback_that_returns_a_coroutine_which_waits_fails_the_job(adapter):
    class Look(Job):
        before = before_perform(lambda self: asyncio.sleep(0))

        def perform(self):
            raise AssertionError

    Look.perform_later()
    (execution,) = adapter.perform_due()

    assert execution.status == "failed"
    assert type(execution.error) is CallbackError
    assert str(execution.error) == (
        "A callback of test_a_plain_callback_that_returns_a_coroutine_which_waits_fails_the_job.<locals>."
        "Look awaited something, but the job is not a coroutine function."
    )


def test_a_coroutine_job_stays_what_it_was_when_it_cannot_be_performed_here(adapter):
    done = Fetch.perform_later("a").payload
    adapter.perform_due()
    first, second = (Fetch.perform_later(url).payload for url in "ab")

    async def main(payload):
        adapter.perform(payload)

    for payload in (first, done):
        with pytest.raises(RunningLoopError):
            asyncio.run(main(payload))

    assert adapter.pending == [first, second]
    assert adapter.dead == []
    assert [execution.result for execution in adapter.perform_due()] == ["fetched a", "fetched b"]
