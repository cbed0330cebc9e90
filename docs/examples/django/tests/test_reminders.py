"""Django's own TestCase, which cannot ask for fixtures: `current_jobs()` is the harness of the test."""

from __future__ import annotations

from django.core import mail
from django.test import TestCase
from django.utils import timezone

from loans.models import Book, Loan
from loans.tasks import send_reminder
from pytest_jobs import assert_performed, current_jobs


class ReminderTest(TestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        cls.book = Book.objects.create(title="Emma", isbn="9780141439587")
        cls.loan = Loan.objects.create(book=cls.book, reader="ann@example.org")

    def test_a_reader_is_reminded(self) -> None:
        send_reminder.enqueue(self.loan.pk)
        current_jobs().drain()

        assert_performed(send_reminder, result="reminded")
        self.assertEqual(mail.outbox[0].to, ["ann@example.org"])  # noqa: PT009

    def test_a_book_that_is_back_is_not_asked_for(self) -> None:
        self.loan.returned_at = timezone.now()
        self.loan.save()
        send_reminder.enqueue(self.loan.pk)
        current_jobs().drain()

        assert_performed(send_reminder, result="returned")
        self.assertEqual(mail.outbox, [])  # noqa: PT009

    def test_a_reader_is_reminded_once_although_the_task_is_delivered_twice(self) -> None:
        send_reminder.enqueue(self.loan.pk)
        jobs = current_jobs()
        jobs.drain()
        jobs.redeliver(jobs.performed[0].record)
        jobs.drain()

        self.assertEqual(  # noqa: PT009
            [delivery.result for delivery in jobs.performed], ["reminded", "reminded before"]
        )
        self.assertEqual(len(mail.outbox), 1)  # noqa: PT009
