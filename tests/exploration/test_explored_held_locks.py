"""Locks that libraries hold while a delivery is killed or suspended: another process does not wait for them."""

from __future__ import annotations

import asyncio
import logging
import threading
import types
from contextlib import contextmanager

import pytest

from pytest_jobs import check_idempotent, fake

app = types.SimpleNamespace(mail=None, done=set())


def world():
    app.done = set()
    with fake(app, "mail", lambda number, key: None, key="key") as mails:
        yield lambda: {"mails": mails.calls, "done": set(app.done)}


def send(number):
    app.mail(number, key=number)


class Shipping(logging.Handler):
    def emit(self, record):
        send(record.args[0])


class Client:
    """A client of a library, which no module of the project has: a list of lists has it."""

    def __init__(self):
        self.again = threading.RLock()
        self.plain = threading.Lock()
        self.changed = threading.Condition(self.plain)
        self.pool = types.SimpleNamespace(lock=threading.Lock())
        self.of_loop = asyncio.Lock()

    def twice(self, do):
        with self.again, self.again:
            do()

    def by_hand(self, do):
        self.plain.acquire()
        try:
            do()
        finally:
            self.plain.release()

    def by_condition(self, do):
        with self.changed:
            do()

    def by_pool(self, do):
        with self.pool.lock:
            do()

    @contextmanager
    def held(self):
        with self.again:
            yield

    def by_generator(self, do):
        with self.held():
            do()

    async def awaited(self, do):
        async with self.of_loop:
            await asyncio.sleep(1)
            do()


clients = [[Client()]]


def log_and_mark(number):
    logging.getLogger("shop.shipping").info("shipped %s", number)
    app.done.add(number)


@pytest.fixture
def shipping():
    log, handler = logging.getLogger("shop.shipping"), Shipping()
    log.addHandler(handler)
    log.setLevel("INFO")
    yield handler
    log.removeHandler(handler)


def is_free(lock):
    """Return whether another thread could take a lock."""
    taken = []

    def take():
        taken.append(lock.acquire(blocking=False))
        if taken[0]:
            lock.release()

    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    return taken[0]


def test_the_lock_of_a_log_handler_is_free_for_the_next_delivery(shipping):
    check_idempotent(log_and_mark, args=(1,), world=world)

    assert is_free(shipping.lock)


@pytest.mark.parametrize("way", ["twice", "by_hand", "by_condition", "by_pool", "by_generator"])
def test_a_lock_deep_in_a_client_is_free_for_the_next_delivery(way):
    def sends(number):
        getattr(clients[0][0], way)(lambda: send(number))
        app.done.add(number)

    check_idempotent(sends, args=(1,), world=world)

    client = clients[0][0]
    assert all(map(is_free, (client.again, client.plain, client.pool.lock)))


def test_a_lock_of_asyncio_deep_in_a_client_is_free_for_the_next_delivery():
    async def sends(number):
        await clients[0][0].awaited(lambda: send(number))
        app.done.add(number)

    check_idempotent(sends, args=(1,), world=world)

    assert not clients[0][0].of_loop.locked()


def test_a_lock_that_another_thread_holds_is_not_released():
    lock = clients[0][0].again
    begun, ended = threading.Event(), threading.Event()

    def hold():
        with lock:
            begun.set()
            ended.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    begun.wait()

    def sends(number):
        client = clients[0][0]
        with client.pool.lock:
            send(number)

    try:
        check_idempotent(sends, args=(1,), world=world, histories=["crash"])

        assert not is_free(lock)
    finally:
        ended.set()
        thread.join()
