"""The sqlite file of the shop, with one connection for each unit of work."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from pytest_jobs.core.foundation.protocols import CommitWait

#: Where the data is.
path = Path(os.environ.get("SHOP_DATABASE", "shop.db"))
#: Whether a commit waits until the disk has it.
durable = True

SCHEMA = """
CREATE TABLE customers (
    id INTEGER PRIMARY KEY,
    email TEXT NOT NULL,
    premium INTEGER NOT NULL,
    muted INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers,
    cents INTEGER NOT NULL,
    placed_on TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'placed'
);
CREATE TABLE payments (
    id INTEGER PRIMARY KEY,
    order_id INTEGER NOT NULL REFERENCES orders,
    card TEXT NOT NULL,
    cents INTEGER NOT NULL,
    status TEXT NOT NULL DEFAULT 'open'
);
CREATE TABLE webhook_deliveries (
    id INTEGER PRIMARY KEY,
    url TEXT NOT NULL,
    event TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'pending'
);
CREATE TABLE notification_bundles (
    id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers,
    delivered_at TEXT
);
CREATE TABLE notifications (
    id INTEGER PRIMARY KEY,
    bundle_id INTEGER NOT NULL REFERENCES notification_bundles,
    message TEXT NOT NULL
);
CREATE TABLE subscribers (id INTEGER PRIMARY KEY, email TEXT NOT NULL);
CREATE TABLE campaigns (
    id INTEGER PRIMARY KEY,
    subject TEXT NOT NULL,
    enqueued INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE campaign_mails (
    campaign_id INTEGER NOT NULL REFERENCES campaigns,
    subscriber_id INTEGER NOT NULL REFERENCES subscribers,
    PRIMARY KEY (campaign_id, subscriber_id)
);
CREATE TABLE reports (
    day TEXT PRIMARY KEY,
    orders INTEGER NOT NULL,
    cents INTEGER NOT NULL,
    sent INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE imports (id INTEGER PRIMARY KEY, status TEXT NOT NULL DEFAULT 'running');
CREATE TABLE import_lines (import_id INTEGER NOT NULL REFERENCES imports, sku TEXT NOT NULL);
CREATE TABLE products (sku TEXT PRIMARY KEY);
CREATE TABLE stock (sku TEXT PRIMARY KEY, pieces INTEGER NOT NULL);
CREATE TABLE shipments (id INTEGER PRIMARY KEY, status TEXT NOT NULL DEFAULT 'unloaded');
CREATE TABLE shipment_lines (
    id INTEGER PRIMARY KEY,
    shipment_id INTEGER NOT NULL REFERENCES shipments,
    sku TEXT NOT NULL,
    pieces INTEGER NOT NULL,
    booked INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE failed_jobs (
    id INTEGER PRIMARY KEY,
    job TEXT NOT NULL,
    error TEXT NOT NULL,
    failed_at TEXT NOT NULL
);
"""


class RecordNotFound(LookupError):
    """No row is there."""


def connect() -> sqlite3.Connection:
    """Open the file."""
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    if not durable:
        connection.execute("PRAGMA synchronous = OFF")
    return connection


class UnitOfWork:
    """Changes that are committed together, and the jobs that wait for the commit."""

    text = "a unit of work"
    using = "shop"
    changed = True

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._waiting: list[CommitWait] = []

    def when_ended(self, wait: CommitWait) -> None:
        """Take a job that waits."""
        self._waiting.append(wait)

    def committed(self) -> None:
        """Enqueue the jobs."""
        for wait in self._waiting:
            wait.committed()

    def rolled_back(self) -> None:
        """Drop them."""
        for wait in self._waiting:
            wait.dropped()


_open: ContextVar[UnitOfWork | None] = ContextVar("open", default=None)


class UnitsOfWork:
    """Knows which one is open. The jobs are told of it in `boot`."""

    name = "shop"

    def open_here(self) -> Sequence[UnitOfWork]:
        """Return it, if there is one."""
        unit = _open.get()
        return [] if unit is None else [unit]


@contextmanager
def unit_of_work() -> Generator[sqlite3.Connection]:
    """Give a connection whose changes are committed together, or not at all.

    Inside another unit of work it is a part of that.
    """
    outer = _open.get()
    if outer is not None:
        yield outer.connection
        return
    unit = UnitOfWork(connect())
    token = _open.set(unit)
    try:
        with closing(unit.connection), unit.connection:
            yield unit.connection
    except BaseException:
        _open.reset(token)
        unit.rolled_back()
        raise
    _open.reset(token)
    unit.committed()


@contextmanager
def lock() -> Generator[sqlite3.Connection]:
    """Begin a unit of work that nobody else writes during: what it reads stays true until its end."""
    with unit_of_work() as connection:
        if not connection.in_transaction:
            connection.execute("BEGIN IMMEDIATE")
        yield connection


def create_tables() -> None:
    """Make a new file ready for use."""
    with unit_of_work() as connection:
        connection.executescript(f"BEGIN; {SCHEMA} COMMIT;")


def rows(query: str, *values: object) -> list[dict[str, Any]]:
    """Return what a query finds."""
    with unit_of_work() as connection:
        return [dict(row) for row in connection.execute(query, values)]


def row(query: str, *values: object) -> dict[str, Any]:
    """Return the one row that a query finds.

    Raises:
        RecordNotFound: when there is none.
    """
    found = rows(query, *values)
    if not found:
        raise RecordNotFound(f"{query} {values}")
    return found[0]


def insert(statement: str, *values: object) -> int:
    """Add a row and return its id."""
    with unit_of_work() as connection:
        return connection.execute(statement, values).lastrowid or 0


def change(statement: str, *values: object) -> int:
    """Change rows and return how many were changed."""
    with unit_of_work() as connection:
        return connection.execute(statement, values).rowcount
