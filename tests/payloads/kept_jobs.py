"""Jobs whose payloads were recorded by earlier versions of the package: never rename, never change."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

from pytest_jobs import Job, job, later, reference


class Color(enum.Enum):
    """A declared enum."""

    RED = "red"


class Access(enum.Flag):
    """A declared flag."""

    READ = 1
    WRITE = 2


@dataclass
class Money:
    """A declared dataclass."""

    cents: int
    currency: str


@reference(id="id", find=lambda order_id: Order(int(order_id)))
class Order:
    """A record, which a payload refers to."""

    def __init__(self, number: int) -> None:
        self.id = number

    def ship(self, carrier: str) -> None:
        """Be shipped."""
        assert (self.id, carrier) == (7, "post")

    ship_later = later(ship)


#: Every kind of value that a payload can carry, by a name.
VALUES = {
    "plain": {"text": "\u00e9", "number": 7, "ratio": 0.5, "yes": True, "none": None, "items": [1]},
    "tag": {"~": "no tag"},
    "tuple": (1, "two"),
    "set": {3},
    "frozenset": frozenset((3,)),
    "datetime": datetime(2030, 1, 1, 12, tzinfo=UTC),
    "zoned": datetime(2030, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Paris"), fold=1),
    "date": date(2030, 1, 1),
    "time": time(12, 30),
    "timedelta": timedelta(days=1, seconds=2, microseconds=3),
    "decimal": Decimal("1.10"),
    "uuid": UUID(int=7),
    "path": Path("orders") / "7",
    "bytes": b"\x00\xff",
    "range": range(1, 9, 2),
    "enum": Color.RED,
    "flag": Access.READ | Access.WRITE,
    "dataclass": Money(100, "EUR"),
}


class Take(Job):
    """Takes one of the values."""

    queue = "kept"
    priority = 3

    def perform(self, name: str, value: Color | Access | Money | object) -> None:
        """Be given what was sent."""
        assert value == VALUES[name]
        assert type(value) is type(VALUES[name])


@job
async def fetch(page: int, *, copies: int = 1) -> None:
    """Be a coroutine function."""
    assert (page, copies) == (3, 2)


def enqueue() -> None:
    """Enqueue each of them."""
    for name, value in VALUES.items():
        Take.perform_later(name, value)
    fetch.perform_later(3, copies=2)
    Order(7).ship_later("post")
