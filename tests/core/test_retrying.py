"""`retry_on` enqueues the job again until its attempts are used up."""

import pytest

from pytest_jobs import Job, before_enqueue, job, retry_on
from pytest_jobs.adapters import TestAdapter
from pytest_jobs.core.foundation.settings import settings
from pytest_jobs.errors import EnqueueError, Halt

SECOND = 10**9


class Timeout(Exception):
    pass


class Refused(Exception):
    pass


def _raising(*errors):
    """Return a base that raises these errors, one an attempt, and then returns."""

    class Raising(Job):
        def perform(self):
            if self.attempt <= len(errors):
                raise errors[self.attempt - 1]
            return "done"

    return Raising


def _statuses(drain):
    return [execution.status for execution in drain()]


def test_a_retry_is_the_same_job_and_one_attempt_more(adapter, clock):
    @retry_on(Timeout, wait=7)
    class Pay(_raising(Timeout())):
        queue = "payments"
        priority = 4

    Pay.set(queue="low").perform_later()
    first = adapter.pending[0]
    clock.advance(100)
    execution = adapter.perform(first)

    (second,) = adapter.pending
    assert (execution.wait_ns, execution.handled) == (7 * SECOND, True)
    assert type(execution.error) is Timeout
    assert second.job_id == first.job_id
    assert (first.attempt, second.attempt) == (1, 2)
    assert (second.queue, second.priority) == ("low", 4)
    assert (second.enqueued_ns, second.due_ns) == (clock.now_ns, clock.now_ns + 7 * SECOND)
    assert (second.job, second.name, second.arguments) == (first.job, first.name, first.arguments)
    assert adapter.perform(second).result == "done"


def test_a_retry_can_go_to_another_queue_with_another_priority(adapter, drain):
    @retry_on(Timeout, queue="retries", priority=0, attempts=3)
    class Pay(_raising(Timeout(), Refused())):
        queue = "payments"
        priority = 4

    retry_on(Refused)(Pay)
    Pay.perform_later()
    drain()

    assert [(payload.queue, payload.priority) for payload in adapter.enqueued] == [
        ("payments", 4),
        ("retries", 0),
        ("retries", 0),
    ]


def test_enqueue_callbacks_do_not_run_for_a_retry(adapter, drain):
    calls = []

    @retry_on(Timeout, attempts=3)
    class Pay(_raising(Timeout(), Timeout())):
        @before_enqueue
        def once(self):
            calls.append(self.attempt)
            if len(calls) > 1:
                raise Halt

    Pay.perform_later()

    assert _statuses(drain) == ["retried", "retried", "performed"]
    assert calls == [1]


@pytest.mark.parametrize(
    ("rules", "waits"),
    [
        (
            [
                retry_on(Timeout, attempts=3, wait=lambda failures: failures),
                retry_on(Refused, attempts=2, wait=lambda failures: failures * 10),
            ],
            [1, 10, 2, None],
        ),
        ([retry_on(Timeout, Refused, attempts=4, wait=lambda failures: failures)], [1, 2, 3, None]),
    ],
    ids=["two rules", "one rule"],
)
def test_each_rule_has_one_counter_for_all_its_errors(adapter, drain, rules, waits):
    pay = _raising(Timeout(), Refused(), Timeout(), Refused())
    for rule in rules:
        rule(pay)

    pay.perform_later()
    executions = drain()

    assert [execution.status for execution in executions] == [*["retried"] * 3, "exhausted"]
    assert [execution.wait_ns and execution.wait_ns / SECOND for execution in executions] == waits


@pytest.mark.parametrize(
    ("options", "statuses"),
    [
        ({"attempts": 3}, ["retried", "retried", "exhausted"]),
        ({}, [*["retried"] * 4, "exhausted"]),
        ({"attempts": 1}, ["exhausted"]),
        ({"attempts": None}, [*["retried"] * 60, "performed"]),
    ],
)
def test_attempts_count_the_first_run_and_another_one_from_the_beginning(
    adapter, drain, options, statuses
):
    job = retry_on(Timeout, **options)(_raising(*[Timeout()] * 60)).perform_later()

    assert _statuses(drain) == statuses
    job.enqueue()
    assert _statuses(drain) == statuses


def test_an_exhausted_job_fails_with_its_error_unless_then_deals_with_it(adapter, drain):
    calls = []
    error = Timeout("gateway")

    def then(job, error):
        calls.append((job, error))
        if job.attempt > 2:
            raise KeyError("then") from None

    retry_on(Timeout, attempts=1)(_raising(error)).perform_later()
    pay = retry_on(Timeout, attempts=2, then=then)(_raising(error, error))
    pay.perform_later()
    retry_on(Timeout, attempts=3, then=then)(_raising(error, error, error)).perform_later()

    exhausted, *dealt_with = drain()

    assert (exhausted.status, exhausted.error, exhausted.handled) == ("exhausted", error, False)
    assert exhausted.wait_ns is None
    assert [execution.handled for execution in dealt_with] == [True] * 4 + [False]
    (job, given), _ = calls
    assert (type(job), job.attempt, given) == (pay, 2, error)
    failed = dealt_with[-1]
    assert (failed.status, type(failed.error)) == ("failed", KeyError)


def test_a_retry_that_the_adapter_refuses_fails_the_job_and_keeps_it(clock):
    class Full(TestAdapter):
        def enqueue(self, payload):
            if payload.attempt > 1:
                raise EnqueueError("full")
            super().enqueue(payload)

    @retry_on(Timeout)
    @job
    def pay():
        raise Timeout

    adapter = Full(clock)
    with settings.replace(adapter=adapter):
        payload = pay.perform_later().payload
        (execution,) = adapter.perform_due()

    assert (execution.status, str(execution.error), execution.handled) == ("failed", "full", False)
    assert type(execution.error.__context__) is Timeout
    assert [letter.payload for letter in adapter.dead] == [payload]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_is_not_dealt_with(adapter, stop):
    @retry_on(Exception)
    @job
    def pay():
        raise stop

    pay.perform_later()
    with pytest.raises(stop):
        adapter.perform_due()

    assert adapter.pending == []
