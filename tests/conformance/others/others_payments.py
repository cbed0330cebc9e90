"""Payments that a job makes, well or badly, and the world in which it does."""

from __future__ import annotations

import socket
import sys

from pytest_jobs import fake, job, sqlite_world

SCHEMA = """
create table payments (id integer primary key, status);
insert into payments values (1, 'open'), (2, 'open');
"""

gateway = None


def connect():
    raise LookupError("the world binds it")


def status_of(db, number):
    return db.execute("select status from payments where id = ?", (number,)).fetchone()[0]


def mark(db, number):
    db.execute("update payments set status = 'paid' where id = ?", (number,))
    db.commit()


@job
def pay_always(number):
    gateway.charge(number)


@job
def pay_once_marked(number):
    db = connect()
    if status_of(db, number) == "open":
        gateway.charge(number)
        mark(db, number)


@job
def pay_with_key(number):
    db = connect()
    if status_of(db, number) == "open":
        gateway.charge(number, key=f"payment-{number}")
        mark(db, number)


@job
async def pay_awaiting(number):
    import asyncio

    db = connect()
    if status_of(db, number) == "open":
        gateway.charge(number)
        await asyncio.sleep(0)
        mark(db, number)


@job
def notify_a_stranger(number):
    with socket.socket() as found:
        found.connect(("127.0.0.1", 1))


class Gateway:
    def charge(self, number, key=None):
        return "charged"


def billing():
    module = sys.modules[__name__]
    with (
        sqlite_world(SCHEMA, bind=(module, "connect")) as rows,
        fake(module, "gateway", Gateway(), key="key") as made,
    ):
        yield lambda: {"payments": rows("payments"), "charges": made.calls}
