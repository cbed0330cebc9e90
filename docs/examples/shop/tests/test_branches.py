"""A job belongs to the branch of the shop that it was made for, and knows nothing of the others."""

from __future__ import annotations

from pytest_jobs import Jobs
from pytest_jobs.types import AssertEnqueued
from shop.current import Current
from shop.jobs import ProcessOrder
from shop.mail import Outbox
from shop.models import Customer, Order


def test_an_order_takes_its_branch_along(assert_enqueued: AssertEnqueued) -> None:
    with Current.set(branch="north"):
        Order.place(Customer.create("ann@example.org"), 4200)

    record = assert_enqueued(ProcessOrder)

    assert Current.carried_by(record) == {"branch": "north"}


def test_everything_that_follows_from_it_is_done_for_that_branch(
    jobs: Jobs, outbox: Outbox
) -> None:
    with Current.set(branch="north"):
        Order.place(Customer.create("ann@example.org"), 4200)

    jobs.drain()

    assert {mail.branch for mail in outbox.sent} == {"north"}


def test_one_worker_serves_two_branches_and_mixes_nothing_up(jobs: Jobs, outbox: Outbox) -> None:
    with Current.set(branch="north"):
        Order.place(Customer.create("ann@example.org"), 4200)
    with Current.set(branch="south"):
        Order.place(Customer.create("bob@example.org"), 99)

    jobs.drain()

    assert {(mail.to, mail.branch) for mail in outbox.sent} == {
        ("ann@example.org", "north"),
        ("bob@example.org", "south"),
    }


def test_a_job_leaves_the_branch_of_the_test_alone(jobs: Jobs, customer: Customer) -> None:
    Order.place(customer, 4200)

    with Current.set(branch="south"):
        jobs.drain()
        assert Current.branch == "south"

    assert Current.branch == "main"
