"""A world may keep its state in a queue, a semaphore or an event: no new process empties it."""

from __future__ import annotations

import queue
import threading
from types import SimpleNamespace

import pytest
from tables import each_row

from pytest_jobs import check_idempotent
from pytest_jobs.errors import NotIdempotent

outbox: queue.Queue[int] = queue.Queue()
app = SimpleNamespace(outbox=queue.Queue(), places=threading.Semaphore(9), sent=threading.Event())


class Mailer:
    outbox: queue.Queue[int] = queue.Queue()


def queues():
    for each in (outbox, app.outbox, Mailer.outbox):
        each.queue.clear()
    yield lambda: {"mails": [list(each.queue) for each in (outbox, app.outbox, Mailer.outbox)]}


def places():
    app.places = threading.Semaphore(9)
    yield lambda: {"left": vars(app.places)["_value"]}


def flags():
    app.sent.clear()
    yield lambda: {"sent": app.sent.is_set()}


def put_in_a_global(number):
    outbox.put(number)
    app.last = number


def put_in_an_object(number):
    app.outbox.put(number)
    app.last = number


def put_in_a_class(number):
    Mailer.outbox.put(number)
    app.last = number


def put_once(number):
    if number not in outbox.queue:
        outbox.put(number)
    app.last = number


def take_a_place(number):
    app.places.acquire()
    app.last = number


def set_a_flag(number):
    app.sent.set()
    app.last = number


HISTORIES = ("twice", "restart", "crash", "overlap", "late")


@each_row(
    "job, world, verdict",
    [
        (put_in_a_global, queues, "DUPLICATE mails"),
        (put_in_an_object, queues, "DUPLICATE mails"),
        (put_in_a_class, queues, "DUPLICATE mails"),
        (take_a_place, places, "DIVERGED left"),
    ],
)
def test_what_is_put_or_taken_twice_is_found_in_each_history(job, world, verdict):
    with pytest.raises(NotIdempotent) as found:
        check_idempotent(job, args=(1,), world=world, histories=HISTORIES)

    report = found.value.report.to_dict()
    failures = [report, *report["also_fails"]]
    assert {each["history"] for each in failures} == {*HISTORIES}
    assert {f"{each['verdict']} {each['effect']}" for each in failures} == {verdict}


def test_a_flag_that_is_set_again_is_quiet():
    check_idempotent(set_a_flag, args=(1,), world=flags, histories=HISTORIES)


def test_an_item_that_is_put_once_is_quiet():
    check_idempotent(put_once, args=(1,), world=queues, histories={*HISTORIES} - {"overlap"})
