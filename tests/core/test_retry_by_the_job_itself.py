"""`self.retry()` enqueues the next attempt without a rule."""

from datetime import UTC, datetime

import pytest

from pytest_jobs import Job, after_discard, before_perform, configure, discard_on, retry_on
from pytest_jobs.adapters import TestAdapter
from pytest_jobs.errors import EnqueueError, Halt, NaiveDatetimeError, SignatureError, WaitError

SECOND = 10**9


class Poll(Job):
    options = {}  # noqa: RUF012

    def perform(self, until):
        if self.attempt < until:
            self.retry(**self.options)
            return "again"
        return "ready"


@pytest.fixture
def options(monkeypatch):
    monkeypatch.setattr(Poll, "options", options := {})
    return options


def test_a_job_can_ask_for_its_next_attempt_and_go_on(adapter, drain):
    job = Poll.perform_later(3)
    executions = drain()

    assert [(e.status, e.result) for e in executions] == [
        ("retried", "again"),
        ("retried", "again"),
        ("performed", "ready"),
    ]
    assert [execution.wait_ns for execution in executions] == [0, 0, None]
    assert [payload.attempt for payload in adapter.enqueued] == [1, 2, 3]
    assert {payload.job_id for payload in adapter.enqueued} == {job.job_id}


@pytest.mark.parametrize(
    ("given", "payload_is"),
    [({"wait": 60, "queue": "slow", "priority": 0}, ("slow", 0)), ({}, ("fast", 5))],
)
def test_a_retry_takes_options_and_keeps_what_it_is_not_given(
    adapter, clock, options, given, payload_is
):
    options.update(given)
    Poll.set(queue="fast", priority=5).perform_later(2)
    execution = adapter.perform(adapter.pending[0])

    (payload,) = adapter.pending
    assert (payload.queue, payload.priority) == payload_is
    assert payload.due_ns == (clock.now_ns + 60 * SECOND if given else None)
    assert execution.wait_ns == (60 * SECOND if given else 0)


@pytest.mark.parametrize(
    ("at", "wait_ns"),
    [
        (datetime(2026, 1, 1, 10, tzinfo=UTC), 10 * 3600 * SECOND),
        (datetime(2026, 1, 1, tzinfo=UTC), 0),
        (datetime(2020, 1, 1, tzinfo=UTC), 0),
    ],
    ids=["later", "now", "past"],
)
def test_a_retry_can_be_due_at_an_instant(adapter, options, at, wait_ns):
    options.update(at=at)
    Poll.perform_later(2)
    execution = adapter.perform(adapter.pending[0])

    assert execution.wait_ns == wait_ns


def test_no_rule_counts_it(adapter, drain):
    @retry_on(ValueError, attempts=2, wait=0)
    class Mixed(Job):
        def perform(self):
            if self.attempt in (1, 3):
                self.retry()
            elif self.attempt == 2:
                raise ValueError
            return self.attempt

    Mixed.perform_later()

    assert [execution.status for execution in drain()] == [
        "retried",
        "retried",
        "retried",
        "performed",
    ]


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"wait": -1}, WaitError),
        ({"wait": "soon"}, WaitError),
        ({"at": datetime(2026, 1, 1)}, NaiveDatetimeError),  # noqa: DTZ001
        ({"wait": 1, "at": datetime(2026, 1, 1, tzinfo=UTC)}, SignatureError),
    ],
)
def test_a_wrong_option_fails_the_job(adapter, options, given, error):
    options.update(given)
    Poll.perform_later(2)
    (execution,) = adapter.perform_due()

    assert (execution.status, type(execution.error)) == ("failed", error)


def test_a_job_that_is_not_being_performed_has_no_next_attempt(adapter):
    job = Poll.new(3)

    with pytest.raises(SignatureError) as raised:
        job.retry()

    assert str(raised.value) == (
        "<Poll(3) job_id=''> is not being performed, so it has no next attempt: enqueue it instead."
    )


def test_a_retry_that_the_adapter_refuses_raises_in_the_job(clock):
    class Full(TestAdapter):
        def enqueue(self, payload):
            if payload.attempt > 1:
                raise EnqueueError("full")
            super().enqueue(payload)

    adapter = Full(clock)
    with configure(adapter=adapter):
        Poll.perform_later(2)
        (execution,) = adapter.perform_due()

    assert (execution.status, str(execution.error)) == ("failed", "full")


class Paused(Job):
    @before_perform
    def wait(self):
        if self.attempt == 1:
            self.retry(wait=60)
            raise Halt

    def perform(self):
        return "done"


def test_a_job_that_halts_after_it_asked_for_its_next_attempt_is_retried(adapter, drain):
    Paused.perform_later()
    first, second = drain()

    assert (first.status, first.error, first.wait_ns) == ("retried", None, 60 * SECOND)
    assert (second.status, second.result) == ("performed", "done")
    assert Paused.perform_now() is None
    assert [payload.attempt for payload in adapter.pending] == [2]


def _again(job, error):
    if job.attempt < 3:
        job.retry(wait=5)


@pytest.mark.parametrize(
    "rule",
    [discard_on(KeyError, then=_again), retry_on(KeyError, attempts=1, then=_again)],
    ids=["discarded", "exhausted"],
)
def test_a_job_that_asks_for_its_next_attempt_when_it_would_be_given_up_goes_on(
    adapter, drain, rule
):
    given_up = []

    @rule
    class Stubborn(Job):
        def perform(self):
            raise KeyError

        @after_discard
        def note(self, error):
            given_up.append(self.attempt)

    Stubborn.perform_later()
    executions = drain()

    assert [(e.status, e.wait_ns) for e in executions[:2]] == [("retried", 5 * SECOND)] * 2
    assert executions[2].status in ("discarded", "exhausted")
    assert given_up == [3]
    assert len(adapter.dead) == 1


def test_a_job_can_go_on_in_after_discard(adapter, drain):
    class Stubborn(Job):
        def perform(self):
            raise KeyError

        @after_discard
        def once_more(self, error):
            if self.attempt == 1:
                self.retry()

    Stubborn.perform_later()

    assert [(e.status, e.handled) for e in drain()] == [("retried", True), ("failed", False)]
    assert len(adapter.dead) == 1
