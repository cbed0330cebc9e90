"""`at` is when a job is due, or when a delivery began, within a second unless told otherwise."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal

import pytest

from pytest_jobs import Job, retry_on
from pytest_jobs.errors import NaiveDatetimeError

SECOND = timedelta(seconds=1)


@retry_on(TimeoutError, wait=30)
class Pay(Job):
    def perform(self):
        if self.attempt == 1:
            raise TimeoutError


def test_the_instant_of_set_at_matches(jobs, noon, assert_enqueued):
    Pay.set(at=noon + timedelta(days=1)).perform_later()

    assert_enqueued(Pay, at=noon + timedelta(days=1))


def test_a_wait_is_due_at_an_instant_too(jobs, noon, assert_enqueued):
    Pay.set(wait=90).perform_later()

    assert_enqueued(Pay, at=noon + timedelta(seconds=90))


def test_the_timezone_is_no_difference(jobs, noon, assert_enqueued):
    Pay.set(at=noon).perform_later()

    assert_enqueued(Pay, at=noon.astimezone(timezone(timedelta(hours=5))))


def test_none_is_a_job_that_is_not_scheduled(jobs, noon, assert_enqueued, assert_not_enqueued):
    Pay.perform_later()

    assert_enqueued(Pay, at=None)
    assert_not_enqueued(Pay, at=noon)


def test_a_scheduled_job_is_not_due_at_none(jobs, assert_not_enqueued):
    Pay.set(wait=0).perform_later()

    assert_not_enqueued(Pay, at=None)


@pytest.mark.parametrize("off", [-SECOND, SECOND, timedelta(0)])
def test_a_second_is_near_enough(jobs, noon, assert_enqueued, off):
    Pay.set(at=noon).perform_later()

    assert_enqueued(Pay, at=noon + off)


@pytest.mark.parametrize("off", [-1.001 * SECOND, 1.001 * SECOND])
def test_more_than_a_second_is_not(jobs, noon, assert_not_enqueued, off):
    Pay.set(at=noon).perform_later()

    assert_not_enqueued(Pay, at=noon + off)


def test_the_tolerance_can_be_wider(jobs, noon, assert_enqueued):
    Pay.set(at=noon).perform_later()

    assert_enqueued(Pay, at=noon + timedelta(minutes=5), tolerance=timedelta(minutes=5))


def test_a_tolerance_of_zero_is_exact(jobs, noon, assert_enqueued, assert_not_enqueued):
    Pay.set(at=noon).perform_later()
    micro = timedelta(microseconds=1)

    assert_enqueued(Pay, at=noon, tolerance=timedelta(0))
    assert_not_enqueued(Pay, at=noon + micro, tolerance=timedelta(0))


def test_how_far_it_lies_off_is_shown(jobs, noon, assert_enqueued, failure):
    Pay.set(at=noon).perform_later()

    assert failure(assert_enqueued, Pay, at=noon + timedelta(hours=25)).splitlines()[1:6] == [
        "  at  2030-01-02 13:00:00+00:00 (+-1s)",
        "but the only Pay enqueued does not match.",
        "",
        "Closest: #0 Pay() queue='default' wait=0s",
        (
            "  at  differs  expected 2030-01-02 13:00:00+00:00 (+-1s), got 2030-01-01 12:00:00+00:00, "
            "1d 1h earlier"
        ),
    ]


def test_a_job_that_comes_too_late_says_so(jobs, noon, assert_enqueued, failure):
    Pay.set(wait=60).perform_later()

    text = failure(assert_enqueued, Pay, at=noon, tolerance=timedelta(0))

    assert text.splitlines()[1] == "  at  2030-01-01 12:00:00+00:00 (exactly)"
    assert text.splitlines()[5].endswith("got 2030-01-01 12:01:00+00:00, 1m later")


def test_an_instant_is_no_none(jobs, noon, assert_enqueued, failure):
    Pay.perform_later()

    assert failure(assert_enqueued, Pay, at=noon).splitlines()[5] == (
        "  at  differs  expected 2030-01-01 12:00:00+00:00 (+-1s), got None"
    )


def test_of_a_delivery_it_is_when_it_began(jobs, noon, assert_performed, assert_retried):
    Pay.set(wait=60).perform_later()
    jobs.drain()

    assert assert_retried(Pay, at=noon + timedelta(seconds=60)).record.attempt == 1
    assert assert_performed(Pay, at=noon + timedelta(seconds=90)).record.attempt == 2


def test_a_naive_datetime_is_refused(jobs, assert_not_enqueued):
    with pytest.raises(NaiveDatetimeError) as caught:
        assert_not_enqueued(Pay, at=datetime(2030, 1, 1))  # noqa: DTZ001

    assert str(caught.value) == (
        "at must have a timezone, got datetime.datetime(2030, 1, 1, 0, 0): "
        "write at.replace(tzinfo=UTC), or .astimezone() when it is local time."
    )


@pytest.mark.parametrize(
    "at",
    [5, 1.5, Decimal(5), True, "noon", SECOND, date(2030, 1, 1), time(12, tzinfo=UTC), [1], (), {}],
)
def test_what_is_no_instant_is_refused(jobs, assert_not_enqueued, refusal, at):
    assert refusal(assert_not_enqueued, Pay, at=at) == (
        f"at={at!r} is not an instant: write an aware datetime, or wait= for a delay."
    )


@pytest.mark.parametrize("tolerance", [5, -SECOND, None, "1s"])
def test_what_is_no_tolerance_is_refused(jobs, noon, assert_enqueued, refusal, tolerance):
    assert refusal(assert_enqueued, Pay, at=noon, tolerance=tolerance) == (
        f"tolerance={tolerance!r} is not a timedelta: write timedelta(seconds=5), say."
    )


def test_a_tolerance_without_a_time_is_refused(jobs, assert_enqueued, refusal):
    assert refusal(assert_enqueued, Pay, tolerance=SECOND) == (
        "tolerance= is for at= and wait=, and neither is given: give one, or leave it out."
    )
