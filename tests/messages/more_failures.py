"""More situations in which an assertion fails: each criterion by itself, lists that are cut, jobs left alone."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from unittest.mock import ANY, patch

from failures import NOON, Charge, Pay, Refund, ShipItems, send_receipt, transactions
from message_gallery import situation
from stub_transactions import callback

from pytest_jobs import (
    Job,
    assert_batched,
    assert_discarded,
    assert_enqueued,
    assert_enqueued_in_order,
    assert_failed,
    assert_followed_by,
    assert_not_enqueued,
    assert_not_performed,
    assert_performed,
    assert_retried,
    unique,
)
from pytest_jobs.assertions.remaining import check_nothing_left
from pytest_jobs.bridges.core.bridge import ReferenceBridge
from pytest_jobs.harness.jobs import Jobs


class Deliver(Job):
    def perform(self, parcel, *, options=None):
        pass


class PlaceOrder(Job):
    def perform(self, order_id):
        Deliver.perform_later(order_id)


# What enqueues it did not run, or enqueues nothing


@situation
def a_mock_stands_for_the_method_that_enqueues(jobs):
    """A mock was put in the place of the method that enqueues the job."""
    with patch.object(Deliver, "perform_later"):
        Deliver.perform_later(7)
        assert_enqueued(Deliver)


@situation
def a_mock_stands_for_the_job(jobs):
    """A mock was put in the place of the job, where the application looks it up."""
    job = Deliver
    with patch(f"{__name__}.Deliver"):
        PlaceOrder.perform_later(7)
        jobs.drain()
        assert_enqueued(job)


@situation
def a_pending_job_may_enqueue_it_when_it_runs(jobs):
    """A job that is pending mentions the job in its code, and has not run yet."""
    PlaceOrder.perform_later(7)
    assert_enqueued(Deliver)


@situation
def a_pending_job_did_enqueue_it_before(jobs):
    """An earlier job enqueued such a job, and another like the earlier one is pending."""
    PlaceOrder.perform_later(7)
    jobs.drain(only=PlaceOrder)
    PlaceOrder.perform_later(8)
    assert_enqueued(Deliver, count=2)


# One criterion by itself


@situation
def it_has_another_priority(jobs):
    """The job was enqueued with another priority than the test expects."""
    Pay.set(priority=5).perform_later(7)
    assert_enqueued(Pay, priority=1)


@situation
def it_is_due_earlier(jobs):
    """The job is due before the instant that `at=` says, by more than the tolerance."""
    Pay.set(wait=timedelta(minutes=5)).perform_later(7)
    assert_enqueued(Pay, at=NOON + timedelta(hours=2))


@situation
def it_waits_longer(jobs):
    """The job was enqueued with a longer wait than the test expects."""
    Pay.set(wait=timedelta(hours=1)).perform_later(7)
    assert_enqueued(Pay, wait=timedelta(minutes=1))


@situation
def it_waits_shorter(jobs):
    """The job was enqueued with a shorter wait than the test expects."""
    Pay.set(wait=30).perform_later(7)
    assert_enqueued(Pay, wait=timedelta(minutes=1))


@situation
def it_has_no_second_attempt(jobs):
    """The test expects a second attempt, and the job was performed once."""
    Pay.perform_later(7)
    jobs.drain()
    assert_performed(Pay, attempt=2)


@situation
def positional_arguments_are_of_other_values(jobs):
    """The job was enqueued with other values, passed by position."""
    Pay.perform_later(7, "USD")
    assert_enqueued(Pay, args=(8, "EUR"))


@situation
def keyword_arguments_are_of_other_values(jobs):
    """The job was enqueued with other values, passed by name."""
    Pay.perform_later(payment_id=7, currency="USD")
    assert_enqueued(Pay, kwargs={"payment_id": 7, "currency": "EUR"})


@situation
def a_keyword_was_not_given(jobs):
    """The expectation fills in the default, and the job was enqueued with another value."""
    Deliver.perform_later("parcel 7", options={"fast": True})
    assert_enqueued(Deliver, args=("parcel 7",))


@situation
def a_nested_value_differs(jobs):
    """A value deep inside of an argument differs."""
    Deliver.perform_later("parcel 7", options={"to": {"town": "Utrecht", "code": [3511, "AB"]}})
    expected = {"to": {"town": "Utrecht", "code": [3511, "CD"]}}
    assert_enqueued(Deliver, params={"options": expected})


@situation
def a_value_is_of_another_type(jobs):
    """The job was enqueued with text, and the test expects a number."""
    Pay.perform_later("7")
    assert_enqueued(Pay, params={"payment_id": 7})


@situation
def a_matcher_does_not_match(jobs):
    """One argument may be anything, and another differs."""
    Pay.perform_later(7, "USD")
    assert_enqueued(Pay, args=(ANY, "EUR"))


@situation
def a_long_text_differs(jobs):
    """A long text differs in its middle."""
    text = "Dear customer, your parcel {} will arrive on Tuesday, between nine and eleven o'clock."
    Deliver.perform_later(text.format(7))
    assert_enqueued(Deliver, args=(text.format(8),))


@situation
def many_wide_arguments_differ(jobs):
    """The arguments are wide, so that each is cut to fit a line."""
    ShipItems.perform_later(list(range(40)), {f"line {n}": "x" * 30 for n in range(5)}, ["y" * 90])
    assert_enqueued(ShipItems, params={"items": list(range(41))})


@situation
def a_lambda_says_no(jobs):
    """The function that is given as `where=` has no name of its own."""
    Pay.perform_later(7)
    assert_enqueued(Pay, where=lambda record: record.args == (8,))


@situation
def where_says_no_of_a_delivery(jobs):
    """The function that is given as `where=` returned something false for the delivery."""

    def took_three_attempts(delivery):
        return delivery.record.attempt == 3

    Pay.perform_later(7)
    jobs.drain()
    assert_performed(Pay, where=took_three_attempts)


# Each assertion


@situation
def nothing_was_retried(jobs):
    """The job was performed at once, so that there was no retry."""
    Pay.perform_later(7)
    jobs.drain()
    assert_retried(Pay)


@situation
def it_was_retried_after_another_wait(jobs):
    """The job was retried, later than the test expects."""
    Charge.perform_later("timeout")
    jobs.drain()
    assert_retried(Charge, wait=timedelta(seconds=5))


@situation
def it_was_retried_once_and_not_twice(jobs):
    """The job was retried less often than the test expects."""
    Charge.perform_later("timeout")
    jobs.drain()
    assert_retried(Charge, count=2)


@situation
def nothing_was_discarded(jobs):
    """No rule dropped the job: it was performed."""
    Charge.perform_later()
    jobs.drain()
    assert_discarded(Charge)


@situation
def it_was_discarded_and_did_not_fail(jobs):
    """A rule dropped the job, which is not a failure."""
    Charge.perform_later("expired")
    jobs.drain()
    assert_failed(Charge)


@situation
def it_failed_with_another_error(jobs):
    """The job failed with an error of another class."""
    Charge.perform_later("value")
    jobs.drain(raise_errors=False)
    assert_failed(Charge, error=KeyError)


@situation
def something_was_enqueued_at_all(jobs):
    """The test expects no job at all, and one was enqueued."""
    Pay.perform_later(7)
    assert_not_enqueued()


@situation
def many_were_enqueued_that_should_not(jobs):
    """The job was enqueued many times, and never should be."""
    for payment_id in range(19):
        Pay.perform_later(payment_id)
    assert_not_enqueued(Pay)


@situation
def something_was_performed_at_all(jobs):
    """The test expects that no job was performed, and one was."""
    send_receipt.perform_later(7)
    jobs.drain()
    assert_not_performed()


@situation
def it_was_performed_twice(jobs):
    """The same job was delivered twice, and the assertion is about exactly one delivery."""
    record = Pay.perform_later(7) and jobs.pending[0]
    jobs.drain()
    jobs.perform(jobs.redeliver(record))
    assert_performed(Pay)


@situation
def several_subclasses_were_enqueued(jobs):
    """Jobs of derived classes were enqueued, and none of the class that is named."""
    for payment_id in range(5):
        Refund.perform_later(payment_id)
    assert_enqueued(Pay)


@situation
def more_match_than_at_most(jobs):
    """More jobs match than `at_most=` alone allows."""
    for payment_id in range(4):
        Pay.perform_later(payment_id)
    assert_enqueued(Pay, at_most=2)


# What comes after another job


class _Chain(ReferenceBridge):
    def follow_ups(self, record):
        return [self.identify(send_receipt)] if record.job is Pay else []


@unique(key="user_id")
class Sync(Job):
    def perform(self, user_id, full=False):
        pass


@situation
def another_job_kept_it_out(jobs):
    """The job is unique, and was enqueued while another with its key waited or ran."""
    Sync.perform_later(7)
    Sync.perform_later(7, full=True)
    assert_enqueued(Sync, params={"full": True})


@situation
def another_job_kept_some_out(jobs):
    """The job is unique, and was enqueued more than once."""
    for _ in range(3):
        Sync.perform_later(7)
    assert_enqueued(Sync, count=3)


@contextmanager
def _chain():
    with Jobs([_Chain()]) as jobs:
        yield jobs


@situation
def step_two_of_a_chain_was_not_started(jobs):
    """The job is a later step of a chain, and the step before it was not performed yet."""
    with _chain():
        Pay.perform_later(7)
        assert_enqueued(send_receipt)


@situation
def several_jobs_of_a_chain_match_nothing(jobs):
    """The step before it was performed, and the job was enqueued with other arguments."""
    with _chain() as chain:
        Pay.perform_later(7)
        chain.drain()
        send_receipt.perform_later(8)
        assert_enqueued(send_receipt, args=(7,))


class _Canvas(ReferenceBridge):
    def steps_after(self, record):
        return (self.identify(send_receipt),) if record.job is Pay else ()

    def batch_of(self, record):
        return str(record.args[0] // 10) if record.job is ShipItems else None


@contextmanager
def _canvas():
    with Jobs([_Canvas()]) as jobs:
        yield jobs


@situation
def another_step_follows(jobs):
    """The chain goes on with other steps than the test expects."""
    with _canvas():
        Pay.perform_later(7)
        assert_followed_by(Pay, [Refund, [send_receipt, (ShipItems, Refund)]])


@situation
def nothing_was_enqueued_as_a_batch(jobs):
    """The jobs were enqueued one by one, and not as a batch."""
    with _canvas():
        Pay.perform_later(7)
        assert_batched([Pay, Pay])


@situation
def the_batch_has_other_jobs(jobs):
    """The batch has more or fewer jobs than the test expects, or others."""
    with _canvas():
        for number in (1, 2, 11):
            ShipItems.perform_later(number)
        assert_batched([ShipItems, ShipItems, ShipItems])


# Whole lists


@situation
def they_come_in_another_order(jobs):
    """The jobs were enqueued in another order than the test expects."""
    Refund.perform_later(7)
    Pay.perform_later(7)
    assert_enqueued_in_order([Pay, Refund])


@situation
def one_of_the_list_has_other_arguments(jobs):
    """The jobs come in the order of the list, and one of them with other arguments."""
    Pay.perform_later(7)
    Refund.perform_later(8)
    assert_enqueued_in_order([Pay, (Refund, {"args": (7,), "queue": "default"})])


@situation
def the_list_ends_too_early(jobs):
    """Fewer jobs were enqueued than the list has."""
    Pay.perform_later(7)
    assert_enqueued_in_order([Pay, Refund])


@situation
def the_list_goes_on(jobs):
    """More jobs were enqueued than the list has."""
    for payment_id in range(20):
        Pay.perform_later(payment_id)
    assert_enqueued_in_order([Pay] * 9)


# What is cut


@situation
def everything_differs_in_many_jobs(jobs):
    """Everything that was asked differs, in many jobs: what does not fit is left out."""
    for payment_id in range(20):
        Charge.perform_later("value", payment_id, "z" * 200)
    jobs.drain(raise_errors=False)
    assert_failed(
        Charge,
        args=("timeout", *range(9)),
        queue="low",
        priority=3,
        at=NOON + timedelta(days=1),
        wait=60,
        attempt=2,
        where=is_never,
        result="paid",
        error=KeyError,
    )


def is_never(delivery):
    return False


@situation
def an_error_has_colours_and_accents(jobs):
    """The message of the error has control characters and accents."""
    send = make_raising("\x1b[31mPas de r\u00e9ponse\x1b[0m")
    send.perform_later()
    jobs.drain(raise_errors=False)
    assert_performed(send)


def make_raising(message):
    class Send(Job):
        def perform(self):
            raise ValueError(message)

    return Send


# Jobs left alone


@situation
def a_job_was_left_alone(jobs):
    """The test is strict, and enqueued a job that it neither looked at nor performed."""
    Pay.perform_later(7)
    check_nothing_left(jobs)


@situation
def a_strict_test_drained_nothing(jobs):
    """The test is strict, and the drain came before anything was enqueued."""
    exec(compile("jobs.drain()", "tests/test_payments.py", "exec"), {"jobs": jobs})
    check_nothing_left(jobs)


@situation
def many_jobs_were_left_alone(jobs):
    """The test is strict, and enqueued many jobs that it neither looked at nor performed."""
    for number in range(34):
        send_receipt.set(wait=number).perform_later(number)
    check_nothing_left(jobs)


@situation
def a_job_was_left_waiting_for_a_commit(jobs):
    """The test is strict, and left a job that waits for a commit, at which it never looked."""
    with transactions(callback("send_receipt.perform_later(7)", owner=send_receipt)) as opened:
        check_nothing_left(opened)
