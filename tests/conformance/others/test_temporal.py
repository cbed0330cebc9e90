"""What the test environments of Temporal's Python SDK do."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from others_shop import Charge, rest, send_mail

from pytest_jobs import job, retry_on

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def test_the_clock_is_virtual_and_injected(jobs):
    jobs.clock.move_to(NOON)
    jobs.clock.advance(timedelta(hours=1))

    assert time.time() == (NOON + timedelta(hours=1)).timestamp()


def test_time_skips_to_the_next_event_while_work_is_awaited(jobs):
    jobs.clock.move_to(NOON)
    send_mail.set(wait=timedelta(days=30)).perform_later("ann")
    jobs.drain()

    assert jobs.clock.now() == NOON + timedelta(days=30)


def test_a_sleeping_job_moves_the_clock(jobs):
    jobs.clock.move_to(NOON)
    rest.perform_later(3600)
    jobs.drain()

    assert jobs.clock.now() == NOON + timedelta(hours=1)


def test_retries_are_simulated_wait_and_all(jobs):
    timeline = jobs.simulate_retries(Charge, raising=TimeoutError())

    assert timeline.wait_seconds == [30, 30]
    assert timeline.status == "exhausted"


def test_an_assertion_that_fails_in_a_job_is_not_retried(jobs):
    @retry_on(Exception, wait=5, attempts=3)
    @job
    def checks():
        assert 1 + 1 == 3

    checks.perform_later()
    with pytest.raises(AssertionError):
        jobs.drain()

    assert len(jobs.deliveries) == 1


def test_each_test_has_a_clock_of_its_own(pytester):
    pytester.makepyfile("""
        from datetime import datetime, timedelta, timezone

        def test_one(jobs):
            jobs.clock.advance(timedelta(days=300))

        def test_other(jobs):
            now = datetime.now(timezone.utc)
            assert abs(jobs.clock.now() - now) < timedelta(days=1)
    """)

    pytester.runpytest().assert_outcomes(passed=2)
