"""`queue` is the name of the queue."""

import pytest

from pytest_jobs import Job, job


class Pay(Job):
    queue = "payments"

    def perform(self):
        pass


@job(queue=lambda size: "large" if size > 9 else "small")
def convert(size):
    pass


def test_the_queue_of_the_class_matches(jobs, assert_enqueued, assert_not_enqueued):
    Pay.perform_later()

    assert_enqueued(Pay, queue="payments")
    assert_not_enqueued(Pay, queue="default")


def test_the_queue_of_one_enqueue_matches(jobs, assert_enqueued):
    Pay.perform_later()
    Pay.set(queue="low").perform_later()

    assert assert_enqueued(Pay, queue="low").sequence == 1


def test_the_queue_that_a_callable_chose_matches(jobs, assert_enqueued):
    convert.perform_later(3)
    convert.perform_later(30)

    assert assert_enqueued(convert, queue="large").args == (30,)


def test_it_can_be_asked_of_any_job(jobs, assert_not_enqueued, failure):
    convert.perform_later(3)

    assert_not_enqueued(queue="payments")
    assert failure(assert_not_enqueued, queue="small").splitlines()[:4] == [
        "Expected no job enqueued with",
        "  queue  'small'",
        "but 1 was enqueued:",
        "  #0 convert(3) queue='small'",
    ]


def test_none_is_a_queue_that_no_core_job_has(jobs, assert_not_enqueued):
    Pay.perform_later()

    assert_not_enqueued(Pay, queue=None)


def test_another_queue_is_shown_against_the_expected_one(jobs, assert_enqueued, failure):
    Pay.perform_later()

    assert failure(assert_enqueued, Pay, queue="low").splitlines()[5] == (
        "  queue  differs  expected 'low', got 'payments'"
    )


@pytest.mark.parametrize("queue", [5, ["low", "high"], Pay, b"low"])
def test_what_can_be_no_queue_is_refused(jobs, assert_not_enqueued, refusal, queue):
    assert refusal(assert_not_enqueued, Pay, queue=queue) == (
        f"No job has queue={queue!r}: write a text such as 'mailers', or a matcher."
    )
