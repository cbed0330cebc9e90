"""A job is explored through its real path."""

import pytest

pytest.importorskip("oban")

from booked import Shop, books
from oban import job

from pytest_jobs import check_idempotent
from pytest_jobs.errors import DuplicateEffect, LostEffect


@pytest.mark.parametrize("is_safe", [False, True])
def test_a_function_is_explored(jobs, is_safe):
    @job()
    def book(number):
        Shop.ledger.book(number, key=f"book-{number}" if is_safe else None)

    if is_safe:
        check_idempotent(book, args=(7,), world=books)
    else:
        with pytest.raises(DuplicateEffect):
            check_idempotent(book, args=(7,), world=books)


def test_as_configured_a_job_with_one_attempt_is_lost(jobs):
    @job(max_attempts=1)
    def book(number):
        Shop.ledger.book(number, key=f"book-{number}")
        Shop.ledger.book(-number, key=f"mark-{number}")

    with pytest.raises(LostEffect, match=r"LOST ledger\.book \[crash"):
        check_idempotent(book, args=(7,), world=books, delivery="as configured")
