"""What the shop does again and again, read from the file that production reads."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from pytest_jobs import Jobs, Schedule, load_schedule, preview
from pytest_jobs.types import AssertEnqueued, AssertNotEnqueued, AssertPerformed
from shop import db
from shop.jobs import DailyReport, ForgetFailedJobs, NotificationJob
from shop.mail import Outbox
from shop.models import Customer, NotificationBundle, WebhookDelivery
from shop.web import FakeClient, Request

CONFIG = Path(__file__).parents[1] / "config"
NEW_YEARS_EVE = datetime(2096, 12, 31, 17, tzinfo=UTC)


@pytest.fixture
def schedule() -> Schedule:
    return load_schedule(CONFIG / "recurring.yml", environment="production")


@pytest.fixture(autouse=True)
def evening(jobs: Jobs) -> None:
    jobs.clock.move_to(NEW_YEARS_EVE)


@pytest.mark.parametrize("environment", ["production", "development", "test"])
def test_the_schedule_can_be_meant(environment: str) -> None:
    load_schedule(CONFIG / "recurring.yml", environment=environment)


def test_failed_jobs_are_forgotten_once_a_month(schedule: Schedule) -> None:
    firings = preview(schedule, timedelta(days=50), start=NEW_YEARS_EVE)

    assert list(firings.of("forget_failed_jobs")) == [
        datetime(2097, 1, 1, 3, tzinfo=UTC),
        datetime(2097, 2, 1, 3, tzinfo=UTC),
    ]


def test_the_night_brings_a_report_and_forgets_failures(
    jobs: Jobs,
    schedule: Schedule,
    outbox: Outbox,
    assert_enqueued: AssertEnqueued,
    assert_performed: AssertPerformed,
) -> None:
    jobs.recurring(schedule)

    jobs.run_for(timedelta(days=1))

    assert_enqueued(DailyReport, args=[date(2096, 12, 31)])
    assert_performed(ForgetFailedJobs, kwargs={"days": 90}, queue="low")
    assert [mail.subject for mail in outbox.sent] == ["2096-12-31: 0 orders, 0.00 EUR"]


def test_two_schedulers_send_one_report(jobs: Jobs, schedule: Schedule, outbox: Outbox) -> None:
    jobs.recurring(schedule)
    jobs.recurring(schedule)

    jobs.run_for(timedelta(days=2))

    assert len(outbox.sent) == 2


def test_a_report_is_missed_while_the_scheduler_is_down(
    jobs: Jobs, schedule: Schedule, assert_not_enqueued: AssertNotEnqueued
) -> None:
    scheduler = jobs.recurring(schedule)

    with scheduler.down():
        jobs.run_for(timedelta(days=1))

    assert "daily_report" in [firing.key for firing in scheduler.missed]
    assert_not_enqueued(DailyReport)


def test_a_notification_whose_job_was_lost_is_delivered_all_the_same(
    jobs: Jobs,
    schedule: Schedule,
    customer: Customer,
    outbox: Outbox,
    assert_not_enqueued: AssertNotEnqueued,
) -> None:
    db.insert("INSERT INTO notification_bundles (customer_id) VALUES (?)", customer.id)
    NotificationBundle.add(customer, "Order 1 is on its way")
    assert_not_enqueued(NotificationJob)
    jobs.recurring(schedule)

    jobs.run_for(timedelta(hours=3))

    assert [mail.subject for mail in outbox.sent] == ["Order 1 is on its way"]


def test_so_is_a_webhook(jobs: Jobs, schedule: Schedule, client: FakeClient) -> None:
    WebhookDelivery.create("https://books.example/paid", "order 1")
    jobs.recurring(schedule)

    jobs.run_for(timedelta(hours=3))

    assert client.requests == [Request("https://books.example/paid", "order 1")]
