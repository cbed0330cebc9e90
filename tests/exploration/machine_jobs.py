"""The jobs of the machines, good and bad, and the world in which they run."""

from __future__ import annotations

import asyncio
import sys
import threading

from explored_worlds import Gateway

from pytest_jobs import Job, effects, fake, job, retry_on, sqlite_world

SCHEMA = """
create table payments (id integer primary key, status, attempts_left);
insert into payments values (1, 'open', 2), (2, 'open', 2);
create table profiles (id integer primary key);
create table deleted (id integer primary key);
"""

gateway = None
seen: set[int] = set()
tries: list[int] = []
shared = None
ledger: list[int] = []
cleaned: list[str] = []


class Holder:
    lock = threading.Lock()
    #: Where nobody looks for them.
    hidden = (threading.Lock(),)


def connect():
    raise NotImplementedError("the world binds it")


def shop():
    with (
        sqlite_world(SCHEMA, bind=(sys.modules[__name__], "connect")) as rows,
        fake(sys.modules[__name__], "gateway", Gateway(), key="key", reads={"charged"}) as made,
    ):
        yield lambda: {
            "payments": {number: status for number, status, _ in rows("payments")},
            "profiles": [number for (number,) in rows("profiles")],
            "deleted": [number for (number,) in rows("deleted")],
            "charges": [call[1] for call in made.calls],
        }


def status_of(db, number):
    return db.execute("select status from payments where id = ?", (number,)).fetchone()[0]


def put(db, number, status):
    db.execute("update payments set status = ? where id = ?", (status, number))
    db.commit()


def pay(number):
    db = connect()
    if status_of(db, number) != "paid":
        gateway.charge(number)
        put(db, number, "paid")


def pay_in_a_transaction(number):
    db = connect()
    db.execute("begin immediate")
    if status_of(db, number) != "paid":
        gateway.charge(number)
        put(db, number, "paid")


def pay_with_key(number):
    db = connect()
    if status_of(db, number) != "paid":
        gateway.charge(number, key=f"payment-{number}")
        put(db, number, "paid")


def look_then_charge(number):
    if number not in gateway.charged():
        gateway.charge(number)


def look_then_charge_under_a_lock(number):
    db = connect()
    db.execute("begin immediate")
    if number not in gateway.charged():
        gateway.charge(number)
    db.commit()


def look_then_charge_with_key(number):
    if number not in gateway.charged():
        gateway.charge(number, key=number)


async def look_then_charge_in_a_coroutine(number):
    if number not in gateway.charged():
        await asyncio.sleep(0)
        gateway.charge(number)


def look_at_the_process_then_charge(number):
    if number not in seen:
        seen.add(number)
        gateway.charge(number, key=number)
        tries.append(number)


def record_unless_recorded(number):
    if number not in ledger:
        ledger.append(number)


def pay_with_attempts(number):
    db = connect()
    if status_of(db, number) != "open":
        return
    (left,) = db.execute("select attempts_left from payments where id = ?", (number,)).fetchone()
    if left == 0:
        put(db, number, "given up")
        return
    db.execute("update payments set attempts_left = ? where id = ?", (left - 1, number))
    db.commit()
    gateway.charge(number, key=f"payment-{number}")
    put(db, number, "paid")


def pay_once_a_process(number):
    if number not in seen:
        gateway.charge(number)
        seen.add(number)


def pay_and_clean_up(number):
    db = connect()
    try:
        gateway.charge(number, key=number)
        put(db, number, "paid")
    finally:
        cleaned.append("finally")
        put(db, number, "cleaned up by the dead")


def pay_under_a_lock(number):
    with Holder.lock:
        gateway.charge(number, key=number)


def pay_under_a_hidden_lock(number):
    with Holder.hidden[0]:
        gateway.charge(number, key=number)


def fail_for_ever(number):
    gateway.charge(number, key=number)
    raise ValueError("broken")


def fail_twice(number):
    db = connect()
    (left,) = db.execute("select attempts_left from payments where id = ?", (number,)).fetchone()
    gateway.charge(number, key=number)
    if left:
        db.execute("update payments set attempts_left = attempts_left - 1 where id = ?", (number,))
        db.commit()
        raise ValueError("not yet")


def use_the_connection_of_all(number):
    effects.note_connection(lambda: None, shared=Holder)
    gateway.charge(number, key=number)


def enqueue_for_ever(number):
    gateway.charge(number, key=number)
    again.perform_later(number)


@job
def again(number):
    enqueue_for_ever(number)


def remember_the_shared(number):
    shared.execute("insert into profiles values (?)", (number,))
    shared.commit()


def record(number):
    gateway.charge(number)
    ledger.append(number)


def charge(number):
    gateway.charge(number)


def look_at_nothing(number):
    """Do nothing that anybody sees."""


def save_profile(number):
    db = connect()
    db.execute("insert or replace into profiles values (?)", (number,))
    db.commit()


def save_living_profile(number):
    db = connect()
    db.execute(
        "insert or replace into profiles select ? where not exists (select 1 from deleted where id = ?)",
        (number, number),
    )
    db.commit()


def delete_profile(number):
    db = connect()
    db.execute("delete from profiles where id = ?", (number,))
    db.execute("insert or replace into deleted values (?)", (number,))
    db.commit()


async def pay_in_a_coroutine(number):
    await asyncio.sleep(1)
    gateway.charge(number)
    await asyncio.sleep(1)


@job
def send_receipt(number):
    gateway.charge(f"receipt {number}")


@job
def pay_and_send_receipt(number):
    pay_with_key(number)
    send_receipt.perform_later(number)


@retry_on(TimeoutError, wait=300, attempts=3)
class PayLater(Job):
    def perform(self, number):
        gateway.charge(number, key=f"payment-{number}")
