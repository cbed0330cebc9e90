"""A task is explored through its real path."""

from unittest.mock import patch

import pytest
from booked import Shop, books

from pytest_jobs import check_idempotent
from pytest_jobs.errors import DuplicateEffect, ExplorationError, LostEffect


@pytest.mark.parametrize("method", ["delay", "apply_async"])
def test_a_task_whose_enqueueing_the_test_has_mocked_is_explored_and_the_mock_stays(
    jobs, app, method
):
    @app.task
    def book(number):
        Shop.ledger.book(number)

    with patch.object(book, method) as mocked:
        with pytest.raises(DuplicateEffect, match=r"DUPLICATE ledger\.book \[twice\]"):
            check_idempotent(book, args=(7,), world=books)

        assert getattr(book, method) is mocked
        assert not mocked.called


def test_what_a_task_enqueues_is_performed(jobs, app):
    @app.task
    def tell(number):
        Shop.ledger.book(number)

    @app.task
    def book(number):
        Shop.ledger.book(number, key=f"book-{number}")
        tell.delay(number)

    with pytest.raises(DuplicateEffect, match=r"DUPLICATE ledger\.book \[twice"):
        check_idempotent(book, args=(7,), world=books)


def mark_and_book(number):
    Shop.ledger.book(number, key=f"book-{number}")
    Shop.ledger.book(-number, key=f"mark-{number}")


def test_by_default_a_task_whose_process_is_killed_is_lost(jobs, app):
    task = app.task(mark_and_book)

    check_idempotent(task, args=(7,), world=books, histories="all")
    with pytest.raises(LostEffect, match=r"LOST ledger\.book \[crash"):
        check_idempotent(task, args=(7,), world=books, delivery="as configured")


def test_by_default_a_task_is_never_delivered_twice(jobs, app):
    @app.task
    def book(number):
        Shop.ledger.book(number)

    with pytest.raises(ExplorationError, match=r"never delivered again when it is done"):
        check_idempotent(
            book, args=(7,), world=books, histories=["twice"], delivery="as configured"
        )


def test_a_task_that_is_acknowledged_late_is_lost_with_its_process_alone(jobs, app):
    task = app.task(name="late", acks_late=True)(mark_and_book)
    safe = app.task(
        name="safe", acks_late=True, reject_on_worker_lost=True, acks_on_failure_or_timeout=False
    )(mark_and_book)

    with pytest.raises(LostEffect, match=r"\[crash"):
        check_idempotent(task, args=(7,), world=books, delivery="as configured")
    check_idempotent(
        safe,
        args=(7,),
        world=books,
        histories=["twice", "crash", "overlap"],
        delivery="as configured",
    )
