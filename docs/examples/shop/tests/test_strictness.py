"""A strict test answers for every job: it looks at it, or performs it."""

from __future__ import annotations

import pytest

from pytest_jobs import Jobs
from pytest_jobs.types import AssertEnqueued
from shop.jobs import ProcessOrder
from shop.models import Customer, Order

pytestmark = pytest.mark.jobs(strict=True)


def test_a_job_that_was_asserted_is_accounted_for(
    customer: Customer, assert_enqueued: AssertEnqueued
) -> None:
    Order.place(customer, 4200)

    assert_enqueued(ProcessOrder)


def test_a_job_that_was_performed_is_accounted_for(jobs: Jobs, customer: Customer) -> None:
    Order.place(customer, 4200)

    jobs.drain()


@pytest.mark.xfail(raises=pytest.fail.Exception, strict=True)
def test_a_job_that_was_left_alone_fails_the_test(customer: Customer) -> None:
    Order.place(customer, 4200)


@pytest.mark.jobs(strict=False)
def test_a_test_can_be_let_off(customer: Customer) -> None:
    Order.place(customer, 4200)
