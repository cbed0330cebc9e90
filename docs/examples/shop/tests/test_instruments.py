"""Each step of each job is logged and measured, and what is secret is not."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from pytest_jobs import JobLog, JobMetrics, Jobs, hooks
from shop.gateway import FakeGateway, GatewayTimeout
from shop.instruments import Statsd
from shop.jobs import ProcessOrder, ProcessPayment, send_mail
from shop.models import Customer, Order


@pytest.fixture
def statsd() -> Iterator[Statsd]:
    statsd = Statsd()
    with hooks.using(JobLog()), hooks.using(JobMetrics(statsd)):
        yield statsd


def test_a_slow_payment_is_measured(
    jobs: Jobs,
    statsd: Statsd,
    customer: Customer,
    gateway: FakeGateway,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "pytest_jobs")
    gateway.seconds_to_answer = 45
    Order.place(customer, 4200)
    jobs.clock.freeze()

    jobs.drain()

    assert statsd.counts["jobs.process_payment.success"] == 1
    assert statsd.milliseconds["jobs.process_payment.duration"] == [pytest.approx(45_000)]
    lines = [json.loads(message) for message in caplog.messages]
    assert [line["event"] for line in lines if line["job_class"].endswith("ProcessPayment")] == [
        "job_enqueued",
        "job_started",
        "job_completed",
    ]


def test_the_address_of_a_mail_is_not_logged(
    jobs: Jobs, statsd: Statsd, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "pytest_jobs")

    send_mail.perform_later("ann@example.org", "Welcome")
    jobs.drain()

    assert "send_mail" in caplog.text
    assert "ann@example.org" not in caplog.text


def test_what_happened_can_be_read_in_order(jobs: Jobs, customer: Customer) -> None:
    Order.place(customer, 4200)
    jobs.fail(ProcessPayment, raising=GatewayTimeout, on=[1])

    jobs.drain(only=[ProcessOrder, ProcessPayment])

    assert [str(event) for event in jobs.events if event.record.job is ProcessPayment] == [
        "enqueued ProcessPayment(1)",
        "started ProcessPayment(1)",
        "retried ProcessPayment(1)",
        "started ProcessPayment(1)",
        "performed ProcessPayment(1)",
    ]
