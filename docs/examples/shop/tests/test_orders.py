"""An order is placed at once; what follows from it is recorded, and performed when the test says so."""

from __future__ import annotations

from unittest.mock import ANY

import pytest

from pytest_jobs import Jobs
from pytest_jobs.types import AssertEnqueued, AssertNotEnqueued, AssertNotPerformed, AssertPerformed
from shop.gateway import Charge, FakeGateway
from shop.jobs import NotificationJob, ProcessOrder, ProcessPayment, send_mail
from shop.mail import Mail, Outbox
from shop.models import Customer, Order, WebhookDelivery


def test_placing_an_order_enqueues_its_processing(
    customer: Customer, assert_enqueued: AssertEnqueued
) -> None:
    order = Order.place(customer, 4200)

    assert_enqueued(ProcessOrder, args=[order.id], queue="default", at=None)


def test_nothing_is_performed_before_the_test_says_so(
    jobs: Jobs, customer: Customer, gateway: FakeGateway
) -> None:
    Order.place(customer, 4200)

    assert len(jobs.pending) == 1
    assert len(jobs.performed) == 0
    assert gateway.charges == []


def test_draining_performs_the_order_and_everything_that_follows(
    jobs: Jobs, customer: Customer, gateway: FakeGateway, outbox: Outbox
) -> None:
    order = Order.place(customer, 4200)

    tally = jobs.drain()

    assert tally["performed"] == tally.total == 6
    assert Order.find(order.id).status == "paid"
    assert gateway.charges == [Charge("good", 4200)]
    assert outbox.sent == [
        Mail("ann@example.org", "We have your order 1"),
        Mail("ann@example.org", "Receipt of order 1"),
        Mail("ann@example.org", "Order 1 is on its way"),
    ]


def test_performing_one_job_tells_what_it_enqueued(
    jobs: Jobs, customer: Customer, assert_enqueued: AssertEnqueued
) -> None:
    Order.place(customer, 4200)

    delivery = jobs.perform(assert_enqueued(ProcessOrder))

    assert delivery.status == "performed"
    assert [child.job for child in delivery.enqueued] == [Order.confirm_later, ProcessPayment]
    assert len(jobs.pending) == 2


def test_what_is_due_can_be_performed_without_its_children(jobs: Jobs, customer: Customer) -> None:
    Order.place(customer, 4200)

    jobs.perform_due(children=False)

    assert [delivery.record.job for delivery in jobs.performed] == [ProcessOrder]


def test_performing_what_is_due_leaves_what_is_due_later(jobs: Jobs, customer: Customer) -> None:
    Order.place(customer, 4200)

    jobs.perform_due()

    assert [record.job for record in jobs.pending] == [NotificationJob]
    assert jobs.pending == jobs.scheduled


def test_payments_go_before_mail(jobs: Jobs, customer: Customer) -> None:
    Order.place(customer, 4200)

    jobs.perform_due()

    performed = [delivery.record.job for delivery in jobs.performed]
    assert performed[:2] == [ProcessOrder, ProcessPayment]
    assert performed[-2:] == [Order.confirm_later, send_mail]


def test_a_queue_can_be_drained_alone(jobs: Jobs, customer: Customer, outbox: Outbox) -> None:
    Order.place(customer, 4200)
    jobs.perform_due(only=ProcessOrder)

    jobs.drain(queue="mailers")

    assert outbox.sent == [Mail("ann@example.org", "We have your order 1")]
    assert [record.queue for record in jobs.pending] == ["payments"]


def test_jobs_can_be_left_out(
    jobs: Jobs, customer: Customer, assert_not_performed: AssertNotPerformed
) -> None:
    Order.place(customer, 4200)

    jobs.drain(exclude=[WebhookDelivery.deliver_later, NotificationJob])

    assert_not_performed(WebhookDelivery.deliver_later)
    assert_not_performed(NotificationJob)


def test_a_window_holds_what_was_enqueued_inside_it(
    jobs: Jobs,
    customer: Customer,
    assert_enqueued: AssertEnqueued,
    assert_not_enqueued: AssertNotEnqueued,
) -> None:
    order = Order.place(customer, 4200)

    with jobs.capture() as sent:
        jobs.drain(only=[ProcessOrder, ProcessPayment])

    assert len(sent) == 5
    assert_enqueued(send_mail, args=[ANY, f"Receipt of order {order.id}"], within=sent)
    assert_not_enqueued(ProcessOrder, within=sent)


def test_a_job_is_found_by_whatever_matters(
    customer: Customer, assert_enqueued: AssertEnqueued
) -> None:
    small, large = Order.place(customer, 500), Order.place(customer, 90_000)

    assert_enqueued(ProcessOrder, count=2)
    assert_enqueued(ProcessOrder, at_least=1, at_most=3)
    assert_enqueued(ProcessOrder, params={"order_id": small.id}, priority=None)
    assert_enqueued(ProcessOrder, where=lambda record: record.args == (large.id,))


def test_an_order_is_processed_once(
    jobs: Jobs,
    customer: Customer,
    assert_enqueued: AssertEnqueued,
    assert_performed: AssertPerformed,
) -> None:
    Order.place(customer, 4200).process_later()

    jobs.drain()

    assert_performed(ProcessOrder, count=2)
    assert_enqueued(ProcessPayment)


def test_a_job_can_be_performed_without_being_enqueued(
    customer: Customer, assert_enqueued: AssertEnqueued
) -> None:
    order = Order.place(customer, 4200)

    ProcessOrder.perform_now(order.id)

    assert_enqueued(ProcessPayment, args=[order.payment.id], queue="payments", priority=-10)


def test_an_order_that_is_not_there_yet_is_waited_for(
    jobs: Jobs, customer: Customer, assert_performed: AssertPerformed
) -> None:
    ProcessOrder.perform_later(1)
    jobs.perform_due()

    Order.place(customer, 4200)
    jobs.drain()

    assert_performed(ProcessOrder, attempt=2, args=[1])


def test_a_result_can_be_asked_for(jobs: Jobs, customer: Customer) -> None:
    Order.place(customer, 4200)
    jobs.drain()

    assert jobs.result_of(jobs.enqueued[0]) is None


def test_a_wrong_call_is_refused_when_it_is_made(assert_not_enqueued: AssertNotEnqueued) -> None:
    arguments = {"order": 1}

    with pytest.raises(TypeError, match="unexpected keyword argument 'order'"):
        ProcessOrder.perform_later(**arguments)

    assert_not_enqueued()
