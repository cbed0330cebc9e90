"""Videos that jobs render, in a table with their status, and a world that shows it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any


class Videos:
    """What the jobs use."""

    database: sqlite3.Connection

    @classmethod
    def mark(cls, number: int, status: str) -> None:
        with cls.database:
            cls.database.execute("update video set status = ? where id = ?", (status, number))

    @classmethod
    def waiting(cls, status: str) -> list[int]:
        found = cls.database.execute("select id from video where status = ?", (status,))
        return [number for (number,) in found]


def render(number: int) -> None:
    """Leave a status for ever that is neither that of before nor that of after."""
    Videos.mark(number, "processing")
    Videos.mark(number, "done")


def render_at_once(number: int) -> None:
    """Leave at any time what was there before, or the work."""
    Videos.mark(number, "done")


def videos() -> Iterator[Callable[[], Any]]:
    """Yield what shows the videos."""
    Videos.database = sqlite3.connect(":memory:", check_same_thread=False)
    Videos.database.row_factory = sqlite3.Row
    Videos.database.execute("create table video (id integer primary key, status text)")
    Videos.database.execute("insert into video values (7, 'open'), (8, 'open')")
    Videos.database.commit()

    def shown() -> dict[str, Any]:
        return {"video": list(map(dict, Videos.database.execute("select * from video")))}

    yield shown
    Videos.database.close()
