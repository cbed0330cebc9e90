"""Inline, each job is performed as soon as it is due, for a block or for a whole test."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pytest_jobs import Jobs
from pytest_jobs.types import AssertPerformed
from shop.gateway import CardDeclined, GatewayTimeout
from shop.jobs import NotificationJob, ProcessOrder, ProcessPayment, send_mail
from shop.models import Customer, Order, WebhookDelivery


def test_a_block_performs_what_it_enqueues(jobs: Jobs, customer: Customer) -> None:
    with jobs.inline():
        order = Order.place(customer, 4200)
        assert Order.find(order.id).status == "paid"


def test_a_block_can_be_for_some_jobs(
    jobs: Jobs, customer: Customer, assert_performed: AssertPerformed
) -> None:
    with jobs.inline(only=[ProcessOrder, ProcessPayment]):
        Order.place(customer, 4200)

    assert_performed(ProcessPayment)
    assert {record.job for record in jobs.pending} >= {send_mail, WebhookDelivery.deliver_later}


def test_what_is_due_later_waits_for_the_clock(jobs: Jobs, customer: Customer) -> None:
    with jobs.inline():
        Order.place(customer, 4200)

    assert [record.job for record in jobs.pending] == [NotificationJob]
    jobs.run_for(timedelta(minutes=30))
    assert len(jobs.pending) == 0


def test_a_retry_waits_for_the_clock_too(jobs: Jobs, customer: Customer) -> None:
    jobs.fail(ProcessPayment, raising=GatewayTimeout, times=1)
    with jobs.inline():
        order = Order.place(customer, 4200)

    assert order.payment.status == "open"
    jobs.run_for(3)
    assert order.payment.status == "completed"


def test_the_error_of_a_job_is_raised_at_the_end_of_the_block(
    jobs: Jobs, customer: Customer
) -> None:
    with pytest.raises(CardDeclined), jobs.inline():
        Order.place(customer, 4200, card="declined")


@pytest.mark.jobs(mode="inline")
def test_a_whole_test_can_be_inline(customer: Customer) -> None:
    order = Order.place(customer, 4200)

    assert Order.find(order.id).status == "paid"


@pytest.mark.jobs(mode="inline", raise_at="enqueue")
def test_errors_can_be_raised_where_the_job_is_enqueued(customer: Customer) -> None:
    with pytest.raises(CardDeclined):
        Order.place(customer, 4200, card="declined")
