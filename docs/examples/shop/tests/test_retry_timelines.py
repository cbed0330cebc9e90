"""The retries of a job are a schedule that can be looked at, days of it in no time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pytest_jobs import Jobs
from pytest_jobs.types import AssertNotEnqueued
from shop import db
from shop.gateway import CardExpired, GatewayTimeout
from shop.jobs import ProcessPayment
from shop.models import Customer, Order, Payment, WebhookDelivery
from shop.web import ServerUnavailable

AS_TEXT = """\
ProcessPayment: exhausted after 5 attempts in 6m 2s
attempt  starts   waits                                                   ends
1        +0s      3s (3s to 3.15s)              #                         retried: GatewayTimeout: no answer
2        +3s      18s (18s to 20.4s)            ##                        retried: GatewayTimeout: no answer
3        +21s     1m 23s (1m 23s to 1m 35.15s)  ########                  retried: GatewayTimeout: no answer
4        +1m 44s  4m 18s (4m 18s to 4m 56.4s)   ########################  retried: GatewayTimeout: no answer
5        +6m 2s   -                                                       exhausted: GatewayTimeout: no answer"""


@pytest.fixture
def payment(customer: Customer, jobs: Jobs) -> Payment:
    return Order.place(customer, 4200).payment


def test_a_payment_is_tried_for_six_minutes(jobs: Jobs) -> None:
    timeline = jobs.simulate_retries(ProcessPayment, raising=GatewayTimeout("no answer"))

    assert timeline.wait_seconds == [3, 18, 83, 258]
    assert timeline.total == timedelta(minutes=6, seconds=2)
    assert timeline.status == "exhausted"


def test_a_timeline_can_be_read(jobs: Jobs) -> None:
    timeline = jobs.simulate_retries(ProcessPayment, raising=GatewayTimeout("no answer"))

    assert str(timeline) == AS_TEXT


def test_a_timeline_can_end_well(jobs: Jobs) -> None:
    timeline = jobs.simulate_retries(ProcessPayment, raising=GatewayTimeout, succeed_on=3)

    assert timeline.status == "performed"
    assert [attempt.status for attempt in timeline.attempts] == ["retried", "retried", "performed"]


def test_a_timeline_shows_that_nothing_is_retried(jobs: Jobs, payment: Payment) -> None:
    timeline = jobs.simulate_retries(ProcessPayment, [payment.id], raising=CardExpired)

    assert timeline.wait_seconds == []
    assert timeline.status == "discarded"


def test_webhooks_are_tried_at_longer_and_longer_intervals(jobs: Jobs) -> None:
    delivery = WebhookDelivery.create("https://books.example/paid", "order 1")

    timeline = jobs.simulate_retries(
        WebhookDelivery.deliver_later, [delivery], raising=ServerUnavailable(503)
    )

    assert timeline.wait_seconds == [30, 60, 120, 240, 480, 600, 600]


def test_a_simulation_leaves_the_jobs_of_the_test_alone(
    jobs: Jobs, assert_not_enqueued: AssertNotEnqueued
) -> None:
    jobs.simulate_retries(ProcessPayment, raising=GatewayTimeout)

    assert_not_enqueued()
    assert len(jobs.deliveries) == 0


def test_a_simulation_calls_the_callbacks_of_the_job(jobs: Jobs) -> None:
    jobs.simulate_retries(ProcessPayment, raising=GatewayTimeout)

    assert db.rows("SELECT job FROM failed_jobs") == [{"job": "ProcessPayment"}]
