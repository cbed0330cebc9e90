"""A world may keep its state in a queue, a semaphore or an event: no new process empties it."""

from __future__ import annotations

import queue
import threading
from types import SimpleNamespace

import pytest

from pytest_jobs import check_idempotent
from pytest_jobs.errors import DivergedState, NotIdempotent

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


@pytest.mark.parametrize("history", HISTORIES)
@pytest.mark.parametrize("job", [put_in_a_global, put_in_an_object, put_in_a_class])
def test_an_item_that_is_put_twice_is_found(job, history):
    with pytest.raises(NotIdempotent, match=r"DUPLICATE mails"):
        check_idempotent(job, args=(1,), world=queues, histories=[history])


@pytest.mark.parametrize("history", HISTORIES)
def test_a_place_that_is_taken_twice_is_found(history):
    with pytest.raises(DivergedState, match="left"):
        check_idempotent(take_a_place, args=(1,), world=places, histories=[history])


def test_a_flag_that_is_set_again_is_quiet():
    check_idempotent(set_a_flag, args=(1,), world=flags, histories=HISTORIES)


def test_an_item_that_is_put_once_is_quiet():
    check_idempotent(put_once, args=(1,), world=queues, histories={*HISTORIES} - {"overlap"})
