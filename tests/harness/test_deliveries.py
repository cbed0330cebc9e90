"""A delivery tells what one attempt came to."""

from datetime import timedelta

import pytest

from pytest_jobs import Job, after_discard, before_perform, discard_on, job, rescue_from, retry_on
from pytest_jobs.errors import DeserializationError, Halt
from pytest_jobs.harness.records.delivery import STATUSES, Delivery


class Note(Job):
    def perform(self, number=1):
        return number * 2


class Fail(Job):
    def perform(self):
        raise ValueError("no")


@retry_on(ValueError, wait=10, attempts=2)
class Retried(Fail):
    pass


@retry_on(ValueError, attempts=1, then=lambda job, error: None)
class DealtWith(Fail):
    pass


@discard_on(ValueError)
class Discarded(Fail):
    pass


class Halted(Note):
    @before_perform
    def stop(self):
        raise Halt


class Rescued(Fail):
    @rescue_from(ValueError)
    def deal(self, error):
        return f"dealt with {error}"


class RescuedByRetry(Fail):
    @rescue_from(ValueError)
    def deal(self, error):
        self.retry(wait=60)


def deliver(jobs, job, *args):
    job.perform_later(*args)
    return jobs.perform(jobs.pending[-1])


def test_a_performed_delivery_has_the_result(jobs, noon):
    delivery = deliver(jobs, Note, 4)

    assert delivery.record is jobs.enqueued[0]
    assert (delivery.status, delivery.result, delivery.error) == ("performed", 8, None)
    assert (delivery.handled, delivery.raises) == (True, False)
    assert (delivery.wait, delivery.wait_bounds, delivery.next) == (None, None, None)
    assert delivery.enqueued == ()
    assert delivery.at == noon


class Worse(Fail):
    @after_discard
    def clean_up(self, error):
        raise KeyError("worse")


@pytest.mark.parametrize(
    ("kind", "status", "result", "error", "raises"),
    [
        (Fail, "failed", None, "ValueError('no')", True),
        (Worse, "failed", None, "KeyError('worse')", True),
        (DealtWith, "exhausted", None, "ValueError('no')", False),
        (Discarded, "discarded", None, "ValueError('no')", False),
        (Halted, "halted", None, "Halt(", False),
        (Rescued, "performed", "dealt with no", "ValueError('no')", False),
    ],
)
def test_a_delivery_has_the_error_and_raises_it_if_nothing_dealt_with_it(
    jobs, kind, status, result, error, raises
):
    delivery = deliver(jobs, kind)

    assert (delivery.status, delivery.result) == (status, result)
    assert repr(delivery.error).startswith(error)
    assert (delivery.handled, delivery.raises) == (not raises, raises)
    given_up = status in ("failed", "exhausted", "discarded")
    assert jobs.dead == [delivery] * given_up


def test_a_retried_delivery_has_the_wait_and_the_next_record_until_it_is_exhausted(jobs):
    delivery = deliver(jobs, Retried)
    (retry,) = jobs.pending

    assert delivery.status == "retried"
    assert repr(delivery.error) == "ValueError('no')"
    assert (delivery.handled, delivery.raises) == (True, False)
    assert delivery.wait == retry.wait == timedelta(seconds=10)
    assert delivery.wait_bounds == (timedelta(seconds=10), timedelta(seconds=11.5))
    assert delivery.next is retry
    assert delivery.enqueued == ()
    last = jobs.perform(retry)
    assert (last.status, last.handled, last.raises) == ("exhausted", False, True)
    assert (last.wait, last.next) == (None, None)


def test_a_delivery_that_was_rescued_by_a_retry_has_the_next_record(jobs):
    delivery = deliver(jobs, RescuedByRetry)

    assert (delivery.status, delivery.wait) == ("retried", timedelta(seconds=60))
    assert delivery.wait_bounds is None
    assert delivery.next is jobs.pending[0]


def test_arguments_that_cannot_be_read_fail_the_delivery(jobs):
    Note.perform_later(1)
    record = jobs.pending[0]
    record.payload.arguments = "not JSON"
    delivery = jobs.perform(record)

    assert delivery.status == "failed"
    assert isinstance(delivery.error, DeserializationError)
    assert jobs.dead == [delivery]
    assert jobs.dead[0].record.payload.arguments == "not JSON"


def test_what_a_job_enqueued_is_in_its_delivery_and_no_other(jobs):
    @job
    def parent(left):
        Note.perform_later(1)
        if left:
            parent.set(wait=5).perform_later(left - 1)

    for left in (0, 1, 0):
        parent.perform_later(left)
    jobs.drain(only=parent)

    enqueued = [[(r.job, r.sequence) for r in d.enqueued] for d in jobs.performed]
    assert enqueued == [[(Note, 3)], [(Note, 4), (parent, 5)], [(Note, 6)], [(Note, 7)]]
    assert [delivery.next for delivery in jobs.performed] == [None] * 4


def test_what_a_failing_job_enqueued_is_in_its_delivery_apart_from_the_retry(jobs):
    class Parent(Retried):
        def perform(self):
            Note.perform_later(1)
            super().perform()

    delivery = deliver(jobs, Parent)

    assert [record.job for record in delivery.enqueued] == [Note]
    assert (delivery.next.job, delivery.next.retry_of) == (Parent, 0)


def test_the_views_hold_the_deliveries_by_status(jobs):
    for kind in (Note, Fail, Retried, Discarded, Halted, DealtWith):
        kind.perform_later()
    jobs.drain(raise_errors=False)

    assert [d.status for d in jobs.deliveries] == [
        *("performed", "failed", "retried", "discarded", "halted", "exhausted", "exhausted")
    ]
    assert [d.record.job for d in jobs.performed] == [Note]
    assert [d.record.job for d in jobs.retried] == [Retried]
    assert [d.record.job for d in jobs.discarded] == [Discarded]
    assert [d.record.job for d in jobs.failed] == [Fail, DealtWith, Retried]
    assert [d.record.job for d in jobs.dead] == [Fail, Discarded, DealtWith, Retried]


@pytest.mark.parametrize("status", STATUSES)
def test_only_a_failure_that_nothing_dealt_with_raises(make_record, status):
    error = ValueError()
    ends_in_failure = status in ("failed", "exhausted")

    assert Delivery(make_record(), 0, status, error=error, handled=False).raises is ends_in_failure
    assert Delivery(make_record(), 0, status, error=error).raises is False


def test_a_delivery_is_read_only(make_record):
    delivery = Delivery(make_record(), 0, "performed")

    with pytest.raises(AttributeError):
        delivery.status = "failed"
    with pytest.raises(AttributeError):
        delivery.note = 1


def test_a_delivery_prints_as_one_line(jobs):
    for kind in (Note, Fail, Retried, Discarded):
        kind.perform_later()
    Note.perform_later(7)
    jobs.drain(raise_errors=False)

    assert [repr(delivery) for delivery in jobs.deliveries] == [
        "<#0 Note() performed>",
        "<#1 Fail() failed: ValueError: no>",
        "<#2 Retried() retried again in 10s: ValueError: no>",
        "<#3 Discarded() discarded: ValueError: no>",
        "<#4 Note(7) performed>",
        "<#5 Retried() exhausted: ValueError: no>",
    ]


def test_only_the_first_line_of_an_error_is_printed(jobs):
    @job
    def verbose():
        raise ValueError("first\nsecond")

    @job
    def silent():
        raise ValueError

    assert repr(deliver(jobs, verbose)) == "<#0 verbose() failed: ValueError: first>"
    assert repr(deliver(jobs, silent)) == "<#1 silent() failed: ValueError>"


def test_deliveries_are_in_the_order_in_which_they_ended(jobs):
    for number in range(3):
        Note.perform_later(number)
    for record in reversed(jobs.pending):
        jobs.perform(record)

    assert [delivery.record.sequence for delivery in jobs.deliveries] == [2, 1, 0]
