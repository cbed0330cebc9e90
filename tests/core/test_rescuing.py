"""`rescue_from` lets a method of the job deal with the error."""

import pytest

from pytest_jobs import Job, after_discard, discard_on, rescue_from

SECOND = 10**9


class Find(Job):
    discarded = []  # noqa: RUF012

    def perform(self, key):
        return {"known": 1}[key]

    @rescue_from(KeyError, ValueError)
    def use_nothing(self, error):
        return f"no {error.args[0]}"

    @after_discard
    def note(self, error):
        self.discarded.append(error)


def test_a_rescued_job_is_performed_with_what_the_method_returns(adapter):
    Find.perform_later("a")
    (execution,) = adapter.perform_due()

    assert (execution.status, execution.result, execution.handled) == ("performed", "no a", True)
    assert type(execution.error) is KeyError
    assert (adapter.pending, adapter.dead, Find.discarded) == ([], [], [])


def test_without_an_error_the_method_is_not_called(adapter):
    assert Find.perform_now("known") == 1


def test_a_rescued_job_returns_what_the_method_returns_when_it_is_performed_now(adapter):
    assert Find.perform_now("a") == "no a"


def test_a_rescue_that_retries_makes_the_job_retried(adapter, clock, drain):
    class Wait(Job):
        def perform(self):
            if self.attempt == 1:
                raise ConnectionError
            return "connected"

        @rescue_from(ConnectionError)
        def again(self, error):
            self.retry(wait=30, queue="slow", priority=9)
            return "later"

    Wait.perform_later()
    first, second = drain()

    assert (first.status, first.result, first.handled) == ("retried", "later", True)
    assert (first.wait_ns, type(first.error)) == (30 * SECOND, ConnectionError)
    assert (second.status, second.result) == ("performed", "connected")
    assert [(payload.queue, payload.priority) for payload in adapter.enqueued] == [
        ("default", None),
        ("slow", 9),
    ]


def test_an_error_of_the_method_fails_the_job(adapter):
    class Fail(Job):
        def perform(self):
            raise KeyError("perform")

        @rescue_from(KeyError)
        def fail(self, error):
            raise ValueError("rescue") from None

    payload = Fail.perform_later().payload
    (execution,) = adapter.perform_due()

    assert (execution.status, execution.handled) == ("failed", False)
    assert str(execution.error) == "rescue"
    assert [letter.payload for letter in adapter.dead] == [payload]


def test_an_error_of_the_method_is_not_dealt_with_by_another_rule(adapter):
    @discard_on(ValueError)
    class Fail(Job):
        def perform(self):
            raise KeyError("perform")

        @rescue_from(KeyError)
        def fail(self, error):
            raise ValueError("rescue")

    with pytest.raises(ValueError, match="rescue"):
        Fail.perform_now()


def test_a_method_may_be_marked_for_several_errors(adapter):
    class Rescue(Job):
        def perform(self, error):
            raise {"key": KeyError, "value": ValueError}[error]

        @rescue_from(KeyError)
        @rescue_from(ValueError)
        def rescue(self, error):
            return type(error).__name__

    assert [Rescue.perform_now("key"), Rescue.perform_now("value")] == ["KeyError", "ValueError"]


def test_the_methods_of_a_parent_rescue_too(adapter):
    class FindMore(Find):
        pass

    assert FindMore.perform_now("a") == "no a"


def test_a_cause_is_what_the_method_is_given(adapter):
    class Wrap(Job):
        def perform(self):
            raise RuntimeError("outer") from KeyError("inner")

        @rescue_from(KeyError)
        def rescue(self, error):
            return error.args

    assert Wrap.perform_now() == ("inner",)
