"""A job waits for the commit of what it is about, and is dropped when that is rolled back."""

from __future__ import annotations

import pytest

from pytest_jobs import Jobs
from pytest_jobs.types import AssertEnqueued, AssertNotEnqueued, AssertPerformed
from shop import db
from shop.jobs import NotificationJob, ProcessOrder
from shop.models import Customer, NotificationBundle, Order


def place_an_order_in_vain(customer: Customer) -> None:
    with db.unit_of_work():
        Order.place(customer, 4200)
        raise OSError("disk full")


def test_an_order_is_processed_when_all_of_it_is_committed(
    jobs: Jobs,
    customer: Customer,
    assert_enqueued: AssertEnqueued,
    assert_not_enqueued: AssertNotEnqueued,
) -> None:
    with db.unit_of_work():
        order = Order.place(customer, 4200)
        assert_not_enqueued(ProcessOrder)
        assert [job.state for job in jobs.waiting_for_commit] == ["waiting"]

    assert_enqueued(ProcessOrder, args=[order.id])


def test_an_order_that_is_rolled_back_is_not_processed(
    jobs: Jobs, customer: Customer, assert_not_enqueued: AssertNotEnqueued
) -> None:
    with pytest.raises(OSError, match="disk full"):
        place_an_order_in_vain(customer)

    assert db.rows("SELECT * FROM orders") == []
    assert_not_enqueued(ProcessOrder)
    assert [job.text for job in jobs.dropped_by_rollback] == ["ProcessOrder.perform_later(1)"]


def test_many_jobs_wait_as_one_does(
    jobs: Jobs, customer: Customer, assert_enqueued: AssertEnqueued
) -> None:
    with db.unit_of_work():
        NotificationBundle.add(customer, "Order 1 is on its way")
        with jobs.capture() as sent:
            NotificationBundle.deliver_all_later()
        assert len(sent) == 0

    assert_enqueued(NotificationJob, at=None)


def test_inline_too_a_job_is_performed_after_the_commit(
    jobs: Jobs, customer: Customer, assert_performed: AssertPerformed
) -> None:
    with jobs.inline(), db.unit_of_work():
        Order.place(customer, 4200)
        assert len(jobs.performed) == 0

    assert_performed(ProcessOrder)
