"""A task is explored through its real path."""

import pytest

pytest.importorskip("huey")

from booked import Shop, books

from pytest_jobs import check_idempotent
from pytest_jobs.errors import LostEffect


def test_a_task_whose_process_is_killed_is_lost(jobs, huey):
    @huey.task()
    def book(number):
        Shop.ledger.book(number, key=f"book-{number}")
        Shop.ledger.book(-number, key=f"mark-{number}")

    check_idempotent(book, args=(7,), world=books)
    with pytest.raises(LostEffect, match=r"LOST ledger\.book \[crash"):
        check_idempotent(book, args=(7,), world=books, delivery="as configured")


def test_a_task_that_is_retried_survives_an_effect_that_fails(jobs, huey):
    @huey.task(retries=3)
    def book(number):
        Shop.ledger.book(number, key=f"book-{number}")

    check_idempotent(
        book, args=(7,), world=books, histories=["effect_fails"], delivery="as configured"
    )


def test_a_killed_delivery_leaves_no_lock_and_no_result(jobs, huey):
    @huey.task()
    def book(number):
        with huey.lock_task("book"):
            Shop.ledger.book(number, key=f"book-{number}")

    check_idempotent(book, args=(7,), world=books, histories=["twice", "reply_lost"])

    assert not huey.is_locked("book")
