"""A job is explored through its real path, and recorded payloads are performed by later code."""

import json

import pytest

pytest.importorskip("oban")

from booked import Shop, books
from oban import job

from pytest_jobs import check_idempotent, check_payloads
from pytest_jobs.errors import DuplicateEffect, IncompatiblePayload, LostEffect


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


def declare(*parameters):
    """Return the job `send` with other parameters than the last one had."""
    namespace = {}
    exec(f"def send({', '.join(parameters)}): return order", namespace)
    namespace["send"].__module__ = __name__
    return job(queue="mails", max_attempts=3, tags=["post"])(namespace["send"])


@pytest.fixture
def recorded(jobs, oban, run, tmp_path):
    send = declare("order", "copy=False")
    run(oban.enqueue(send.new(7).update({"schedule_in": 3600, "meta": {"tenant": "a"}})))
    (path,) = jobs.record_payloads(tmp_path)
    return path


def test_a_job_is_recorded_as_text_and_performed_again(jobs, recorded):
    assert json.loads(recorded.read_text("ascii"))["payload"] == {
        "args": [],
        "kwargs": {"order": 7, "copy": False},
        "max_attempts": 3,
        "meta": {"tenant": "a"},
        "priority": 0,
        "queue": "mails",
        "tags": ["post"],
        "worker": f"{__name__}.send",
    }
    assert check_payloads(recorded.parent, perform=True) == (recorded,)
    assert len(jobs.deliveries) == 0


def test_a_recorded_job_whose_worker_is_gone_is_told(recorded):
    from importlib import import_module

    vars(import_module("oban.worker"))["_registry"].clear()

    with pytest.raises(IncompatiblePayload, match="No job has this name any more"):
        check_payloads(recorded.parent, perform=True)
