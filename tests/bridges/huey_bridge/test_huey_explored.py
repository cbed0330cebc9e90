"""A task is explored through its real path."""

import pytest

pytest.importorskip("huey")

from booked import Shop, books
from rendered import render, render_at_once, videos

from pytest_jobs import check_idempotent
from pytest_jobs.errors import HalfDone


def test_a_task_whose_process_is_killed_is_abandoned(jobs, huey):
    bug, mend = huey.task(name="bug")(render), huey.task(name="mend")(render_at_once)

    check_idempotent(bug, args=(7,), world=videos)
    with pytest.raises(HalfDone, match=r"HALF_DONE video\.id=7\.status \[abandoned"):
        check_idempotent(bug, args=(7,), world=videos, delivery="as configured")
    check_idempotent(mend, args=(7,), world=videos, histories=["abandoned"])


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
