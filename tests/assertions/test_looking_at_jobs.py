"""What an assertion found, the test has seen; `check_nothing_left` lists what it never saw."""

import pytest

from pytest_jobs import Job
from pytest_jobs.assertions.remaining import check_nothing_left


class Pay(Job):
    def perform(self, payment_id):
        pass


@pytest.fixture
def left(jobs):
    """Return a function that returns the first arguments of the jobs that would be listed."""

    def left():
        try:
            check_nothing_left(jobs)
        except AssertionError:
            return [
                r.args[0]
                for r in jobs.harness.ledger.records
                if not r.seen and r.state == "pending"
            ]
        return []

    return left


def test_a_job_that_was_found_is_seen(jobs, assert_enqueued, left):
    Pay.perform_later(1)
    Pay.perform_later(2)
    assert_enqueued(Pay, args=(1,))

    assert left() == [2]


def test_each_of_several_that_were_found_is_seen(jobs, assert_enqueued, left):
    Pay.perform_later(1)
    Pay.perform_later(2)
    assert_enqueued(Pay, count=2)

    assert left() == []


def test_an_assertion_that_fails_sees_nothing(jobs, assert_enqueued, left, failure):
    Pay.perform_later(1)
    Pay.perform_later(2)
    failure(assert_enqueued, Pay)

    assert left() == [1, 2]


def test_a_job_that_was_performed_is_not_left(jobs, left):
    Pay.perform_later(1)
    jobs.drain()

    assert left() == []


def test_a_job_that_was_looked_at_in_a_view_is_not_left(jobs, left):
    Pay.perform_later(1)
    Pay.perform_later(2)

    assert jobs.pending[0].args == (1,)
    assert left() == [2]


def test_printing_and_counting_is_not_looking(jobs, left):
    Pay.perform_later(1)

    assert str(jobs.pending)
    assert len(jobs.pending) == 1
    assert left() == [1]
