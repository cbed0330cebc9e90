from __future__ import annotations

from django.core.mail import send_mail
from django.tasks import TaskContext, task
from django.utils import timezone

from loans import catalogue
from loans.models import Book, Loan


@task(queue_name="mail")
def send_receipt(loan_id: int) -> None:
    loan = Loan.objects.select_related("book").get(pk=loan_id)
    if loan.receipt_at is not None:
        return
    loan.receipt_at = timezone.now()
    loan.save(update_fields=["receipt_at"])
    send_mail(f"You have {loan.book}", f"until {loan.due_at:%d %B}", None, [loan.reader])


@task(queue_name="mail", priority=-10)
def send_reminder(loan_id: int) -> str:
    loan = Loan.objects.select_related("book").get(pk=loan_id)
    if loan.returned_at is not None:
        return "returned"
    if loan.reminded_at is not None:
        return "reminded before"
    loan.reminded_at = timezone.now()
    loan.save(update_fields=["reminded_at"])
    send_mail(f"Please return {loan.book}", "It is due in three days.", None, [loan.reader])
    return "reminded"


@task(takes_context=True)
async def fetch_cover(context: TaskContext, isbn: str) -> dict[str, object]:
    cover = await catalogue.find_cover(isbn)
    await Book.objects.filter(isbn=isbn).aupdate(cover=cover)
    return {"cover": cover, "attempt": context.attempt}
