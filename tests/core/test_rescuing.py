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


@pytest.mark.parametrize("job", [Find, type("FindMore", (Find,), {})])
def test_a_rescued_job_is_performed_with_what_the_method_returns(adapter, job):
    job.perform_later("a")
    (execution,) = adapter.perform_due()

    assert (execution.status, execution.result, execution.handled) == ("performed", "no a", True)
    assert type(execution.error) is KeyError
    assert (adapter.pending, adapter.dead, Find.discarded) == ([], [], [])
    assert (job.perform_now("a"), job.perform_now("known")) == ("no a", 1)


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


def test_an_error_of_the_method_fails_the_job_and_no_other_rule_deals_with_it(adapter):
    @discard_on(ValueError)
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
    with pytest.raises(ValueError, match="rescue"):
        Fail.perform_now()


def test_a_method_may_be_marked_for_several_errors_and_is_given_the_cause(adapter):
    class Rescue(Job):
        def perform(self, error):
            if error == "cause":
                raise RuntimeError("outer") from KeyError("inner")
            raise {"key": KeyError, "value": ValueError}[error]

        @rescue_from(KeyError)
        @rescue_from(ValueError)
        def rescue(self, error):
            return type(error).__name__, error.args

    results = [Rescue.perform_now(error) for error in ("key", "value", "cause")]
    assert results == [("KeyError", ()), ("ValueError", ()), ("KeyError", ("inner",))]
