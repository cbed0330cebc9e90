"""A database of SQLAlchemy of which each history gets its own, and what those on a server have in common."""

from __future__ import annotations

import itertools
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Final, NamedTuple, TypeAlias

from sqlalchemy import URL, Connection, MetaData, create_engine
from sqlalchemy.exc import CompileError, DBAPIError

from ....errors import ExplorationError

#: Rows by table, as the driver gives them.
Rows: TypeAlias = dict[str, list[dict[str, Any]]]
#: Takes the numbers of a sequence and its name, so that they are compared by their order.
Announce: TypeAlias = Callable[[range, str], None]
#: Puts the first rows in.
Fill: TypeAlias = Callable[[Connection], object]

#: The numbers that a server gives to rows in a world: so high that no other number of a job is taken for one.
_FIRST: Final = 2_100_000_000
#: The end of the numbers, below the greatest integer of four bytes.
LAST: Final = 2_147_000_000
#: How many numbers each sequence has at most.
_ROOM: Final = 100_000
#: The begin of the names of the databases and schemas of worlds.
OF_WORLDS: Final = "pytest_jobs_"
_numbers: Final = itertools.count(1)


class Fresh(NamedTuple):
    """What one history has of a store."""

    #: Where the history finds the database.
    place: URL
    #: A connection that commits each statement, for what the world itself does to the database.
    connection: Connection


class Store(ABC):
    """A database of which each history gets its own. It was taken from the test, or has new tables."""

    @abstractmethod
    def fresh(self, stack: ExitStack, announce: Announce | None, fill: Fill | None = None) -> Fresh:
        """Let a history find the database as it was when it was taken or made."""

    @abstractmethod
    def close(self) -> None:
        """Remove what the store has made."""


class ServerStore(Store):
    """Tables of a server in a database or a schema of their own, which all histories have one after another."""

    def __init__(self, name: str, place: URL, own: URL) -> None:
        self._name = name
        self._place = place
        self._engine = create_engine(own, isolation_level="AUTOCOMMIT", pool_size=1)
        #: What gives numbers to rows, its numbers, and the column or the sequence.
        self._numbered: list[tuple[str, range, str]] = []

    def fresh(self, stack: ExitStack, announce: Announce | None, fill: Fill | None = None) -> Fresh:
        connection = stack.enter_context(self._engine.connect())
        self.put_back(connection)
        if fill is not None:
            fill(connection)
        # After the first rows, so that only what the job adds has such numbers.
        self.number(connection)
        for _, numbers, name in self._numbered:
            if announce is not None:
                announce(numbers, name)
        return Fresh(self._place, connection)

    def close(self) -> None:
        # The server may be gone by now.
        with suppress(Exception), self._engine.connect() as connection:
            self.drop(connection)
        self._engine.dispose()

    @abstractmethod
    def put_back(self, connection: Connection) -> None:
        """Give the tables the rows and the numbers that they had at first."""

    @abstractmethod
    def number(self, connection: Connection) -> None:
        """Let the next rows have high numbers."""

    @abstractmethod
    def drop(self, connection: Connection) -> None:
        """Remove the database or the schema."""


@contextmanager
def making(metadata: MetaData, place: URL, noun: str) -> Generator[None, None, None]:
    """Refuse tables that cannot be made on a server, for the block that makes them.

    Args:
        metadata: the tables.
        place: where the application will find them.
        noun: in which of its parts the world has them: its own schema, or its own database.
    """
    elsewhere = [table.fullname for table in metadata.sorted_tables if table.schema]
    if elsewhere:
        raise ExplorationError(
            f"{elsewhere[0]} names the {noun} that it is in, so it cannot be made in the world's own: leave "
            f"the schema out of the table, and let the URL of the application name the {noun}."
        )
    try:
        yield
    except (CompileError, DBAPIError) as error:
        raise ExplorationError(
            f"The tables cannot be made in {place!r}: {str(error).splitlines()[0]}."
        ) from error


def new_name() -> str:
    """Return a name for a database or a schema that nobody else has."""
    return f"{OF_WORLDS}{os.getpid()}_{next(_numbers)}"


def ranges_of_numbers(found: Iterable[tuple[str, str]]) -> list[tuple[str, range, str]]:
    """Return what numbers rows, its numbers, different ones for each, and the name of the column."""
    known = list(found)
    room = min(_ROOM, (LAST - _FIRST) // max(len(known), 1))
    return [
        (one, range(_FIRST + place * room, _FIRST + (place + 1) * room), name)
        for place, (one, name) in enumerate(known)
    ]
