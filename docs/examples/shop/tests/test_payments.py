"""A payment is retried when the gateway is slow, given up when the card is bad, and never made twice."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pytest_jobs import Jobs, VirtualClock
from pytest_jobs.types import (
    AssertDiscarded,
    AssertEnqueued,
    AssertFailed,
    AssertNotEnqueued,
    AssertNotPerformed,
    AssertPerformed,
    AssertRetried,
)
from shop import db
from shop.gateway import CardDeclined, CardExpired, Charge, FakeGateway, GatewayTimeout
from shop.jobs import ProcessPayment, send_mail
from shop.models import Customer, Order, Payment, WebhookDelivery


@pytest.fixture
def payment(customer: Customer, jobs: Jobs) -> Payment:
    """The payment of an order that is being processed."""
    order = Order.place(customer, 4200)
    jobs.perform_due(children=False)
    return order.payment


def test_a_timeout_of_the_gateway_is_survived(
    jobs: Jobs,
    payment: Payment,
    gateway: FakeGateway,
    assert_retried: AssertRetried,
    assert_performed: AssertPerformed,
) -> None:
    jobs.fail(ProcessPayment, raising=GatewayTimeout, times=2)

    jobs.drain(only=ProcessPayment)

    assert_retried(ProcessPayment, attempt=1, wait=3)
    assert_retried(ProcessPayment, attempt=2, wait=timedelta(seconds=18))
    assert_performed(ProcessPayment, attempt=3)
    assert gateway.charges == [Charge("good", 4200)]


def test_some_attempts_can_be_made_to_fail(
    jobs: Jobs, payment: Payment, assert_retried: AssertRetried
) -> None:
    with jobs.fail(ProcessPayment, raising=GatewayTimeout("slow"), on=[1, 2]) as fault:
        jobs.drain(only=ProcessPayment)

    assert fault.hits == 2
    assert_retried(ProcessPayment, error=GatewayTimeout, count=2)
    assert Payment.find(payment.id).status == "completed"


def test_a_charge_is_not_repeated_when_the_job_fails_after_it(
    jobs: Jobs, payment: Payment, gateway: FakeGateway
) -> None:
    jobs.fail(ProcessPayment, raising=GatewayTimeout, on=[1], after=True)

    jobs.drain()

    assert gateway.charges == [Charge("good", 4200)]


def test_a_charge_is_not_repeated_when_its_answer_is_lost(
    jobs: Jobs, payment: Payment, gateway: FakeGateway, assert_retried: AssertRetried
) -> None:
    gateway.lost_answers = 2

    jobs.drain()

    assert_retried(ProcessPayment, count=2)
    assert gateway.charges == [Charge("good", 4200)]


def test_a_charge_is_not_repeated_when_the_queue_delivers_the_job_twice(
    jobs: Jobs,
    payment: Payment,
    gateway: FakeGateway,
    assert_enqueued: AssertEnqueued,
    assert_performed: AssertPerformed,
) -> None:
    record = assert_enqueued(ProcessPayment)
    jobs.drain()

    again = jobs.redeliver(record)
    jobs.drain()

    assert again.job_id == record.job_id
    assert_performed(ProcessPayment, count=2)
    assert gateway.charges == [Charge("good", 4200)]


def test_a_gateway_that_never_answers_is_given_up(
    jobs: Jobs, payment: Payment, assert_failed: AssertFailed
) -> None:
    jobs.fail(ProcessPayment, raising=GatewayTimeout)

    with pytest.raises(GatewayTimeout):
        jobs.drain()

    exhausted = assert_failed(ProcessPayment, attempt=5)
    assert exhausted.status == "exhausted"
    assert exhausted.next is None
    assert list(jobs.dead) == [exhausted]
    assert Payment.find(payment.id).status == "open"


def test_an_error_can_be_left_to_the_assertions(
    jobs: Jobs, payment: Payment, assert_failed: AssertFailed
) -> None:
    jobs.fail(ProcessPayment, raising=GatewayTimeout)

    tally = jobs.drain(raise_errors=False)

    assert tally["retried"] == 4
    assert tally["exhausted"] == 1
    assert_failed(ProcessPayment, error=GatewayTimeout)


def test_a_bank_that_says_no_fails_the_job(jobs: Jobs, customer: Customer) -> None:
    Order.place(customer, 4200, card="declined")

    with pytest.raises(CardDeclined):
        jobs.drain()

    assert [delivery.status for delivery in jobs.failed] == ["failed"]


def test_what_is_left_after_an_error_is_still_pending(
    jobs: Jobs, customer: Customer, assert_performed: AssertPerformed
) -> None:
    Order.place(customer, 4200, card="declined")
    with pytest.raises(CardDeclined):
        jobs.drain()

    jobs.drain()

    assert_performed(Order.confirm_later)


def test_failed_jobs_are_kept_for_review(jobs: Jobs, customer: Customer) -> None:
    Order.place(customer, 4200, card="declined")

    jobs.drain(raise_errors=False)

    kept = db.rows("SELECT job, error FROM failed_jobs")
    assert kept == [{"job": "ProcessPayment", "error": "CardDeclined"}]


def test_an_expired_card_is_discarded_and_another_asked_for(
    jobs: Jobs,
    customer: Customer,
    assert_discarded: AssertDiscarded,
    assert_enqueued: AssertEnqueued,
    assert_not_performed: AssertNotPerformed,
) -> None:
    order = Order.place(customer, 4200, card="expired")

    jobs.drain()

    assert_discarded(ProcessPayment, error=CardExpired)
    assert_not_performed(ProcessPayment)
    assert_enqueued(send_mail, kwargs={"to": customer.email, "subject": "Your card has expired"})
    assert order.payment.status == "card expired"


def test_an_expired_card_tells_nobody_else(
    jobs: Jobs, customer: Customer, assert_not_enqueued: AssertNotEnqueued
) -> None:
    Order.place(customer, 4200, card="expired")

    jobs.drain()

    assert_not_enqueued(WebhookDelivery.deliver_later)
    assert_not_enqueued(send_mail, params={"subject": "Receipt of order 1"})


def test_a_slow_gateway_does_not_slow_the_tests(
    jobs: Jobs,
    jobs_clock: VirtualClock,
    payment: Payment,
    gateway: FakeGateway,
) -> None:
    gateway.seconds_to_answer = 45
    before = jobs_clock.now()

    jobs.drain(only=ProcessPayment)

    assert jobs_clock.now() - before >= timedelta(seconds=45)


def test_payments_that_were_given_up_are_sent_once_more_when_the_gateway_is_back(
    jobs: Jobs, payment: Payment, gateway: FakeGateway
) -> None:
    with jobs.fail(ProcessPayment, raising=GatewayTimeout):
        jobs.drain(raise_errors=False)

    jobs.redrive_all()
    jobs.drain()

    assert gateway.charges == [Charge("good", 4200)]
    assert jobs.dead == []
