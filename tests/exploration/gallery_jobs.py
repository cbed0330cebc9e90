"""The jobs whose reports are pinned. Line numbers are part of a report: add at the end."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from pytest_jobs import Job, job

gateway = None
folder = Path()
seen: set[int] = set()


def connect():
    raise NotImplementedError("the world binds it")


def status_of(db, number):
    return db.execute("select status from payments where id = ?", (number,)).fetchone()[0]


def mark(db, number, status="paid"):
    db.execute("update payments set status = ? where id = ?", (status, number))
    db.commit()


def charge(number):
    gateway.charge(number, 100)


def charge_once_a_process(number):
    if number in seen:
        return
    gateway.charge(number, 100)
    seen.add(number)


def pay(number):
    db = connect()
    if status_of(db, number) == "paid":
        return
    gateway.charge(number, 100)
    mark(db, number)


def mark_first(number):
    db = connect()
    if status_of(db, number) == "paid":
        return
    mark(db, number)
    gateway.charge(number, 100)


def try_again_without_key(number):
    for _ in range(3):
        try:
            gateway.charge(number, 100)
        except TimeoutError:
            continue
        break


def look_up_first(number):
    if number not in gateway.charged():
        gateway.charge(number, 100)


def key_of_the_day(number):
    gateway.charge(number, 100, key=f"{number}-{datetime.now(UTC).date()}")


def mark_in_the_end(number):
    db = connect()
    if status_of(db, number) == "paid":
        return
    try:
        gateway.charge(number, 100, key=number)
    finally:
        mark(db, number)


def fail_on_timeout(number):
    db = connect()
    if status_of(db, number) != "open":
        return
    try:
        gateway.charge(number, 100, key=number)
        mark(db, number)
    except TimeoutError:
        mark(db, number, "failed")


def claim(number):
    db = connect()
    if status_of(db, number) != "open":
        return
    mark(db, number, "working")
    mark(db, number)


def overwrite(number):
    mark(connect(), number)


def insert(number):
    db = connect()
    db.execute("insert into ledger values (?)", (number,))
    db.commit()


def begin_without_end(number):
    path = folder / "lock"
    if path.exists():
        return
    path.touch()
    mark(connect(), number)
    path.unlink()


@job
def send_receipt(number):
    gateway.mail(number)


@job
def pay_and_send(number):
    db = connect()
    if status_of(db, number) == "paid":
        return
    send_receipt.perform_later(number)
    mark(db, number)


class Remind(Job):
    def perform(self, customers):
        db = connect()
        if status_of(db, 1) == "paid":
            return
        [gateway.mail(customer) for customer in customers]
        mark(db, 1)


async def pay_in_a_coroutine(number):
    if number in gateway.charged():
        return
    await asyncio.sleep(1)
    gateway.charge(number, 100)
    await asyncio.sleep(1)


def append(number):
    with (folder / "report.txt").open("a") as file:
        file.write(f"{number}\n")


def give_up_the_third_time(number):
    path = folder / "attempts"
    attempt = len(path.read_text()) if path.exists() else 0
    path.write_text("x" * (attempt + 1))
    if attempt < 2:
        gateway.charge(number, 100, key=number)
    path.unlink()


@job
def charge_without_retries(number):
    gateway.charge(number, 100, key=number)


def pay_out(number):
    db = connect()
    db.execute("update payments set status = 'processing' where id = ?", (number,))
    db.commit()
    gateway.charge(number, 100, key=number)
    mark(db, number)
