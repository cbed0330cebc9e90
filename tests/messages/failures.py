"""Situations in which an assertion fails; the docstring of each is its cause."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

from message_gallery import NOON, situation
from stub_transactions import StubTransactions, callback

from pytest_jobs import (
    Job,
    Payload,
    assert_discarded,
    assert_enqueued,
    assert_failed,
    assert_not_enqueued,
    assert_not_performed,
    assert_performed,
    assert_retried,
    discard_on,
    job,
    later,
    reference,
    retry_on,
)
from pytest_jobs.bridges.core.bridge import ReferenceBridge
from pytest_jobs.core.foundation.settings import settings
from pytest_jobs.harness.jobs import Jobs


class Pay(Job):
    queue = "payments"

    def perform(self, payment_id, currency="EUR"):
        return f"paid {payment_id}"


class Refund(Pay):
    pass


class ShipItems(Job):
    def perform(self, items, address=None, notes=()):
        pass


class CardExpired(Exception):
    pass


@retry_on(TimeoutError, wait=30, attempts=2)
@discard_on(CardExpired)
class Charge(Job):
    def perform(self, *errors):
        if self.attempt <= len(errors):
            raise {"timeout": TimeoutError, "expired": CardExpired, "value": ValueError}[
                errors[self.attempt - 1]
            ]("no answer from the bank\nrequest 17")


@job(queue="mailers")
def send_receipt(order_id, copy=True):
    pass


@reference(id="number", find="find")
class Order:
    def __init__(self, number):
        self.number = number

    @classmethod
    def find(cls, number):
        return None

    def __repr__(self):
        return f"Order({self.number})"

    def ship(self):
        pass

    ship_later = later(ship)


def items(number, *, price):
    return [{"sku": f"article {index}", "price": price(index)} for index in range(number)]


# Nothing of the job


@situation
def nothing_was_enqueued(jobs):
    """The test enqueued no job at all."""
    assert_enqueued(Pay)


@situation
def only_other_jobs_were_enqueued(jobs):
    """The test enqueued jobs, and none of the class that is named."""
    send_receipt.perform_later(1)
    send_receipt.perform_later(2)
    Charge.perform_later()
    assert_enqueued(Pay, params={"payment_id": 7})


@situation
def jobs_of_many_kinds_were_enqueued(jobs):
    """The test enqueued jobs of many classes, and none of the one that is named."""
    for number in range(7):
        make_job(f"Job{number}").perform_later()
    assert_enqueued(Pay)


def make_job(name):
    return type(name, (Job,), {"perform": lambda self: None, "__qualname__": name})


@situation
def only_a_subclass_was_enqueued(jobs):
    """The job that was enqueued is of a class derived from the one that is named."""
    Refund.perform_later(7)
    assert_enqueued(Pay)


@situation
def it_was_enqueued_before_the_window(jobs):
    """The job was enqueued, before `with jobs.capture()` began or after it ended."""
    Pay.perform_later(7)
    with jobs.capture() as sent:
        send_receipt.perform_later(1)
    assert_enqueued(Pay, within=sent)


@situation
def the_window_is_empty(jobs):
    """Nothing was enqueued inside of `with jobs.capture()`."""
    with jobs.capture() as sent:
        pass
    assert_enqueued(Pay, queue="payments", within=sent)


# What waits for a commit


@contextmanager
def transactions(*callbacks):
    """Open another harness, whose database has these callbacks."""
    with Jobs([ReferenceBridge()], transactions=[StubTransactions(*callbacks)]) as jobs:
        yield jobs


@situation
def it_waits_for_a_commit(jobs):
    """The job is enqueued when the transaction commits, and it did not."""
    with transactions(callback("send_receipt.perform_later(7)", owner=send_receipt)):
        assert_enqueued(send_receipt)


@situation
def several_callbacks_wait_for_a_commit(jobs):
    """Several callbacks wait for the commit, and one of them may enqueue the job."""
    early = replace(callback("send_receipt.perform_later(8)", owner=send_receipt), registered_at="")
    more = [callback("clear_cache", line=30), callback("clear_cache", line=31)]
    with transactions(
        callback("checkout.<locals>.<lambda>"), callback("clear_cache", line=14), early, *more
    ):
        assert_performed(send_receipt)


@situation
def it_waits_for_a_commit_of_its_own(jobs):
    """The job is enqueued when the session commits, and it has not."""
    waiting = callback("send_receipt.perform_later(7)", owner=send_receipt)
    with transactions(replace(waiting, commits_itself=True)):
        assert_enqueued(send_receipt)


@situation
def a_rollback_dropped_it(jobs):
    """The transaction in which the job would have been enqueued was rolled back."""
    dropped = callback(
        "send_receipt.perform_later(7)",
        state="dropped",
        dropped="by a rollback",
        owner=send_receipt,
    )
    with transactions(dropped):
        Pay.perform_later(7)
        assert_enqueued(send_receipt)


@situation
def a_rollback_took_it_back(jobs):
    """The job was a row in the database of the application, in a transaction that was rolled back."""
    row = callback("send_receipt(7)", state="dropped", dropped="by a rollback", owner=send_receipt)
    with transactions(replace(row, is_row=True)):
        assert_enqueued(send_receipt)


@situation
def a_callback_that_raised_dropped_it(jobs):
    """A callback raised after the commit, so those behind it never ran."""
    behind = {"state": "dropped", "dropped": "since warm_cache raised before it"}
    rolled_back = {"state": "dropped", "dropped": "by a rollback"}
    with transactions(
        callback("send_receipt.perform_later(7)", **behind),
        callback("clear_cache", line=13, **behind),
        callback("clear_cache", line=14, **rolled_back),
    ):
        assert_performed(send_receipt)


@situation
def another_job_waits_for_a_commit(jobs):
    """What waits for the commit is another job, so it is not mentioned."""
    with transactions(callback("send_receipt.perform_later(7)", owner=send_receipt)):
        assert_enqueued(Pay)


# Another queue, time, argument


@situation
def it_went_to_another_queue(jobs):
    """The job was enqueued, on another queue than the test expects."""
    Pay.perform_later(7)
    assert_enqueued(Pay, queue="low")


@situation
def one_argument_differs(jobs):
    """The job was enqueued with another value of one argument."""
    Pay.perform_later(7, currency="USD")
    assert_enqueued(Pay, args=(7, "EUR"))


@situation
def a_parameter_differs(jobs):
    """One of the arguments that `params` names has another value, and the time differs too."""
    send_receipt.perform_later(7, copy=False)
    assert_enqueued(send_receipt, params={"copy": True}, queue="mailers", wait=60)


@situation
def none_of_several_matches(jobs):
    """Several jobs of the class were enqueued, and none is as expected."""
    for payment_id in range(8):
        Pay.set(priority=payment_id % 2).perform_later(payment_id)
    assert_enqueued(Pay, args=(9,), priority=1)


@situation
def every_criterion_differs(jobs):
    """The one job of the class differs in all that was asked."""
    Pay.set(wait=60, priority=1).perform_later(7)
    assert_enqueued(
        Pay,
        args=(8,),
        params={"currency": "USD"},
        queue="low",
        priority=None,
        at=NOON,
        wait=timedelta(hours=1),
        attempt=2,
        where=is_large,
    )


def is_large(record):
    return record.args[0] > 100


@situation
def a_callable_says_no(jobs):
    """The function that is given as `where=` returned something false for each job."""
    Pay.perform_later(7)
    Pay.perform_later(8)
    assert_enqueued(Pay, where=is_large)


@situation
def it_is_due_later(jobs):
    """The job is due at another time than `at=` says, by more than the tolerance."""
    Pay.set(wait=timedelta(days=1)).perform_later(7)
    assert_enqueued(Pay, at=NOON + timedelta(hours=23), tolerance=timedelta(minutes=1))


@situation
def it_is_due_at_once(jobs):
    """The job was enqueued without a wait."""
    Pay.perform_later(7)
    assert_enqueued(Pay, wait=timedelta(days=1), tolerance=timedelta(0))


@situation
def it_was_to_be_due_at_once(jobs):
    """The job was enqueued with a wait, and none was expected."""
    Pay.set(wait=300).perform_later(7)
    assert_enqueued(Pay, wait=None)


@situation
def a_large_argument_differs(jobs):
    """One value inside of a large argument differs."""
    ShipItems.perform_later(items(9, price=lambda index: index * 10))
    assert_enqueued(ShipItems, args=(items(9, price=lambda index: index * 10 + (index == 4)),))


@situation
def several_large_arguments_differ(jobs):
    """Several large arguments differ, so their differences are cut."""
    address = {"street": "1 Long Lane", "town": "Middle of Nowhere", "country": "Nowhere"}
    ShipItems.perform_later(items(6, price=int), address, notes=["to the left " * 8])
    expected = {"items": items(7, price=int), "address": {**address, "country": "Somewhere"}}
    assert_enqueued(ShipItems, params={**expected, "notes": ["to the right " * 8]})


@situation
def another_record(jobs):
    """The job was enqueued with another record of the database."""
    Order(5).ship_later()
    assert_enqueued(Order.ship_later, args=(Order(6),))


@situation
def the_arguments_cannot_be_read(jobs):
    """The payload carries what this process cannot read back."""
    arguments = '{"tagged":[[{"~":"record","v":5,"t":"shop.Order"}],{}]}'
    payload = Payload(
        Pay, f"{__name__}.Pay", "1" * 32, "default", None, arguments, 1, None, 10**18, None
    )
    settings.adapter.enqueue(payload)
    assert_enqueued(Pay, args=(7,))


@situation
def only_a_retry_matches(jobs):
    """The first enqueue differs, and a retry of the job is as expected; only `attempt=` looks at retries."""
    Charge.perform_later("timeout")
    jobs.drain()
    assert_enqueued(Charge, wait=30)


# Another number


@situation
def two_match_that_differ(jobs):
    """Two jobs match, and the assertion is about exactly one."""
    Pay.perform_later(7)
    Pay.set(queue="low", wait=60).perform_later(8)
    assert_enqueued(Pay)


@situation
def two_match_that_are_alike(jobs):
    """The same job was enqueued twice."""
    Pay.perform_later(7)
    Pay.perform_later(7)
    assert_enqueued(Pay, args=(7,))


@situation
def many_match(jobs):
    """Many jobs match, and the assertion is about exactly one."""
    for payment_id in range(12):
        Pay.perform_later(payment_id)
    assert_enqueued(Pay)


@situation
def more_match_than_were_counted(jobs):
    """More jobs match than `at_most=` allows."""
    for payment_id in range(3):
        Pay.perform_later(payment_id)
    assert_enqueued(Pay, at_least=1, at_most=2)


@situation
def one_matches_that_should_not(jobs):
    """A job matches, and `count=0` expects none."""
    Pay.perform_later(7)
    assert_enqueued(Pay, count=0)


@situation
def fewer_match_than_were_counted(jobs):
    """Fewer jobs match than `count=` expects."""
    Pay.perform_later(7)
    Pay.set(queue="low").perform_later(8)
    assert_enqueued(Pay, queue="payments", count=2)


@situation
def none_of_the_counted_was_enqueued(jobs):
    """No job was enqueued, and `at_least=` expects some."""
    assert_enqueued(Pay, at_least=2)


@situation
def many_others_do_not_match(jobs):
    """Fewer jobs match than `at_least=` expects, and many others are there."""
    for payment_id in range(9):
        Pay.set(queue="low" if payment_id else None).perform_later(payment_id)
    assert_enqueued(Pay, queue="payments", at_least=2, at_most=3)


# What became of it


@situation
def it_was_never_enqueued(jobs):
    """The job was not performed, since it was never enqueued."""
    assert_performed(Pay)


@situation
def it_was_not_performed_yet(jobs):
    """The job was enqueued, and the test has performed nothing since."""
    Pay.perform_later(7)
    assert_performed(Pay)


@situation
def another_one_was_not_performed_yet(jobs):
    """Nothing was performed yet, and what is pending has other arguments."""
    Pay.perform_later(7)
    assert_performed(Pay, args=(9,))


@situation
def it_is_not_due_yet(jobs):
    """The job is due later, and `jobs.perform_due()` performs only what is due."""
    Pay.set(wait=timedelta(hours=2)).perform_later(7)
    jobs.perform_due()
    assert_performed(Pay, params={"payment_id": 7})


@situation
def it_waits_for_its_next_attempt(jobs):
    """The first attempt failed, and the next one is not due yet."""
    Charge.perform_later("timeout")
    jobs.perform_due()
    assert_performed(Charge)


@situation
def one_was_performed_and_one_waits(jobs):
    """Two were expected, of which one was performed and one is not due."""
    Pay.perform_later(7)
    Pay.set(wait=60).perform_later(8)
    jobs.perform_due()
    assert_performed(Pay, count=2)


@situation
def it_failed(jobs):
    """The job was performed and raised an error."""
    Charge.perform_later("value")
    jobs.drain(raise_errors=False)
    assert_performed(Charge)


@situation
def it_was_performed_and_did_not_fail(jobs):
    """The job was performed without an error."""
    Pay.perform_later(7)
    jobs.drain()
    assert_failed(Pay)


@situation
def it_ran_out_of_attempts(jobs):
    """The job used up its attempts: it is exhausted, which is not discarded."""
    Charge.perform_later("timeout", "timeout")
    jobs.drain(raise_errors=False)
    assert_discarded(Charge)


@situation
def another_job_failed(jobs):
    """The job was performed without an error, and another one failed."""
    Charge.perform_later("value")
    Pay.perform_later(7)
    jobs.drain(raise_errors=False)
    assert_failed(Pay)


@situation
def it_returned_something_else(jobs):
    """The job returned another value than `result=` expects."""
    Pay.perform_later(7)
    jobs.drain()
    assert_performed(Pay, result="paid 8")


@situation
def it_raised_another_error(jobs):
    """The job raised an error of another class than `error=` expects."""
    Charge.perform_later("timeout")
    jobs.drain()
    assert_retried(Charge, error=ConnectionError, wait=30)


@situation
def it_was_discarded_with_another_message(jobs):
    """The job raised an error of the expected class, with other arguments."""
    Charge.perform_later("expired")
    jobs.drain()
    assert_discarded(Charge, error=CardExpired("card 7"), at=NOON)


@situation
def its_delivery_lies_outside_the_window(jobs):
    """What was performed was enqueued outside of `with jobs.capture()`; what is inside was not performed."""
    Pay.perform_later(7)
    jobs.drain()
    with jobs.capture() as sent:
        Pay.perform_later(8)
    assert_performed(Pay, within=sent)


@situation
def its_delivery_is_not_that_of_the_window(jobs):
    """What matches was enqueued outside of `with jobs.capture()`."""
    Pay.perform_later(7)
    jobs.drain()
    with jobs.capture() as sent:
        Pay.perform_later(8)
    assert_performed(Pay, args=(7,), within=sent)


@situation
def it_was_performed_outside_the_window(jobs):
    """What was performed was enqueued outside of `with jobs.capture()`, where only other jobs are."""
    Pay.perform_later(7)
    jobs.drain()
    with jobs.capture() as sent:
        send_receipt.perform_later(1)
    jobs.drain()
    assert_performed(Pay, within=sent)


@situation
def its_subclass_was_performed(jobs):
    """The job that was performed is of a class derived from the one that is named."""
    Refund.perform_later(7)
    jobs.drain()
    assert_performed(Pay)


# What should not have happened


@situation
def it_was_enqueued_all_the_same(jobs):
    """The job was enqueued."""
    Pay.perform_later(7)
    assert_not_enqueued(Pay)


@situation
def it_was_enqueued_with_these_arguments(jobs):
    """The job was enqueued with the arguments that must not occur."""
    Pay.perform_later(7)
    Pay.set(wait=90).perform_later(7, "USD")
    assert_not_enqueued(Pay, params={"payment_id": 7})


@situation
def something_was_enqueued_in_the_window(jobs):
    """A job was enqueued inside of `with jobs.capture()`."""
    with jobs.capture() as sent:
        Pay.perform_later(7)
    assert_not_enqueued(within=sent)


@situation
def it_was_performed_all_the_same(jobs):
    """The job was performed."""
    Pay.perform_later(7)
    jobs.drain()
    assert_not_performed(Pay)
