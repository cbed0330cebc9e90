"""Tasks are recorded when they are enqueued; those that are due later stay pending."""

from __future__ import annotations

from datetime import timedelta

from mailing.newsletter import confirm, subscribe
from mailing.outside import Mail, Postman
from mailing.readers import Reader, Readers
from mailing.tasks import send_reminder, send_welcome
from pytest_jobs import Jobs
from pytest_jobs.types import AssertDiscarded, AssertEnqueued, AssertNotPerformed


def test_a_new_reader_is_welcomed(jobs: Jobs, postman: Postman) -> None:
    subscribe("ann@example.org")

    jobs.perform_due()

    assert postman.sent == [Mail("ann@example.org", "Welcome")]


def test_where_and_when_the_mails_are_to_go(assert_enqueued: AssertEnqueued) -> None:
    ann = subscribe("ann@example.org")

    assert_enqueued(send_welcome, params={"reader_id": ann.id}, queue="mail", at=None)
    assert_enqueued(send_reminder, args=[ann.id], queue="mail", wait=timedelta(days=3))


def test_a_reader_is_reminded_after_three_days(jobs: Jobs, postman: Postman) -> None:
    subscribe("ann@example.org")

    jobs.run_for(timedelta(days=2))
    assert [mail.subject for mail in postman.sent] == ["Welcome"]

    jobs.run_for(timedelta(days=1))
    assert [mail.subject for mail in postman.sent] == ["Welcome", "Please confirm your address"]


def test_who_has_confirmed_is_not_reminded(
    jobs: Jobs, assert_not_performed: AssertNotPerformed
) -> None:
    ann = subscribe("ann@example.org")
    confirm(ann)

    jobs.drain()

    assert_not_performed(send_reminder)


def test_who_has_left_gets_nothing(
    jobs: Jobs, all_readers: Readers, postman: Postman, assert_discarded: AssertDiscarded
) -> None:
    ann = subscribe("ann@example.org")
    all_readers.remove(ann.id)

    jobs.drain()

    assert_discarded(send_welcome)
    assert_discarded(send_reminder)
    assert postman.sent == []


def test_a_welcome_that_is_delivered_twice_is_sent_once(
    jobs: Jobs, ann: Reader, postman: Postman
) -> None:
    send_welcome.delay(ann.id)
    jobs.redeliver(jobs.pending[0])

    assert jobs.drain() == {"performed": 2}
    assert len(postman.sent) == 1
