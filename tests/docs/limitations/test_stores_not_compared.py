"""Two statements of one line, on a connection from before the check, are one step."""

import sqlite3

import pytest

from pytest_jobs import check_idempotent

db = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
db.execute("create table sent (number)")
db.execute("create table booked (number)")


@pytest.fixture(autouse=True, scope="module")
def _closed():
    yield
    db.close()


def rows(table):
    return db.execute(f"select * from {table}").fetchall()


def world():
    db.execute("delete from sent")
    db.execute("delete from booked")
    yield lambda: {"sent": rows("sent"), "booked": rows("booked")}


def two_statements_in_one_line(number):
    if not rows("sent"):
        list(map(db.execute, ["insert into sent values (1)", "insert into booked values (1)"]))


def test_no_kill_between_them():
    check_idempotent(two_statements_in_one_line, args=(1,), world=world, histories=["crash"])
