"""Situations in which an assertion fails, each with the whole message that it fails with."""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

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
from pytest_jobs.bridges.reference import ReferenceBridge
from pytest_jobs.core.settings import settings
from pytest_jobs.harness.jobs import Jobs

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
SITUATIONS = {}


def fails_with(text):
    """Declare a situation: a function of an open harness that calls an assertion at its end."""

    def declare(situation):
        SITUATIONS[situation.__name__] = situation, inspect.cleandoc(text)
        return situation

    return declare


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


@fails_with("""
Expected exactly 1 Pay enqueued
but no job was enqueued.

Next: make sure that the code which enqueues it ran, inside the test, and enqueued it: a plain \
call and `perform_now` run a job and enqueue nothing.
""")
def nothing_was_enqueued(jobs):
    assert_enqueued(Pay)


@fails_with("""
Expected exactly 1 Pay enqueued with
  params  payment_id=7
but no Pay was enqueued, only other jobs: 2 send_receipt, 1 Charge.

Next: make sure that the code which enqueues it ran, inside the test, and enqueued it: a plain \
call and `perform_now` run a job and enqueue nothing.
""")
def only_other_jobs_were_enqueued(jobs):
    send_receipt.perform_later(1)
    send_receipt.perform_later(2)
    Charge.perform_later()
    assert_enqueued(Pay, params={"payment_id": 7})


@fails_with("""
Expected exactly 1 Pay enqueued
but no Pay was enqueued, only other jobs: 1 Job0, 1 Job1, 1 Job2, 1 Job3, 1 Job4 and 2 more kinds.

Next: make sure that the code which enqueues it ran, inside the test, and enqueued it: a plain \
call and `perform_now` run a job and enqueue nothing.
""")
def jobs_of_many_kinds_were_enqueued(jobs):
    for number in range(7):
        make_job(f"Job{number}").perform_later()
    assert_enqueued(Pay)


def make_job(name):
    return type(name, (Job,), {"perform": lambda self: None, "__qualname__": name})


@fails_with("""
Expected exactly 1 Pay enqueued
but no Pay was enqueued, only other jobs: 1 Refund.

Hint: #0 Refund(7) is a Refund, a subclass of Pay. The class is matched exactly: name the subclass.

Next: name the class that is enqueued, or enqueue the class that is named.
""")
def only_a_subclass_was_enqueued(jobs):
    Refund.perform_later(7)
    assert_enqueued(Pay)


@fails_with("""
Expected exactly 1 Pay enqueued inside `within`
but no Pay was enqueued there, only other jobs: 1 send_receipt.

Hint: #0 Pay(7) matches, but lies outside of `within`: was it enqueued before or after the window?

Next: have `within` hold what is meant, or leave it out to look at the whole test.
""")
def it_was_enqueued_before_the_window(jobs):
    Pay.perform_later(7)
    with jobs.capture() as sent:
        send_receipt.perform_later(1)
    assert_enqueued(Pay, within=sent)


@fails_with("""
Expected exactly 1 Pay enqueued inside `within` with
  queue  'payments'
but no job was enqueued there.

Next: make sure that the code which enqueues it ran, inside the test, and enqueued it: a plain \
call and `perform_now` run a job and enqueue nothing.
""")
def the_window_is_empty(jobs):
    with jobs.capture() as sent:
        pass
    assert_enqueued(Pay, queue="payments", within=sent)


# What waits for a commit


@contextmanager
def transactions(*callbacks):
    """Open another harness, whose database has these callbacks."""
    with Jobs([ReferenceBridge()], transactions=[StubTransactions(*callbacks)]) as jobs:
        yield jobs


@fails_with("""
Expected exactly 1 send_receipt enqueued
but no job was enqueued.

Hint: 1 callback waits for commit: send_receipt.perform_later(7), registered at shop/views.py:12. \
jobs.commit() runs it.

Next: call jobs.commit() where the application would commit: the transaction of a test case never does.
""")
def it_waits_for_a_commit(jobs):
    with transactions(callback("send_receipt.perform_later(7)", owner=send_receipt)):
        assert_enqueued(send_receipt)


@fails_with("""
Expected exactly 1 send_receipt performed
but no job was performed.

Hint: 5 callbacks wait for commit: checkout.<locals>.<lambda>, registered at shop/views.py:12; \
clear_cache, registered at shop/views.py:14; send_receipt.perform_later(8), registered before the harness \
was opened; and 2 more. jobs.commit() runs them.

Next: call jobs.commit() where the application would commit: the transaction of a test case never does.
""")
def several_callbacks_wait_for_a_commit(jobs):
    early = replace(callback("send_receipt.perform_later(8)", owner=send_receipt), registered_at="")
    more = [callback("clear_cache", line=30), callback("clear_cache", line=31)]
    with transactions(
        callback("checkout.<locals>.<lambda>"), callback("clear_cache", line=14), early, *more
    ):
        assert_performed(send_receipt)


@fails_with("""
Expected exactly 1 send_receipt enqueued
but no send_receipt was enqueued, only other jobs: 1 Pay.

Hint: 1 callback was dropped by a rollback: send_receipt.perform_later(7), registered at shop/views.py:12.

Next: make sure that the code which enqueues it ran, inside the test, and enqueued it: a plain \
call and `perform_now` run a job and enqueue nothing.
""")
def a_rollback_dropped_it(jobs):
    dropped = callback(
        "send_receipt.perform_later(7)",
        state="dropped",
        dropped="by a rollback",
        owner=send_receipt,
    )
    with transactions(dropped):
        Pay.perform_later(7)
        assert_enqueued(send_receipt)


@fails_with("""
Expected exactly 1 send_receipt performed
but no job was performed.

Hint: 2 callbacks were dropped since warm_cache raised before it: send_receipt.perform_later(7), registered \
at shop/views.py:12; clear_cache, registered at shop/views.py:13.
Hint: 1 callback was dropped by a rollback: clear_cache, registered at shop/views.py:14.

Next: make sure that the code which enqueues it ran, inside the test, and enqueued it: a plain \
call and `perform_now` run a job and enqueue nothing.
""")
def a_callback_that_raised_dropped_it(jobs):
    behind = {"state": "dropped", "dropped": "since warm_cache raised before it"}
    rolled_back = {"state": "dropped", "dropped": "by a rollback"}
    with transactions(
        callback("send_receipt.perform_later(7)", **behind),
        callback("clear_cache", line=13, **behind),
        callback("clear_cache", line=14, **rolled_back),
    ):
        assert_performed(send_receipt)


@fails_with("""
Expected exactly 1 Pay enqueued
but no job was enqueued.

Next: make sure that the code which enqueues it ran, inside the test, and enqueued it: a plain \
call and `perform_now` run a job and enqueue nothing.
""")
def another_job_waits_for_a_commit(jobs):
    with transactions(callback("send_receipt.perform_later(7)", owner=send_receipt)):
        assert_enqueued(Pay)


# Another queue, time, argument


@fails_with("""
Expected exactly 1 Pay enqueued with
  queue  'low'
but the only Pay enqueued does not match.

Closest: #0 Pay(7) queue='payments'
  queue  differs  expected 'low', got 'payments'

Next: correct the code that enqueues it, or the expectation; drop a criterion that does not matter here.
""")
def it_went_to_another_queue(jobs):
    Pay.perform_later(7)
    assert_enqueued(Pay, queue="low")


@fails_with("""
Expected exactly 1 Pay enqueued with
  args  (7, 'EUR')
but the only Pay enqueued does not match.

Closest: #0 Pay(7, currency='USD') queue='payments'
  args  differs  currency: expected 'EUR', got 'USD'

Next: correct the code that enqueues it, or the expectation; drop a criterion that does not matter here.
""")
def one_argument_differs(jobs):
    Pay.perform_later(7, currency="USD")
    assert_enqueued(Pay, args=(7, "EUR"))


@fails_with("""
Expected exactly 1 send_receipt enqueued with
  params  copy=True
  queue   'mailers'
  wait    1m (+-1s)
but the only send_receipt enqueued does not match.

Closest: #0 send_receipt(7, copy=False) queue='mailers'
  params  differs  copy: expected True, got False
  queue   ok
  wait    differs  expected 1m (+-1s), got None

Next: correct the code that enqueues it, or the expectation; drop a criterion that does not matter here.
""")
def a_parameter_differs(jobs):
    send_receipt.perform_later(7, copy=False)
    assert_enqueued(send_receipt, params={"copy": True}, queue="mailers", wait=60)


@fails_with("""
Expected exactly 1 Pay enqueued with
  args      (9)
  priority  1
but none of the 8 Pay enqueued matches.

Closest: #1 Pay(1) queue='payments'
  args      differs  payment_id: expected 9, got 1
  priority  ok

Other Pay enqueued:
  #0  args (payment_id=0, currency='EUR'), priority 0
  #2  args (payment_id=2, currency='EUR'), priority 0
  #3  args (payment_id=3, currency='EUR'), priority 1
  #4  args (payment_id=4, currency='EUR'), priority 0
  #5  args (payment_id=5, currency='EUR'), priority 1
  ... and 2 more

Next: correct the code that enqueues it, or the expectation; drop a criterion that does not matter here.
""")
def none_of_several_matches(jobs):
    for payment_id in range(8):
        Pay.set(priority=payment_id % 2).perform_later(payment_id)
    assert_enqueued(Pay, args=(9,), priority=1)


@fails_with("""
Expected exactly 1 Pay enqueued with
  args      (8)
  params    currency='USD'
  queue     'low'
  priority  None
  at        2030-01-01 12:00:00+00:00 (+-1s)
  wait      1h (+-1s)
  attempt   2
  where     is_large
but the only Pay enqueued does not match.

Closest: #0 Pay(7) queue='payments' wait=1m
  args      differs  payment_id: expected 8, got 7
  params    differs  currency: expected 'USD', got 'EUR'
  queue     differs  expected 'low', got 'payments'
  priority  differs  expected None, got 1
  at        differs  expected 2030-01-01 12:00:00+00:00 (+-1s), got 2030-01-01 12:01:00+00:00, 1m later
  wait      differs  expected 1h (+-1s), got 1m
  attempt   differs  expected 2, got 1
  where     skipped  asked only where everything else is as expected

Next: correct the code that enqueues it, or the expectation; drop a criterion that does not matter here.
""")
def every_criterion_differs(jobs):
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


@fails_with("""
Expected exactly 1 Pay enqueued with
  where  is_large
but none of the 2 Pay enqueued matches.

Closest: #0 Pay(7) queue='payments'
  where  differs  is_large returned False

Other Pay enqueued:
  #1  where False

Next: correct the code that enqueues it, or the expectation; drop a criterion that does not matter here.
""")
def a_callable_says_no(jobs):
    Pay.perform_later(7)
    Pay.perform_later(8)
    assert_enqueued(Pay, where=is_large)


@fails_with("""
Expected exactly 1 Pay enqueued with
  at  2030-01-02 11:00:00+00:00 (+-1m)
but the only Pay enqueued does not match.

Closest: #0 Pay(7) queue='payments' wait=1d
  at  differs  expected 2030-01-02 11:00:00+00:00 (+-1m), got 2030-01-02 12:00:00+00:00, 1h later

Next: correct the code that enqueues it, or the expectation; drop a criterion that does not matter here.
""")
def it_is_due_later(jobs):
    Pay.set(wait=timedelta(days=1)).perform_later(7)
    assert_enqueued(Pay, at=NOON + timedelta(hours=23), tolerance=timedelta(minutes=1))


@fails_with("""
Expected exactly 1 Pay enqueued with
  wait  1d (exactly)
but the only Pay enqueued does not match.

Closest: #0 Pay(7) queue='payments'
  wait  differs  expected 1d (exactly), got None

Next: correct the code that enqueues it, or the expectation; drop a criterion that does not matter here.
""")
def it_is_due_at_once(jobs):
    Pay.perform_later(7)
    assert_enqueued(Pay, wait=timedelta(days=1), tolerance=timedelta(0))


@fails_with("""
Expected exactly 1 Pay enqueued with
  wait  None
but the only Pay enqueued does not match.

Closest: #0 Pay(7) queue='payments' wait=5m
  wait  differs  expected None, got 5m

Next: correct the code that enqueues it, or the expectation; drop a criterion that does not matter here.
""")
def it_was_to_be_due_at_once(jobs):
    Pay.set(wait=300).perform_later(7)
    assert_enqueued(Pay, wait=None)


@fails_with("""
Expected exactly 1 ShipItems enqueued with
  args  ([{'price': 0, 'sku': 'article 0'}, {'...: 'article 5'}, ...])
but the only ShipItems enqueued does not match.

Closest: #0 ShipItems([{'price': 0, 'sku': 'article 0'}, {'...: 'article 5'}, ...]) queue='default'
  args  differs  items: - expected, + got:
                      {'sku': 'article 3', 'price': 30},
                   -  {'sku': 'article 4', 'price': 41},
                   +  {'sku': 'article 4', 'price': 40},
                      {'sku': 'article 5', 'price': 50},

Next: correct the code that enqueues it, or the expectation; drop a criterion that does not matter here.
""")
def a_large_argument_differs(jobs):
    ShipItems.perform_later(items(9, price=lambda index: index * 10))
    assert_enqueued(ShipItems, args=(items(9, price=lambda index: index * 10 + (index == 4)),))


@fails_with("""
Expected exactly 1 ShipItems enqueued with
  params  items=[{'price': 0, 'sku': 'article 0'}, {'...: 'article 5'}, ..... t...t to ...ight to the right ']
but the only ShipItems enqueued does not match.

Closest: #0 ShipItems([{'price': 0, 'sku': 'article 0'}, {'...'sku': 'article 5'}], {'...o ...eft t... left to \
the left ']) queue='default'
  params  differs  items: - expected, + got:
                        {'sku': 'article 4', 'price': 4},
                     -  {'sku': 'article 5', 'price': 5},
                     -  {'sku': 'article 6', 'price': 6}]
                     +  {'sku': 'article 5', 'price': 5}]
                   address: - expected, + got:
                        'town': 'Middle of Nowhere',
                     -  'country': 'Somewhere'}
                     +  'country': 'Nowhere'}
                   notes: - expected, + got:
                     - ['to the right to the right to the right to the right to '
                     -  'the right to the right to the right to the right ']
                   ... and 2 more lines

Next: correct the code that enqueues it, or the expectation; drop a criterion that does not matter here.
""")
def several_large_arguments_differ(jobs):
    address = {"street": "1 Long Lane", "town": "Middle of Nowhere", "country": "Nowhere"}
    ShipItems.perform_later(items(6, price=int), address, notes=["to the left " * 8])
    expected = {"items": items(7, price=int), "address": {**address, "country": "Somewhere"}}
    assert_enqueued(ShipItems, params={**expected, "notes": ["to the right " * 8]})


@fails_with("""
Expected exactly 1 Order.ship_later enqueued with
  args  (<Order 6>)
but the only Order.ship_later enqueued does not match.

Closest: #0 Order.ship_later(<Order 5>) queue='default'
  args  differs  record: expected <Order 6>, got <Order 5>

Next: correct the code that enqueues it, or the expectation; drop a criterion that does not matter here.
""")
def another_record(jobs):
    Order(5).ship_later()
    assert_enqueued(Order.ship_later, args=(Order(6),))


@fails_with("""
Expected exactly 1 Pay enqueued with
  args  (7)
but the only Pay enqueued does not match.

Closest: #0 Pay(unreadable: DeserializationError) queue='default'
  args  differs  the arguments cannot be read: DeserializationError: The payload refers to the shop.Order 5, \
and no `reference` says how to find it.

Next: correct the code that enqueues it, or the expectation; drop a criterion that does not matter here.
""")
def the_arguments_cannot_be_read(jobs):
    arguments = '{"tagged":[[{"~":"record","v":5,"t":"shop.Order"}],{}]}'
    payload = Payload(
        Pay, f"{__name__}.Pay", "1" * 32, "default", None, arguments, 1, None, 10**18, None
    )
    settings.adapter.enqueue(payload)
    assert_enqueued(Pay, args=(7,))


@fails_with("""
Expected exactly 1 Charge enqueued with
  wait  30s (+-1s)
but the only Charge enqueued does not match.

Closest: #0 Charge('timeout') queue='default'
  wait  differs  expected 30s (+-1s), got None

Hint: #1 Charge('timeout') matches, but is a retry: ask for retries with attempt=2.

Next: correct the code that enqueues it, or the expectation; drop a criterion that does not matter here.
""")
def only_a_retry_matches(jobs):
    Charge.perform_later("timeout")
    jobs.drain()
    assert_enqueued(Charge, wait=30)


# Another number


@fails_with("""
Expected exactly 1 Pay enqueued
but 2 match:
  #0 Pay(7) queue='payments'
  #1 Pay(8) queue='low' wait=1m

Hint: they differ in args, queue, wait.

Next: write count=, at_least= or at_most= if several are right, or narrow it with another criterion.
""")
def two_match_that_differ(jobs):
    Pay.perform_later(7)
    Pay.set(queue="low", wait=60).perform_later(8)
    assert_enqueued(Pay)


@fails_with("""
Expected exactly 1 Pay enqueued with
  args  (7)
but 2 match:
  #0 Pay(7) queue='payments'
  #1 Pay(7) queue='payments'

Hint: they are all alike: the same job may have been enqueued more than once by mistake.

Next: write count=, at_least= or at_most= if several are right, or narrow it with another criterion.
""")
def two_match_that_are_alike(jobs):
    Pay.perform_later(7)
    Pay.perform_later(7)
    assert_enqueued(Pay, args=(7,))


@fails_with("""
Expected exactly 1 Pay enqueued
but 12 match:
  #0 Pay(0) queue='payments'
  #1 Pay(1) queue='payments'
  #2 Pay(2) queue='payments'
  #3 Pay(3) queue='payments'
  #4 Pay(4) queue='payments'
  ... and 7 more

Hint: they differ in args.

Next: write count=, at_least= or at_most= if several are right, or narrow it with another criterion.
""")
def many_match(jobs):
    for payment_id in range(12):
        Pay.perform_later(payment_id)
    assert_enqueued(Pay)


@fails_with("""
Expected 1 to 2 Pay enqueued
but 3 match:
  #0 Pay(0) queue='payments'
  #1 Pay(1) queue='payments'
  #2 Pay(2) queue='payments'

Hint: they differ in args.

Next: correct the code or the number, or narrow it with another criterion.
""")
def more_match_than_were_counted(jobs):
    for payment_id in range(3):
        Pay.perform_later(payment_id)
    assert_enqueued(Pay, at_least=1, at_most=2)


@fails_with("""
Expected exactly 0 Pay enqueued
but 1 matches:
  #0 Pay(7) queue='payments'

Next: correct the code or the number, or narrow it with another criterion.
""")
def one_matches_that_should_not(jobs):
    Pay.perform_later(7)
    assert_enqueued(Pay, count=0)


@fails_with("""
Expected exactly 2 Pay enqueued with
  queue  'payments'
but 1 matches:
  #0 Pay(7) queue='payments'

Other Pay enqueued:
  #1 Pay(8) queue='low'

Next: look at jobs.enqueued and jobs.deliveries for what there is, or correct the number.
""")
def fewer_match_than_were_counted(jobs):
    Pay.perform_later(7)
    Pay.set(queue="low").perform_later(8)
    assert_enqueued(Pay, queue="payments", count=2)


@fails_with("""
Expected at least 2 Pay enqueued
but no job was enqueued.

Next: make sure that the code which enqueues it ran, inside the test, and enqueued it: a plain \
call and `perform_now` run a job and enqueue nothing.
""")
def none_of_the_counted_was_enqueued(jobs):
    assert_enqueued(Pay, at_least=2)


@fails_with("""
Expected 2 to 3 Pay enqueued with
  queue  'payments'
but 1 matches:
  #0 Pay(0) queue='payments'

Other Pay enqueued:
  #1 Pay(1) queue='low'
  #2 Pay(2) queue='low'
  #3 Pay(3) queue='low'
  #4 Pay(4) queue='low'
  #5 Pay(5) queue='low'
  ... and 3 more

Next: look at jobs.enqueued and jobs.deliveries for what there is, or correct the number.
""")
def many_others_do_not_match(jobs):
    for payment_id in range(9):
        Pay.set(queue="low" if payment_id else None).perform_later(payment_id)
    assert_enqueued(Pay, queue="payments", at_least=2, at_most=3)


# What became of it


@fails_with("""
Expected exactly 1 Pay performed
but no job was performed.

Hint: no Pay was enqueued either.

Next: make sure that the code which enqueues it ran, inside the test, and enqueued it: a plain \
call and `perform_now` run a job and enqueue nothing.
""")
def it_was_never_enqueued(jobs):
    assert_performed(Pay)


@fails_with("""
Expected exactly 1 Pay performed
but no job was performed.

Hint: #0 Pay(7) is pending: nothing has performed it yet. Call jobs.perform_due() or jobs.drain() first.

Next: perform the jobs first; jobs.drain() performs all of them, whenever they are due.
""")
def it_was_not_performed_yet(jobs):
    Pay.perform_later(7)
    assert_performed(Pay)


@fails_with("""
Expected exactly 1 Pay performed with
  args  (9)
but no job was performed.

Next: perform the jobs first; jobs.drain() performs all of them, whenever they are due.
""")
def another_one_was_not_performed_yet(jobs):
    Pay.perform_later(7)
    assert_performed(Pay, args=(9,))


@fails_with("""
Expected exactly 1 Pay performed with
  params  payment_id=7
but no job was performed.

Hint: #0 Pay(7) is due in 2h: jobs.perform_due() leaves it, jobs.drain() or jobs.run_for(...) performs it.

Next: perform the jobs first; jobs.drain() performs all of them, whenever they are due.
""")
def it_is_not_due_yet(jobs):
    Pay.set(wait=timedelta(hours=2)).perform_later(7)
    jobs.perform_due()
    assert_performed(Pay, params={"payment_id": 7})


@fails_with("""
Expected exactly 1 Charge performed
but no job was performed.

Hint: this became of it: #0 Charge('timeout') retried again in 30s: TimeoutError: no answer from the bank
Hint: #1 Charge('timeout') is due in 30s: jobs.perform_due() leaves it, jobs.drain() or jobs.run_for(...) \
performs it.

Next: perform the jobs first; jobs.drain() performs all of them, whenever they are due.
""")
def it_waits_for_its_next_attempt(jobs):
    Charge.perform_later("timeout")
    jobs.perform_due()
    assert_performed(Charge)


@fails_with("""
Expected exactly 2 Pay performed
but 1 matches:
  #0 Pay(7) performed

Hint: #1 Pay(8) is due in 1m: jobs.perform_due() leaves it, jobs.drain() or jobs.run_for(...) performs it.

Next: look at jobs.enqueued and jobs.deliveries for what there is, or correct the number.
""")
def one_was_performed_and_one_waits(jobs):
    Pay.perform_later(7)
    Pay.set(wait=60).perform_later(8)
    jobs.perform_due()
    assert_performed(Pay, count=2)


@fails_with("""
Expected exactly 1 Charge performed
but no job was performed.

Hint: this became of it: #0 Charge('value') failed: ValueError: no answer from the bank

Next: correct the job, or assert what became of it; jobs.deliveries shows every attempt.
""")
def it_failed(jobs):
    Charge.perform_later("value")
    jobs.drain(raise_errors=False)
    assert_performed(Charge)


@fails_with("""
Expected exactly 1 Pay failed
but no job failed.

Hint: this became of it: #0 Pay(7) performed

Next: correct the job, or assert what became of it; jobs.deliveries shows every attempt.
""")
def it_was_performed_and_did_not_fail(jobs):
    Pay.perform_later(7)
    jobs.drain()
    assert_failed(Pay)


@fails_with("""
Expected exactly 1 Charge discarded
but no job was discarded.

Hint: this became of it: #0 Charge('timeout', 'timeout') retried again in 30s: TimeoutError: no answer from \
the bank
Hint: this became of it: #1 Charge('timeout', 'timeout') exhausted: TimeoutError: no answer from the bank

Next: correct the job, or assert what became of it; jobs.deliveries shows every attempt.
""")
def it_ran_out_of_attempts(jobs):
    Charge.perform_later("timeout", "timeout")
    jobs.drain(raise_errors=False)
    assert_discarded(Charge)


@fails_with("""
Expected exactly 1 Pay failed
but no Pay failed, only other jobs: 1 Charge.

Hint: this became of it: #1 Pay(7) performed

Next: correct the job, or assert what became of it; jobs.deliveries shows every attempt.
""")
def another_job_failed(jobs):
    Charge.perform_later("value")
    Pay.perform_later(7)
    jobs.drain(raise_errors=False)
    assert_failed(Pay)


@fails_with("""
Expected exactly 1 Pay performed with
  result  'paid 8'
but the only Pay performed does not match.

Closest: #0 Pay(7) performed
  result  differs  expected 'paid 8', got 'paid 7'

Next: correct the job, or the expectation; drop a criterion that does not matter here.
""")
def it_returned_something_else(jobs):
    Pay.perform_later(7)
    jobs.drain()
    assert_performed(Pay, result="paid 8")


@fails_with("""
Expected exactly 1 Charge retried with
  wait   30s (+-1s)
  error  ConnectionError
but the only Charge retried does not match.

Closest: #0 Charge('timeout') retried again in 30s: TimeoutError: no answer from the bank
  wait   ok
  error  differs  expected ConnectionError, got TimeoutError: no answer from the bank

Next: correct the job, or the expectation; drop a criterion that does not matter here.
""")
def it_raised_another_error(jobs):
    Charge.perform_later("timeout")
    jobs.drain()
    assert_retried(Charge, error=ConnectionError, wait=30)


@fails_with("""
Expected exactly 1 Charge discarded with
  at     2030-01-01 12:00:00+00:00 (+-1s)
  error  CardExpired('card 7')
but the only Charge discarded does not match.

Closest: #0 Charge('expired') discarded: CardExpired: no answer from the bank
  at     ok
  error  differs  expected CardExpired('card 7'), got CardExpired: no answer from the bank

Next: correct the job, or the expectation; drop a criterion that does not matter here.
""")
def it_was_discarded_with_another_message(jobs):
    Charge.perform_later("expired")
    jobs.drain()
    assert_discarded(Charge, error=CardExpired("card 7"), at=NOON)


@fails_with("""
Expected exactly 1 Pay performed inside `within`
but no job was performed there.

Hint: #0 Pay(7) matches, but lies outside of `within`: was it enqueued before or after the window?
Hint: #1 Pay(8) is pending: nothing has performed it yet. Call jobs.perform_due() or jobs.drain() first.

Next: perform the jobs first; jobs.drain() performs all of them, whenever they are due.
""")
def its_delivery_lies_outside_the_window(jobs):
    Pay.perform_later(7)
    jobs.drain()
    with jobs.capture() as sent:
        Pay.perform_later(8)
    assert_performed(Pay, within=sent)


@fails_with("""
Expected exactly 1 Pay performed inside `within` with
  args  (7)
but no job was performed there.

Hint: #0 Pay(7) matches, but lies outside of `within`: was it enqueued before or after the window?

Next: have `within` hold what is meant, or leave it out to look at the whole test.
""")
def its_delivery_is_not_that_of_the_window(jobs):
    Pay.perform_later(7)
    jobs.drain()
    with jobs.capture() as sent:
        Pay.perform_later(8)
    assert_performed(Pay, args=(7,), within=sent)


@fails_with("""
Expected exactly 1 Pay performed inside `within`
but no Pay was performed there, only other jobs: 1 send_receipt.

Hint: #0 Pay(7) matches, but lies outside of `within`: was it enqueued before or after the window?

Next: have `within` hold what is meant, or leave it out to look at the whole test.
""")
def it_was_performed_outside_the_window(jobs):
    Pay.perform_later(7)
    jobs.drain()
    with jobs.capture() as sent:
        send_receipt.perform_later(1)
    jobs.drain()
    assert_performed(Pay, within=sent)


@fails_with("""
Expected exactly 1 Pay performed
but no Pay was performed, only other jobs: 1 Refund.

Hint: #0 Refund(7) is a Refund, a subclass of Pay. The class is matched exactly: name the subclass.

Next: name the class that is enqueued, or enqueue the class that is named.
""")
def its_subclass_was_performed(jobs):
    Refund.perform_later(7)
    jobs.drain()
    assert_performed(Pay)


# What should not have happened


@fails_with("""
Expected no Pay enqueued
but 1 was enqueued:
  #0 Pay(7) queue='payments'

Next: keep the code from doing it, or narrow the assertion to what must not happen.
""")
def it_was_enqueued_all_the_same(jobs):
    Pay.perform_later(7)
    assert_not_enqueued(Pay)


@fails_with("""
Expected no Pay enqueued with
  params  payment_id=7
but 2 were enqueued:
  #0 Pay(7) queue='payments'
  #1 Pay(7, 'USD') queue='payments' wait=1m 30s

Next: keep the code from doing it, or narrow the assertion to what must not happen.
""")
def it_was_enqueued_with_these_arguments(jobs):
    Pay.perform_later(7)
    Pay.set(wait=90).perform_later(7, "USD")
    assert_not_enqueued(Pay, params={"payment_id": 7})


@fails_with("""
Expected no job enqueued inside `within`
but 1 was enqueued:
  #0 Pay(7) queue='payments'

Next: keep the code from doing it, or narrow the assertion to what must not happen.
""")
def something_was_enqueued_in_the_window(jobs):
    with jobs.capture() as sent:
        Pay.perform_later(7)
    assert_not_enqueued(within=sent)


@fails_with("""
Expected no Pay performed
but 1 was performed:
  #0 Pay(7) performed

Next: keep the code from doing it, or narrow the assertion to what must not happen.
""")
def it_was_performed_all_the_same(jobs):
    Pay.perform_later(7)
    jobs.drain()
    assert_not_performed(Pay)
