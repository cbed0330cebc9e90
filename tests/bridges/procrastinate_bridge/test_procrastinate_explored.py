"""A task is explored through its real path, and a dead job is deferred anew."""

import pytest

pytest.importorskip("procrastinate")

from booked import Shop, books
from procrastinate.exceptions import AlreadyEnqueued
from rendered import render, videos

from pytest_jobs import check_idempotent
from pytest_jobs.errors import HalfDone


def with_mail(app):
    @app.task(name="mail")
    def mail(number):
        """Be deferred."""

    return mail


def test_a_queueing_lock_makes_a_defer_safe_while_the_job_waits(app, jobs):
    mail = with_mail(app)

    @app.task(name="book")
    def book(number):
        Shop.ledger.book(number, key=f"book-{number}")
        try:
            mail.configure(queueing_lock=f"mail-{number}").defer(number=number)
        except AlreadyEnqueued:
            return

    check_idempotent(book, args=(7,), world=books)


def test_as_configured_the_job_of_a_killed_worker_is_abandoned(app, jobs):
    task = app.task(name="render")(render)

    with pytest.raises(HalfDone, match=r"HALF_DONE video\.id=7\.status \[abandoned"):
        check_idempotent(task, args=(7,), world=videos, delivery="as configured")


def test_a_dead_job_is_deferred_anew(app, jobs):
    fail = [True]

    @app.task(name="flaky", queueing_lock="one")
    def flaky():
        if fail:
            raise ValueError

    flaky.defer()
    jobs.drain(raise_errors=False)
    first = jobs.dead[0]
    flaky.defer()
    assert jobs.redrive(first) is None
    fail.clear()
    jobs.drain()
    assert jobs.locks == []


def test_a_dead_job_without_a_lock_gets_an_id_of_its_own(app, jobs):
    task = app.task(lambda: 1 / 0, name="fails")
    task.defer()
    jobs.drain(raise_errors=False)

    again = jobs.redrive(jobs.dead[0])

    assert (again.attempt, again.job_id != jobs.enqueued[0].job_id) == (1, True)
