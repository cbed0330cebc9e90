"""`priority` is the number itself; None is a job without one."""

import pytest

from pytest_jobs import Job


class Pay(Job):
    priority = 3

    def perform(self):
        pass


class Ping(Job):
    def perform(self):
        pass


def test_the_priority_of_the_class_matches(jobs, assert_enqueued, assert_not_enqueued):
    Pay.perform_later()

    assert_enqueued(Pay, priority=3)
    assert_not_enqueued(Pay, priority=0)


def test_the_priority_of_one_enqueue_matches(jobs, assert_enqueued):
    Pay.perform_later()
    Pay.set(priority=-1).perform_later()

    assert assert_enqueued(Pay, priority=-1).sequence == 1


def test_none_is_a_job_without_a_priority(jobs, assert_enqueued, assert_not_enqueued):
    Ping.perform_later()
    Pay.perform_later()

    assert_enqueued(Ping, priority=None)
    assert_not_enqueued(Pay, priority=None)


def test_zero_is_not_none(jobs, assert_enqueued, assert_not_enqueued):
    Ping.set(priority=0).perform_later()

    assert_enqueued(Ping, priority=0)
    assert_not_enqueued(Ping, priority=None)


@pytest.mark.parametrize("priority", ["high", 1.5, (1, 2)])
def test_what_can_be_no_priority_is_refused(jobs, assert_not_enqueued, refusal, priority):
    assert refusal(assert_not_enqueued, Pay, priority=priority) == (
        f"No job has priority={priority!r}: write an int, or a matcher."
    )
