"""The bookings, in sqlite."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

SCHEMA = """
create table bookings (id integer primary key, email text, mailed integer default 0, paid_back integer default 0);
create table visitors (booking integer primary key);
"""


def path() -> str:
    """Return the file of the database."""
    return os.environ.get("CINEMA_DATABASE", "cinema.db")


@contextmanager
def connected() -> Iterator[sqlite3.Connection]:
    """Open the database for a block, and commit at its end."""
    # A request may begin in one thread and end in another.
    connection = sqlite3.connect(path(), check_same_thread=False)
    try:
        with connection:
            yield connection
    finally:
        connection.close()


def session() -> Iterator[sqlite3.Connection]:
    """Open the database for an endpoint."""
    with connected() as connection:
        yield connection
