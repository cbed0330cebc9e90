"""A view enqueues after its commit: with `db` nothing is committed, and `jobs.commit()` stands in for it."""

from __future__ import annotations

from datetime import timedelta

from django.core import mail
from django.test import Client

from loans.models import Book, Loan
from loans.tasks import send_receipt, send_reminder
from pytest_jobs import Jobs
from pytest_jobs.types import AssertEnqueued, AssertNotEnqueued


def lend(client: Client, book: Book) -> Loan:
    answer = client.post("/loans/", {"isbn": book.isbn, "reader": "ann@example.org"})
    return Loan.objects.get(pk=answer.json()["loan"])


def test_a_loan_is_confirmed_at_once_and_its_end_is_remembered(
    client: Client, book: Book, jobs: Jobs, assert_enqueued: AssertEnqueued
) -> None:
    loan = lend(client, book)
    jobs.commit()

    assert_enqueued(send_receipt, args=[loan.pk], queue="mail", at=None)
    assert_enqueued(send_reminder, args=[loan.pk], priority=-10, wait=timedelta(days=25))


def test_nothing_is_enqueued_before_the_commit(
    client: Client, book: Book, jobs: Jobs, assert_not_enqueued: AssertNotEnqueued
) -> None:
    lend(client, book)

    assert_not_enqueued(send_receipt)
    assert len(jobs.waiting_for_commit) == 2


def test_the_receipt_comes_now_and_the_reminder_in_time(
    client: Client, book: Book, jobs: Jobs
) -> None:
    loan = lend(client, book)
    jobs.commit()

    jobs.perform_due()
    assert [sent.subject for sent in mail.outbox] == ["You have Emma"]

    jobs.drain()
    assert [sent.subject for sent in mail.outbox] == ["You have Emma", "Please return Emma"]
    loan.refresh_from_db()
    assert loan.reminded_at == loan.due_at - timedelta(days=3)


def test_everything_at_once(client: Client, book: Book, jobs: Jobs) -> None:
    with jobs.inline():
        lend(client, book)

    assert len(mail.outbox) == 1
