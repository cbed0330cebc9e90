"""Retries are made by Dramatiq's middleware, and stepped on the virtual clock."""

import sys
from datetime import timedelta

import pytest

pytest.importorskip("dramatiq")

import dramatiq
from dramatiq.brokers.stub import StubBroker
from dramatiq.errors import Retry
from dramatiq.middleware import Retries
from packaging.version import Version

#: Up to 1.18 jitter shortened a wait by up to a half; since then it lengthens it, up to twice.
LENGTHENED = Version(dramatiq.__version__) >= Version("2.0")


def fails(*args):
    raise ValueError("no")


def statuses(jobs):
    return [delivery.status for delivery in jobs.deliveries]


def seconds(jobs):
    return [delivery.wait.total_seconds() for delivery in jobs.retried]


def test_the_waits_double_up_to_the_longest_as_declared(jobs, actor):
    work = actor(fails, max_retries=4, min_backoff=1_000, max_backoff=5_000)

    timeline = jobs.simulate_retries(work, raising=ValueError())

    expected = [1, 2, 2.5, 2.5] if LENGTHENED else [0.5, 1, 2, 2.5]
    assert timeline.wait_seconds == expected
    assert timeline.status == "exhausted"
    bounds = [attempt.bounds for attempt in timeline.attempts if attempt.wait is not None]
    in_seconds = [(low.total_seconds(), high.total_seconds()) for low, high in bounds]
    assert in_seconds == (
        [(1, 2), (2, 4), (2.5, 5), (2.5, 5)] if LENGTHENED else [(0.5, 1), (1, 2), (2, 4), (2.5, 5)]
    )
    policy = jobs.harness.bridges[0].retry_policy(work)
    assert policy.attempts == 5
    assert [policy.wait(n).total_seconds() for n in range(1, 5)] == expected


@pytest.mark.parametrize("jitter", ["seeded", "live"])
def test_with_jitter_a_wait_lies_within_its_bounds(open_over, broker, actor, jitter):
    work = actor(fails, max_retries=8, min_backoff=1_000)
    with open_over(broker, jitter=jitter) as jobs:
        timeline = jobs.simulate_retries(work, raising=ValueError())

    waiting = [attempt for attempt in timeline.attempts if attempt.wait is not None]
    assert all(low <= attempt.wait <= high for attempt in waiting for low, high in [attempt.bounds])
    assert any(attempt.wait > attempt.bounds[0] for attempt in waiting)


def test_an_actor_without_options_is_tried_21_times(jobs, actor):
    timeline = jobs.simulate_retries(actor(fails), raising=ValueError())

    assert len(timeline.attempts) == 21
    assert timeline.attempts[-2].bounds[1] == timedelta(days=7)


def test_an_error_that_says_when_is_retried_then(jobs, actor):
    @actor(max_retries=1)
    def work():
        raise Retry("later", delay=90_000)

    work.send()
    jobs.drain(raise_errors=False)

    assert statuses(jobs) == ["retried", "exhausted"]
    assert seconds(jobs) == [90]
    assert jobs.retried[0].wait_bounds == (timedelta(seconds=90), timedelta(seconds=90))


def test_an_expected_error_ends_the_message_and_is_not_raised(jobs, actor):
    actor(fails, throws=(ValueError,)).send()

    assert jobs.drain() == {"failed": 1}
    assert isinstance(jobs.failed[0].error, ValueError)


def test_a_predicate_decides_what_is_retried(jobs, actor):
    work = actor(fails, retry_when=lambda retries, error: retries < 2)

    assert jobs.harness.bridges[0].retry_policy(work) is None
    work.send()
    with pytest.raises(ValueError, match="no"):
        jobs.drain()
    assert statuses(jobs) == ["retried", "retried", "exhausted"]


def test_a_retry_keeps_the_id_and_counts_by_the_options_of_the_message(jobs, actor):
    message = actor(fails, max_retries=9).send_with_options(args=(1,), max_retries=1)
    jobs.drain(raise_errors=False)

    assert statuses(jobs) == ["retried", "exhausted"]
    first, second = (delivery.record for delivery in jobs.deliveries)
    assert [first.job_id, second.job_id] == [message.message_id] * 2
    assert (first.attempt, second.attempt) == (1, 2)
    assert second.headers["retries"] == 1
    assert "ValueError: no" in second.headers["traceback"]


def test_without_the_middleware_a_failure_ends_the_message(open_over):
    broker = StubBroker(middleware=[])
    work = dramatiq.actor(fails, broker=broker)
    with open_over(broker) as jobs:
        work.send()
        with pytest.raises(ValueError, match="no"):
            jobs.drain()

        assert statuses(jobs) == ["failed"]
        assert jobs.harness.bridges[0].retry_policy(work) is None


def test_the_middleware_says_how_often_when_the_actor_does_not(open_over):
    broker = StubBroker(middleware=[Retries(max_retries=2, min_backoff=4_000)])
    work = dramatiq.actor(fails, broker=broker)
    with open_over(broker) as jobs:
        policy = jobs.harness.bridges[0].retry_policy(work)
        timeline = jobs.simulate_retries(work, raising=ValueError())

    assert policy.attempts == 3
    assert timeline.wait_seconds == ([4, 8] if LENGTHENED else [2, 4])


def test_an_attempt_can_be_asked_for(jobs, actor):
    work = actor(fails, max_retries=3, min_backoff=8_000, max_backoff=1_000_000)
    work.send()

    delivery = jobs.perform(jobs.pending[0], attempt=3)

    assert delivery.record.attempt == 3
    assert delivery.wait.total_seconds() == (32 if LENGTHENED else 16)


def test_a_retry_outside_of_a_delivery_draws_by_chance(actor):
    from dramatiq.middleware import retries

    from pytest_jobs.bridges.dramatiq.worker import BACKOFF

    assert BACKOFF(0, factor=1_000, max_backoff=60_000)[0] == 1
    assert retries.compute_backoff is not BACKOFF


def test_the_timeline_of_an_actor_that_raises_retry_says_that_its_body_did_not_run(jobs, actor):
    @actor
    def translate():
        raise dramatiq.errors.Retry("busy", delay=90_000)

    timeline = jobs.simulate_retries(translate, raising=ValueError("down"))

    assert timeline.headline == (
        "translate: not decided, since its body asks for retries and did not run"
    )
    assert jobs.simulate_retries(translate, raising=Retry("busy", delay=1)).undecided == ""


def test_sys_exit_in_an_actor_is_retried(jobs, actor):
    work = actor(sys.exit, actor_name="work", max_retries=1)
    work.send(3)

    assert jobs.drain(raise_errors=False) == {"retried": 1, "exhausted": 1}
