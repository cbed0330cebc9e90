"""Jobs are taken from their queues in the order of the file that the workers read."""

from __future__ import annotations

import pytest

from pytest_jobs import Jobs
from pytest_jobs.errors import UnservedQueueError
from shop.jobs import ForgetFailedJobs, ProcessOrder, send_mail
from shop.models import Customer, Order, WebhookDelivery


def test_the_queue_that_matters_most_goes_first(jobs: Jobs, customer: Customer) -> None:
    ForgetFailedJobs.perform_later(days=90)
    send_mail.perform_later(customer.email, "Welcome")
    WebhookDelivery.create("https://books.example/new", "ann").deliver_later()
    payment = Order.place(customer, 4200).payment
    payment.process_later()

    jobs.perform_due(children=False)

    queues = [delivery.record.queue for delivery in jobs.performed]
    assert queues == ["payments", "webhooks", "default", "mailers", "low"]


@pytest.mark.jobs(queues=None)
def test_without_the_file_the_first_that_came_goes_first(jobs: Jobs, customer: Customer) -> None:
    send_mail.perform_later(customer.email, "Welcome")
    Order.place(customer, 4200)

    jobs.perform_due(children=False)

    assert [delivery.record.job for delivery in jobs.performed] == [send_mail, ProcessOrder]


def test_a_queue_that_no_worker_serves_is_an_error(jobs: Jobs) -> None:
    delivery = WebhookDelivery.create("https://books.example/new", "ann")
    delivery.deliver_later.set(queue="webhoks")()

    with pytest.raises(UnservedQueueError, match="did you mean 'webhooks'"):
        jobs.drain()
