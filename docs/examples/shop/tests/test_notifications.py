"""Notifications wait half an hour for others, in a queue that depends on the customer."""

from __future__ import annotations

from datetime import timedelta

from pytest_jobs import Jobs, VirtualClock
from pytest_jobs.types import AssertEnqueued, AssertNotEnqueued, AssertNotPerformed, AssertPerformed
from shop.jobs import NotificationJob
from shop.mail import Mail, Outbox
from shop.models import Customer, NotificationBundle


def test_a_notification_waits_for_others(jobs: Jobs, customer: Customer, outbox: Outbox) -> None:
    NotificationBundle.add(customer, "Order 1 is on its way")

    jobs.perform_due()

    assert outbox.sent == []
    assert len(jobs.scheduled) == 1


def test_notifications_of_half_an_hour_are_one_mail(
    jobs: Jobs, customer: Customer, outbox: Outbox
) -> None:
    NotificationBundle.add(customer, "Order 1 is on its way")
    jobs.run_for(timedelta(minutes=20))
    NotificationBundle.add(customer, "Order 2 is on its way")
    jobs.run_for(timedelta(minutes=20))

    assert outbox.sent == [Mail("ann@example.org", "Order 1 is on its way, Order 2 is on its way")]


def test_the_next_notification_begins_another_bundle(
    jobs: Jobs, customer: Customer, outbox: Outbox, assert_performed: AssertPerformed
) -> None:
    NotificationBundle.add(customer, "Order 1 is on its way")
    jobs.drain()
    NotificationBundle.add(customer, "Order 2 is on its way")
    jobs.drain()

    assert_performed(NotificationJob, count=2)
    assert len(outbox.sent) == 2


def test_a_scheduled_job_knows_when_it_is_due(
    customer: Customer, assert_enqueued: AssertEnqueued, jobs_clock: VirtualClock
) -> None:
    NotificationBundle.add(customer, "Order 1 is on its way")

    record = assert_enqueued(NotificationJob, wait=timedelta(minutes=30))
    assert record.due_at == record.enqueued_at + timedelta(minutes=30)
    assert_enqueued(
        NotificationJob,
        at=jobs_clock.now() + timedelta(minutes=30),
        tolerance=timedelta(seconds=5),
    )


def test_premium_customers_have_a_queue_of_their_own(
    customer: Customer, assert_enqueued: AssertEnqueued
) -> None:
    bob = Customer.create("bob@example.org", premium=True)
    of_ann = NotificationBundle.add(customer, "Order 1 is on its way")
    of_bob = NotificationBundle.add(bob, "Order 2 is on its way")

    assert_enqueued(NotificationJob, args=[of_ann], queue="default")
    assert_enqueued(NotificationJob, args=[of_bob], queue="high")


def test_a_customer_who_wants_silence_halts_the_job(
    jobs: Jobs, customer: Customer, outbox: Outbox, assert_not_performed: AssertNotPerformed
) -> None:
    NotificationBundle.add(customer, "Order 1 is on its way")
    customer.mute()

    tally = jobs.drain()

    assert tally["halted"] == 1
    assert_not_performed(NotificationJob)
    assert outbox.sent == []


def test_a_shop_that_closes_delivers_everything_at_once(
    jobs: Jobs, customer: Customer, assert_enqueued: AssertEnqueued
) -> None:
    NotificationBundle.add(customer, "Order 1 is on its way")
    NotificationBundle.add(Customer.create("bob@example.org"), "Order 2 is on its way")

    with jobs.capture() as sent:
        NotificationBundle.deliver_all_later()

    assert_enqueued(NotificationJob, at=None, count=2, within=sent)


def test_nothing_is_sent_without_news(jobs: Jobs, assert_not_enqueued: AssertNotEnqueued) -> None:
    NotificationBundle.deliver_all_later()

    assert_not_enqueued(NotificationJob)
    assert jobs.drain().total == 0
