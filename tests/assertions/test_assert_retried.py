"""`assert_retried` asks for deliveries that will be followed by another."""

from datetime import timedelta

import pytest

from pytest_jobs import Job, polynomially_longer, rescue_from, retry_on


@retry_on(TimeoutError, wait=polynomially_longer, attempts=4)
class Sync(Job):
    def perform(self, page, errors):
        if self.attempt <= errors:
            raise TimeoutError(f"attempt {self.attempt}")


class Polling(Job):
    def perform(self):
        if self.attempt == 1:
            self.retry(wait=60)
        return self.attempt


class Rescued(Job):
    def perform(self):
        if self.attempt == 1:
            raise ValueError("no")

    @rescue_from(ValueError)
    def again(self, error):
        self.retry()


def test_it_returns_the_delivery(jobs, noon, assert_retried):
    Sync.perform_later(1, errors=1)
    jobs.drain()

    delivery = assert_retried(Sync)

    assert (delivery.status, delivery.at, delivery.wait) == ("retried", noon, timedelta(seconds=3))
    assert delivery.next is jobs.performed[0].record


def test_each_attempt_counts(jobs, noon, assert_retried):
    Sync.perform_later(1, errors=3)
    jobs.drain()

    waits = [delivery.wait.total_seconds() for delivery in assert_retried(Sync, count=3)]

    assert waits == [3, 18, 83]


def test_all_criteria_apply(jobs, noon, assert_retried):
    Sync.perform_later(1, errors=2)
    jobs.drain()

    delivery = assert_retried(
        Sync,
        args=(1, 2),
        params={"page": 1},
        queue="default",
        priority=None,
        attempt=2,
        at=noon + timedelta(seconds=3),
        wait=18,
        result=None,
        error=TimeoutError("attempt 2"),
        where=lambda delivery: delivery.next is not None,
        tolerance=timedelta(0),
        within=jobs.deliveries,
    )

    assert delivery.record.retry_of == 0


def test_a_job_that_retries_itself_counts(jobs, assert_retried):
    Polling.perform_later()
    jobs.drain()

    assert assert_retried(Polling, error=None, wait=60).result == 1


def test_a_rescue_that_retries_counts(jobs, assert_retried):
    Rescued.perform_later()
    jobs.drain()

    assert_retried(Rescued, error=ValueError, wait=0)


def test_the_last_attempt_is_not_retried(jobs, assert_retried, failure):
    Sync.perform_later(1, errors=4)
    jobs.drain(raise_errors=False)

    assert len(assert_retried(Sync, count=3)) == 3
    with pytest.raises(AssertionError):
        assert_retried(Sync, attempt=4)
