"""`wait` is the delay of a job, or of the next attempt after a delivery."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from pytest_jobs import Job, retry_on


@retry_on(TimeoutError, wait=90)
class Pay(Job):
    def perform(self):
        if self.attempt == 1:
            raise TimeoutError


@pytest.mark.parametrize("wait", [90, 90.0, 90.9, timedelta(seconds=90), timedelta(seconds=89)])
def test_seconds_and_timedeltas_match(jobs, noon, assert_enqueued, wait):
    Pay.set(wait=90).perform_later()

    assert_enqueued(Pay, wait=wait)


def test_an_instant_is_a_wait_too(jobs, noon, assert_enqueued):
    Pay.set(at=noon + timedelta(days=2)).perform_later()

    assert_enqueued(Pay, wait=timedelta(days=2))


def test_an_instant_in_the_past_is_a_negative_wait(jobs, noon, assert_enqueued):
    Pay.set(at=noon - timedelta(minutes=2)).perform_later()

    assert_enqueued(Pay, wait=-120)


def test_none_is_a_job_that_is_not_scheduled(jobs, assert_enqueued, assert_not_enqueued):
    Pay.perform_later()

    assert_enqueued(Pay, wait=None)
    assert_not_enqueued(Pay, wait=0)


def test_no_wait_at_all_is_not_a_wait_of_zero(jobs, assert_enqueued, assert_not_enqueued):
    Pay.set(wait=0).perform_later()

    assert_enqueued(Pay, wait=0)
    assert_not_enqueued(Pay, wait=None)


def test_a_tolerance_of_zero_is_exact(jobs, noon, assert_enqueued, assert_not_enqueued):
    Pay.set(wait=90).perform_later()

    assert_enqueued(Pay, wait=90, tolerance=timedelta(0))
    assert_not_enqueued(Pay, wait=90.001, tolerance=timedelta(0))


def test_both_waits_are_shown(jobs, noon, assert_enqueued, failure):
    Pay.set(wait=90).perform_later()

    assert failure(assert_enqueued, Pay, wait=timedelta(days=1)).splitlines()[1:6] == [
        "  wait  1d (+-1s)",
        "but the only Pay enqueued does not match.",
        "",
        "Closest: #0 Pay() queue='default' wait=1m 30s",
        "  wait  differs  expected 1d (+-1s), got 1m 30s, 23h 58m 30s shorter",
    ]


def test_of_a_delivery_it_is_the_wait_until_the_next_attempt(
    jobs, noon, assert_performed, assert_retried
):
    Pay.perform_later()
    jobs.drain()

    assert_retried(Pay, wait=90)
    assert_performed(Pay, wait=None)


@pytest.mark.parametrize(
    "wait",
    [
        *("soon", True, Decimal(5), [1], (), {}),
        *(float("nan"), float("inf"), 1e20),
        datetime(2030, 1, 1, tzinfo=UTC),
    ],
)
def test_what_is_no_wait_is_refused(jobs, assert_not_enqueued, refusal, wait):
    assert refusal(assert_not_enqueued, Pay, wait=wait) == (
        f"wait={wait!r} is not a delay: write a timedelta or seconds."
    )
