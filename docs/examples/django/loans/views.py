from __future__ import annotations

from datetime import timedelta
from functools import partial

from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.shortcuts import get_object_or_404

from loans.models import Book, Loan
from loans.tasks import fetch_cover, send_receipt, send_reminder


@transaction.atomic
def lend(request: HttpRequest) -> JsonResponse:
    book = get_object_or_404(Book, isbn=request.POST["isbn"])
    loan = Loan.objects.create(book=book, reader=request.POST["reader"])
    transaction.on_commit(partial(send_receipt.enqueue, loan.pk))
    reminder = send_reminder.using(run_after=loan.due_at - timedelta(days=3))
    transaction.on_commit(partial(reminder.enqueue, loan.pk))
    return JsonResponse({"loan": loan.pk}, status=201)


def order_cover(request: HttpRequest) -> JsonResponse:
    result = fetch_cover.enqueue(request.POST["isbn"])
    return JsonResponse({"id": result.id}, status=202)


def cover(request: HttpRequest, result_id: str) -> JsonResponse:
    result = fetch_cover.get_result(result_id)
    found = result.return_value if result.status == "SUCCESSFUL" else None
    return JsonResponse({"status": result.status, "found": found})
