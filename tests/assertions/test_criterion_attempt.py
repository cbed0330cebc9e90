"""`attempt` asks for retries as well."""

import pytest

from pytest_jobs import Job, retry_on


@retry_on(TimeoutError, wait=3, attempts=3)
class Pay(Job):
    def perform(self):
        raise TimeoutError


def test_retries_do_not_count_unless_they_are_asked_for(jobs, assert_enqueued):
    Pay.perform_later()
    jobs.drain(raise_errors=False)

    assert assert_enqueued(Pay).attempt == 1


def test_a_retry_is_found_by_its_attempt(jobs, assert_enqueued):
    Pay.perform_later()
    jobs.drain(raise_errors=False)

    record = assert_enqueued(Pay, attempt=3)

    assert (record.attempt, record.retry_of) == (3, 1)


def test_the_first_attempt_is_the_first_enqueue(jobs, assert_enqueued):
    Pay.perform_later()
    jobs.drain(raise_errors=False)

    assert assert_enqueued(Pay, attempt=1).sequence == 0


def test_a_redelivery_never_counts(jobs, assert_enqueued):
    Pay.perform_later()
    jobs.redeliver(jobs.enqueued[0])

    assert assert_enqueued(Pay, attempt=1).sequence == 0


def test_a_retry_that_was_not_asked_for_is_a_hint(jobs, noon, assert_enqueued, failure):
    Pay.perform_later()
    jobs.drain(raise_errors=False)

    assert failure(assert_enqueued, Pay, wait=3).splitlines()[7:9] == [
        "Hint: #1 Pay() matches, but is a retry: ask for retries with attempt=2.",
        "Hint: #2 Pay() matches, but is a retry: ask for retries with attempt=3.",
    ]


def test_of_a_delivery_it_is_the_attempt_that_was_made(jobs, assert_retried, assert_failed):
    Pay.perform_later()
    jobs.drain(raise_errors=False)

    assert len(assert_retried(Pay, count=2)) == 2
    assert assert_retried(Pay, attempt=2).record.sequence == 1
    assert assert_failed(Pay, attempt=3).record.sequence == 2


@pytest.mark.parametrize("attempt", [0, -1, None, "2", 1.5])
def test_what_can_be_no_attempt_is_refused(jobs, assert_not_enqueued, refusal, attempt):
    assert refusal(assert_not_enqueued, Pay, attempt=attempt) == (
        f"No job has attempt={attempt!r}: write an int of at least 1, or a matcher."
    )
