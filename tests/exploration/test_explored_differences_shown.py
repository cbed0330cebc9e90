"""`once:` and `now:` of a report show what differs, however long the rows are."""

import re
import sqlite3
from contextlib import closing

import pytest
from tables import each_row

from pytest_jobs import check_idempotent
from pytest_jobs.errors import NotIdempotent
from pytest_jobs.exploration.engine.sameness.renaming import Fields, Keyed
from pytest_jobs.exploration.report.difference import difference_text

LANE = "Long Lane 1, " * 20


def keyed(**columns):
    return Keyed([("address", LANE), *columns.items()])


def ordered(**fields):
    return Fields(("Order", (("address", LANE), *fields.items())))


class Orders:
    """Where the jobs below find their rows."""

    file = ""


def execute(statement):
    with closing(sqlite3.connect(Orders.file)) as connection, connection:
        connection.execute(statement)


def append_text():
    execute("update orders set log = log || 'again;'")


def append_bytes():
    execute("update orders set data = cast(data || x'ff' as blob)")


def count_up():
    execute("update orders set n = n + 1")


@pytest.fixture
def orders(tmp_path, monkeypatch):
    monkeypatch.setattr(Orders, "file", str(tmp_path / "shop.db"))
    execute(
        "create table orders (id integer primary key, address text, data blob, log text, n int)"
    )
    execute(f"insert into orders values (7, '{LANE}', x'{'0001' * 200}', '{'begun;' * 30}', 0)")


def told(job):
    """Return what a report says of the table and of the file."""
    with pytest.raises(NotIdempotent) as caught:
        check_idempotent(job)
    found = re.findall(
        r"(?m)^(table orders|files).*\n  once: (.*)\n  now:  (.*)$", str(caught.value)
    )
    return {name: (once, now) for name, once, now in found}


@each_row(
    "job, table",
    [
        (append_text, ("'log': ...'gun;begun;again;'", "'log': ...'gun;begun;again;again;'")),
        (append_bytes, (r"'data': ...\x01\x00\x01\xff'", r"'data': ...\x01\x00\x01\xff\xff'")),
        (count_up, ("'n': 1", "'n': 2")),
    ],
)
def test_a_row_of_sqlite_shows_first_what_differs(job, table, orders):
    shown = told(job)

    assert tuple(text.partition(", ")[0] for text in shown["table orders"]) == tuple(
        f"{{{column}" for column in table
    )
    assert all(column in text for column, text in zip(table, shown["files"], strict=True))


@each_row(
    "once, now, shown",
    [
        ((keyed(n=1),), (keyed(n=2),), ("{'n': 1, ...}", "{'n': 2, ...}")),
        ((keyed(),), (keyed(paid=True),), ("{...}", "{'paid': True, ...}")),
        (
            (keyed(n=1), keyed(n=5)),
            (keyed(n=1), keyed(n=6)),
            ("{'n': 5, ...}; 2 in all", "{'n': 6, ...}; 2 in all"),
        ),
        (ordered(n=1), ordered(n=2), ("Order(n=1, ...)", "Order(n=2, ...)")),
        (
            ("file", keyed(n=1)),
            ("file", keyed(n=2)),
            ("{'n': 1, ...}; 2 in all", "{'n': 2, ...}; 2 in all"),
        ),
        (
            (("file", keyed(n=1)),),
            (("file", keyed(n=2)),),
            ("('file', {'n': 1, ...})", "('file', {'n': 2, ...})"),
        ),
        ((("row", LANE, 1),), (("row", LANE, 2),), ("('row', ..., 1)", "('row', ..., 2)")),
        ((f"{LANE}1",), (f"{LANE}2",), ("...'1, Long Lane 1, 1'", "...'1, Long Lane 1, 2'")),
        (f"{LANE}1", f"{LANE}2", ("...'1, Long Lane 1, 1'", "...'1, Long Lane 1, 2'")),
    ],
)
def test_what_differs_comes_first(once, now, shown):
    _, *lines = difference_text((("orders", once, now),)).splitlines()

    assert tuple(line[8:] for line in lines) == shown
