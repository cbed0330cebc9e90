"""The jobs that the tests of the exploration deliver, good and bad."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

from pytest_jobs import Job, job, retry_on

gateway = None
lock = threading.Lock()
reentrant_lock = threading.RLock()
seen: set[int] = set()
cache: dict[int, int] = {}
folder = Path()


def connect():
    raise NotImplementedError("the world binds it")


def status_of(db, number):
    return db.execute("select status from payments where id = ?", (number,)).fetchone()[0]


def mark(db, number):
    db.execute("update payments set status = 'done' where id = ?", (number,))
    db.commit()


def charge_always(number):
    gateway.charge(number)


def charge_then_mark(number):
    db = connect()
    if status_of(db, number) != "done":
        gateway.charge(number)
        mark(db, number)


def mark_then_charge(number):
    db = connect()
    if status_of(db, number) != "done":
        mark(db, number)
        gateway.charge(number)


def charge_with_key(number):
    db = connect()
    if status_of(db, number) != "done":
        gateway.charge(number, key=f"payment-{number}")
        mark(db, number)


def charge_with_random_key(number):
    gateway.charge(number, key=str(uuid.uuid4()))


def charge_once_a_process(number):
    if number not in seen:
        gateway.charge(number)
        seen.add(number)


def charge_under_a_lock(number):
    with lock:
        charge_then_mark(number)


def look_up_then_charge(number):
    if number not in gateway.charged():
        gateway.charge(number)


def look_up_under_a_lock(number):
    with lock:
        look_up_then_charge(number)


def look_up_under_a_reentrant_lock(number):
    with reentrant_lock:
        look_up_then_charge(number)


def give_up_on_error(number):
    db = connect()
    try:
        if status_of(db, number) == "pending":
            gateway.charge(number, key=f"payment-{number}")
            mark(db, number)
    except TimeoutError:
        db.execute("update payments set status = 'failed' where id = ?", (number,))
        db.commit()


def done_in_spite_of_error(number):
    db = connect()
    if status_of(db, number) == "done":
        return
    try:
        gateway.charge(number, key=f"payment-{number}")
    finally:
        mark(db, number)


def key_of_the_day(number):
    gateway.charge(number, key=f"{number}-{datetime.now(UTC).date()}")


def insert_plainly(number):
    db = connect()
    db.execute("insert into ledger values (?)", (number,))
    db.commit()


def overwrite(number):
    db = connect()
    db.execute("update payments set status = 'done' where id = ?", (number,))
    db.commit()


def claim_and_forget(number):
    db = connect()
    if status_of(db, number) != "pending":
        return
    db.execute("update payments set status = 'working' where id = ?", (number,))
    db.commit()
    mark(db, number)


def stamp(number):
    db = connect()
    db.execute(
        "update payments set status = ? where id = ?", (datetime.now(UTC).isoformat(), number)
    )
    db.commit()


def token_sent_and_stored(number):
    db = connect()
    token = uuid.uuid4().hex
    db.execute("update payments set status = ? where id = ?", (token, number))
    db.commit()
    gateway.charge(token, key=number)


def roll(number):
    gateway.charge(random.SystemRandom().random(), key=number)


def connect_somewhere(number):
    socket.create_connection(("127.0.0.1", 1))


def do_nothing(number):
    """Do nothing that anybody sees."""


def always_fail(number):
    raise ValueError("broken")


def append_to_file(number):
    with (folder / "report.txt").open("a") as file:
        file.write(f"{number}\n")


def replace_file(number):
    temporary = folder / "report.tmp"
    temporary.write_text(f"{number}\n")
    temporary.replace(folder / "report.txt")


def remember(number):
    cache[number] = number
    overwrite(number)


def spin_for_ever(number):
    gateway.charge(number, key=number)
    while number in gateway.busy():
        time.sleep(1)


async def charge_in_a_coroutine(number):
    await asyncio.sleep(1)
    gateway.charge(number)
    await asyncio.sleep(1)


async def charge_with_key_in_a_coroutine(number):
    await asyncio.sleep(1)
    gateway.charge(number, key=number)
    await asyncio.sleep(1)


@job
def send_receipt(number):
    gateway.charge(number)


@job
def fan_out(number):
    db = connect()
    if status_of(db, number) != "done":
        send_receipt.perform_later(number)
        mark(db, number)


@retry_on(TimeoutError, wait=5, attempts=3)
class Pay(Job):
    def perform(self, number):
        gateway.charge(number, key=f"payment-{number}")


def recover_once(number):
    db = connect()
    status = status_of(db, number)
    if status in ("done", "recovering"):
        return
    next_status = "recovering" if status == "working" else "working"
    db.execute("update payments set status = ? where id = ?", (next_status, number))
    db.commit()
    gateway.charge(number, key=f"payment-{number}")
    mark(db, number)


def charge_under_a_flag(number):
    db = connect()
    status = status_of(db, number)
    if status == "done":
        return
    if status == "locked":
        raise BlockingIOError("somebody is at it")
    db.execute("update payments set status = 'locked' where id = ?", (number,))
    db.commit()
    look_up_then_charge(number)
    mark(db, number)


class Till:
    """A lock that an object holds, which no restart makes new."""

    def __init__(self):
        self.lock = threading.Lock()


till = Till()


def guarded_by_a_lock():
    locks = [threading.Lock()]

    def charge_under_a_lock_in_a_list(number):
        with locks[0]:
            look_up_then_charge(number)

    return charge_under_a_lock_in_a_list


charge_under_a_lock_in_a_list = guarded_by_a_lock()


def charge_at_the_till(number):
    with till.lock:
        look_up_then_charge(number)


local = threading.local()


def charge_once_a_thread(number):
    if not hasattr(local, "seen"):
        gateway.charge(number)
    local.seen = True


def spin_on_a_lease(number):
    db = connect()
    db.isolation_level = None
    while True:
        db.execute("begin immediate")
        row = db.execute("select until from leases").fetchone()
        if row is None or row[0] <= time.time():
            break
        db.execute("rollback")
        time.sleep(10)
    db.execute("delete from leases")
    db.execute("insert into leases values (?)", (time.time() + 30,))
    db.execute("commit")
    gateway.charge(number, key=number)
    db.execute("delete from leases")


def charge_while_reading(number):
    db = connect()
    for (found,) in db.execute("select id from payments where status = 'pending' order by id"):
        gateway.charge(found, key=found)
    overwrite(number)
