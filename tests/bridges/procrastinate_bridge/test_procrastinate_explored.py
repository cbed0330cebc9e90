"""A task is explored through its real path, and recorded payloads are performed by later code."""

import json

import pytest

pytest.importorskip("procrastinate")

from booked import Shop, books
from procrastinate.exceptions import AlreadyEnqueued

from pytest_jobs import check_idempotent, check_payloads
from pytest_jobs.errors import IncompatiblePayload, LostEffect


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


def test_as_configured_the_job_of_a_killed_worker_is_lost(app, jobs):
    @app.task(name="book")
    def book(number):
        Shop.ledger.book(number, key=f"book-{number}")
        Shop.ledger.book(-number, key=f"mark-{number}")

    with pytest.raises(LostEffect, match=r"LOST ledger\.book \[crash"):
        check_idempotent(book, args=(7,), world=books, delivery="as configured")


@pytest.fixture
def recorded(app, jobs, tmp_path):
    @app.task(name="send", queue="mails")
    def send(order, copy=False):
        return order

    send.configure(schedule_in={"hours": 1}, lock="mails").defer(order=7)
    (path,) = jobs.record_payloads(tmp_path)
    return path


def test_a_job_is_recorded_as_text_and_performed_again(jobs, recorded):
    assert json.loads(recorded.read_text("ascii"))["payload"] == {
        "args": [],
        "kwargs": {"order": 7},
        "lock": "mails",
        "priority": 0,
        "queue": "mails",
        "queueing_lock": None,
        "task": "send",
    }
    assert check_payloads(recorded.parent, perform=True) == (recorded,)
    assert len(jobs.deliveries) == 0


def test_a_recorded_job_whose_task_is_gone_is_told(app, recorded):
    del app.tasks["send"]

    with pytest.raises(IncompatiblePayload, match="No job has this name any more"):
        check_payloads(recorded.parent, perform=True)


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
