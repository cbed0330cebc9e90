"""What is open on the connections of a test when a delivery begins, and what the killed delivery left open."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol
from weakref import WeakSet

from .....harness.records.patches import Patches


class Delivery(Protocol):
    """What is open at the beginning of a delivery, in one library."""

    def ended(self, *, dead: bool) -> None:
        """Roll back what a delivery that is dead has begun since."""
        ...


class Library(Protocol):
    """A library through which jobs reach databases."""

    def __init__(self, patches: Patches) -> None:
        """Watch it from now on."""
        ...

    def begin(self) -> Delivery:
        """Return what is open now, when a delivery begins that is to be killed."""
        ...


class OpenConnections:
    """The connections of a driver, and which of them are in a transaction."""

    def __init__(self, is_in_transaction: Callable[[Any], bool]) -> None:
        self.known: WeakSet[Any] = WeakSet()
        self._is_in_transaction = is_in_transaction

    def begin(self) -> Delivery:
        return _Transactions(self)

    def open(self) -> Iterator[Any]:
        """Yield the connections that are in a transaction."""
        for connection in list(self.known):
            # A closed connection may raise.
            with contextlib.suppress(Exception):
                if self._is_in_transaction(connection):
                    yield connection


class _Transactions:
    def __init__(self, driver: OpenConnections) -> None:
        self._driver = driver
        self._before = WeakSet(driver.open())

    def ended(self, *, dead: bool) -> None:
        for connection in self._driver.open() if dead else ():
            # The connection may belong to another thread.
            with contextlib.suppress(Exception):
                if connection not in self._before:
                    connection.rollback()
