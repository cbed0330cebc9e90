"""A generator around the job: it goes on at the one `yield`."""

import pytest
from tables import each_row

from pytest_jobs import (
    Job,
    after_enqueue,
    after_perform,
    around_enqueue,
    around_perform,
    before_enqueue,
    discard_on,
)
from pytest_jobs.adapters import TestAdapter
from pytest_jobs.core.foundation.settings import settings
from pytest_jobs.errors import CallbackError, EnqueueError


def test_yield_returns_what_perform_returned():
    class Double(Job):
        @around_perform
        def look(self):
            self.__class__.seen = yield

        def perform(self, number):
            return number * 2

    assert Double.perform_now(2) == 4
    assert Double.seen == 4


def test_an_error_of_perform_is_raised_at_the_yield():
    class Clean(Job):
        calls = []  # noqa: RUF012

        @around_perform
        def clean_up(self):
            try:
                yield
            finally:
                self.calls.append("cleaned")
            self.calls.append("never")

        def perform(self):
            raise KeyError("perform")

    with pytest.raises(KeyError, match="perform"):
        Clean.perform_now()

    assert Clean.calls == ["cleaned"]


def test_an_error_that_is_caught_at_the_yield_does_not_count(adapter):
    class Tolerate(Job):
        calls = []  # noqa: RUF012

        @after_perform
        def outer(self):
            self.calls.append("outer")

        @around_perform
        def tolerate(self):
            try:
                yield
            except KeyError:
                self.calls.append("tolerated")

        @after_perform
        def inner(self):
            self.calls.append("inner")

        def perform(self):
            raise KeyError

    Tolerate.perform_later()
    (execution,) = adapter.perform_due()

    assert (execution.status, execution.result, execution.error) == ("performed", None, None)
    assert Tolerate.calls == ["tolerated", "outer"]


def test_an_error_that_is_replaced_at_the_yield_is_the_one_that_counts(adapter):
    @discard_on(ValueError)
    class Replace(Job):
        @around_perform
        def replace(self):
            try:
                yield
            except KeyError as error:
                raise ValueError("replaced") from error

        def perform(self):
            raise KeyError

    Replace.perform_later()
    (execution,) = adapter.perform_due()

    assert (execution.status, str(execution.error)) == ("discarded", "replaced")


def _fails_before(self):
    raise KeyError("before the yield")
    yield


def _fails_after(self):
    yield
    raise KeyError("after the yield")


@pytest.mark.parametrize(
    ("fails", "calls"),
    [(_fails_before, ["outer KeyError"]), (_fails_after, ["perform", "outer KeyError"])],
)
def test_an_error_of_a_callback_reaches_the_outer_callbacks(fails, calls):
    class Fail(Job):
        calls = []  # noqa: RUF012

        @around_perform
        def outer(self):
            try:
                yield
            except KeyError as error:
                self.calls.append(f"outer {type(error).__name__}")
                raise

        inner = around_perform(fails)

        def perform(self):
            self.calls.append("perform")

    with pytest.raises(KeyError, match="the yield"):
        Fail.perform_now()

    assert Fail.calls == calls


def _twice(self):
    yield
    yield


def _twice_after_an_error(self):
    try:
        yield
    except KeyError:
        yield


def _not_at_all(self):
    if self.attempt > 1:
        yield


_EARLY = "_not_at_all returned before its `yield`, so the job did not go on: raise Halt to stop a job on purpose."


@each_row(
    ("body", "error", "performed", "text"),
    [
        (_twice, None, [1], "_twice yielded twice: the job goes on once."),
        (
            _twice_after_an_error,
            KeyError,
            [1],
            "_twice_after_an_error yielded twice: the job goes on once.",
        ),
        (_not_at_all, None, [], _EARLY),
    ],
)
def test_an_around_callback_that_does_not_yield_once_fails_the_job(body, error, performed, text):
    class Broken(Job):
        performed = []  # noqa: RUF012
        around = around_perform(body)

        def perform(self):
            self.performed.append(1)
            if error is not None:
                raise error

    with pytest.raises(CallbackError) as raised:
        Broken.perform_now()

    assert (str(raised.value), Broken.performed) == (text, performed)


def test_an_around_callback_that_returns_before_its_yield_fails_the_enqueue(adapter):
    class Broken(Job):
        around = around_enqueue(_not_at_all)

        def perform(self):
            pass

    with pytest.raises(CallbackError) as raised:
        Broken.perform_later()

    assert (str(raised.value), adapter.enqueued) == (_EARLY, [])


def test_around_enqueue_surrounds_the_hand_over(adapter):
    class Look(Job):
        @around_enqueue
        def look(self):
            before = self.enqueued
            yield
            self.seen = before, self.enqueued

        def perform(self):
            pass

    assert Look.perform_later().seen == (False, True)


def test_an_error_of_the_enqueue_is_raised_at_the_yield_and_reaches_the_caller(adapter):
    class Look(Job):
        seen = []  # noqa: RUF012

        @around_enqueue
        def look(self):
            try:
                yield
            except TypeError as error:
                self.seen.append(type(error).__name__)
                raise

        def perform(self):
            pass

    with pytest.raises(TypeError):
        Look.perform_later("too many")

    assert Look.seen == ["SignatureError"]
    assert adapter.enqueued == []


def test_an_error_of_a_callback_reaches_the_caller_of_perform_later(adapter):
    class Fail(Job):
        @before_enqueue
        def fail(self):
            raise KeyError("before")

        def perform(self):
            pass

    with pytest.raises(KeyError, match="before"):
        Fail.perform_later()

    assert adapter.enqueued == []


def test_callbacks_see_that_the_adapter_refused_the_job(clock):
    class Full(TestAdapter):
        def enqueue(self, payload):
            raise EnqueueError("full")

    class Look(Job):
        @around_enqueue
        def around(self):
            yield
            self.seen.append((self.enqueued, str(self.enqueue_error)))

        @after_enqueue
        def after(self):
            self.seen = [(self.enqueued, str(self.enqueue_error))]

        def perform(self):
            pass

    with settings.replace(adapter=Full(clock)):
        job = Look.perform_later()

    assert job.seen == [(False, "full"), (False, "full")]
    assert job.enqueued is False
