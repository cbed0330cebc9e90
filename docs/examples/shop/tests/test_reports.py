"""The report of a day is made the next morning, which is never more than a line away."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from pytest_jobs import Jobs, VirtualClock
from pytest_jobs.types import AssertEnqueued, AssertPerformed
from shop.jobs import DailyReport
from shop.mail import Mail, Outbox
from shop.models import Customer, Order, Report

SUNDAY = date(2096, 2, 26)


@pytest.fixture(autouse=True)
def sunday_evening(jobs_clock: VirtualClock) -> datetime:
    return jobs_clock.move_to(datetime(2096, 2, 26, 17, 30, tzinfo=UTC))


def test_the_report_is_due_at_six_the_next_morning(assert_enqueued: AssertEnqueued) -> None:
    Report.make_later(SUNDAY)

    assert_enqueued(
        DailyReport,
        params={"day": SUNDAY},
        queue="low",
        at=datetime(2096, 2, 27, 6, tzinfo=UTC),
        wait=timedelta(hours=12, minutes=30),
        tolerance=timedelta(0),
    )


def test_the_report_is_sent_the_next_morning(
    jobs: Jobs, customer: Customer, outbox: Outbox, assert_performed: AssertPerformed
) -> None:
    Order.place(customer, 4200)
    Order.place(customer, 99)
    Report.make_later(SUNDAY)

    jobs.run_for(timedelta(hours=14))

    made = assert_performed(DailyReport)
    assert made.at == datetime(2096, 2, 27, 6, tzinfo=UTC)
    assert outbox.sent[-1] == Mail("owner@shop.example", "2096-02-26: 2 orders, 42.99 EUR")


def test_the_clock_ends_where_it_was_told_to(jobs: Jobs, jobs_clock: VirtualClock) -> None:
    Report.make_later(SUNDAY)

    jobs.run_for(timedelta(hours=14))

    assert jobs_clock.now() == datetime.now(UTC) == datetime(2096, 2, 27, 7, 30, tzinfo=UTC)


def test_the_time_of_the_system_can_be_let_through(jobs: Jobs) -> None:
    with jobs.real_time():
        assert datetime.now(UTC) < datetime(2096, 2, 26, tzinfo=UTC)

    assert datetime.now(UTC) >= datetime(2096, 2, 26, tzinfo=UTC)


def test_the_report_is_not_made_at_night(jobs: Jobs) -> None:
    Report.make_later(SUNDAY)

    jobs.drain(until=datetime(2096, 2, 27, 5, tzinfo=UTC))

    assert [record.job for record in jobs.scheduled] == [DailyReport]


def test_orders_of_the_night_are_in_the_next_report(
    jobs: Jobs, jobs_clock: VirtualClock, customer: Customer, outbox: Outbox
) -> None:
    Report.make_later(SUNDAY)
    jobs_clock.advance(timedelta(hours=8))
    Order.place(customer, 4200)

    jobs.run_for(timedelta(hours=6))

    assert Mail("owner@shop.example", "2096-02-26: 0 orders, 0.00 EUR") in outbox.sent


def test_a_report_that_is_asked_for_twice_is_sent_once(jobs: Jobs, outbox: Outbox) -> None:
    Report.make_later(SUNDAY)
    Report.make_later(SUNDAY)

    jobs.drain()

    assert [mail.subject for mail in outbox.sent] == ["2096-02-26: 0 orders, 0.00 EUR"]
