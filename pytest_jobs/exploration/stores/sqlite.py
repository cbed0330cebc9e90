"""The tables of a sqlite database, and who reads and writes them. Its authorizer says so: no SQL is parsed."""

from __future__ import annotations

import os
import sqlite3
import sys
import weakref
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import closing, contextmanager, suppress
from functools import cache, partial
from itertools import count
from pathlib import Path, PurePath
from tempfile import gettempdir
from typing import Any, Final, TypeVar
from urllib.parse import unquote, urlsplit

from ...errors import ExplorationError
from ..engine.sameness.renaming import Unordered
from .account import Account, accounts
from .files import OF_WORLD, OWN
from .new_keys import AreNumbers, NewKeys, rows_by, rows_in
from .store import Store

_Answer = TypeVar("_Answer")
#: A folder in memory, where the system has it.
_FAST: Final = "/dev/shm"  # noqa: S108 - a folder of its own is made there
_WRITES: Final = {
    sqlite3.SQLITE_INSERT: "insert into",
    sqlite3.SQLITE_UPDATE: "update",
    sqlite3.SQLITE_DELETE: "delete from",
}
#: What gives a connection a second place for its tables, which the lock of the first does not concern.
_ELSEWHERE: Final = frozenset(
    (
        sqlite3.SQLITE_ATTACH,
        sqlite3.SQLITE_CREATE_TEMP_TABLE,
        sqlite3.SQLITE_CREATE_TEMP_VIEW,
        sqlite3.SQLITE_CREATE_TEMP_TRIGGER,
    )
)


def _fast_folder() -> str | None:
    """Return a folder in memory, where the system has that."""
    return _FAST if os.access(_FAST, os.W_OK) else None


@contextmanager
def temporary_folder(prefix: str) -> Generator[Path, None, None]:
    """Have a folder for databases for a block."""
    folder = _made_folder(prefix)
    try:
        yield folder
    finally:
        _remove(folder)


def _made_folder(prefix: str) -> Path:
    """Make a folder for databases, which has the same name in each history.

    A name that is drawn would be looked for in each text of each history: in two megabytes for half a second.
    """
    numbers = count(1)
    while True:
        name = f"{prefix}{os.getpid()}-{next(numbers)}"
        folder = Path(_fast_folder() or gettempdir(), name)
        # There is one of another world that is open, or of a process that was killed.
        with suppress(FileExistsError):
            folder.mkdir(0o700)
            # A state names files by the folders that this event reports. `tempfile` raises it, too.
            sys.audit("tempfile.mkdtemp", str(folder))
            return folder


def _remove(folder: Path) -> None:
    # By hand, since each history has one: to remove any tree takes three times as long.
    for name in os.listdir(folder):  # noqa: PTH208 - faster
        (folder / name).unlink()
    folder.rmdir()


@cache
def _empty() -> bytes:
    """Return the file of a database with a log and no tables: making one takes longer than writing it."""
    with temporary_folder(OF_WORLD) as folder:
        path = folder / "world.db"
        with closing(sqlite3.Connection(path)) as connection:
            connection.execute("pragma journal_mode = wal")
        return path.read_bytes()


class DatabaseFile:
    """A database of a world, in a temporary file.

    Its log lets a job read what was committed while another transaction goes on, as on a server. Connections that
    share one in memory could not read at all.
    """

    def __init__(self) -> None:
        self._folder = _made_folder(OF_WORLD)
        self.path = self._folder / "world.db"
        self.path.write_bytes(_empty())
        #: For `sqlite3.connect(..., uri=True)`.
        self.uri = self.path.as_uri()

    def close(self) -> None:
        _remove(self._folder)


class SqliteStore(Store):
    """One database, as a path, as the URI of a database in memory, or as the only connection to it."""

    noun = "table"
    is_refused_at_once = True

    def __init__(
        self,
        label: str,
        place: str | sqlite3.Connection,
        is_bound: Callable[[], bool],
        are_numbers: AreNumbers,
    ) -> None:
        self.label = label
        self.short = PurePath(label).name
        if not isinstance(place, str):
            self.way_in = (
                "Close it before the check, so that the job opens its own connection to a file in `tmp_path`; or "
                "let the world make it or bind it, and show what the job writes there"
            )
        self.place = place
        self._is_bound = is_bound
        self._keys = NewKeys(label, are_numbers)
        self._are_numbers = are_numbers
        #: The connection of a world by which it is read; otherwise each question opens one.
        self._own: sqlite3.Connection | None = None

    def read_by(self, connection: sqlite3.Connection) -> None:
        """Read it by a connection of a world, whose rows are those that it has now."""
        self._own = connection
        self._keys = NewKeys(self.label, self._are_numbers, connection)

    def begin(self) -> None:
        if self._own is not None:
            return
        # Amid a transaction that excludes all others, its first rows are not known.
        with suppress(ExplorationError):
            found = self._asked(partial(NewKeys, self.label, self._are_numbers))
            self._keys = found or self._keys

    def numbers(self, table: str) -> Mapping[str, Mapping[object, int]]:
        """Return the numbers of new keys, by the columns of a table that have them."""
        return self._asked(lambda connection: self._keys.numbers(connection, table)) or {}

    @property
    def may_be_asked_amid_a_write(self) -> bool:  # type: ignore[override]
        return isinstance(self.place, str)

    def is_bound(self, name: str) -> bool:
        return self._is_bound()

    def shows(self, read: str, name: str) -> bool:
        return read == "*"

    def left_out(self, name: str, ways: Collection[str]) -> str | None:
        # A virtual table keeps its own data in shadow tables.
        query = "select type from pragma_table_list where name = ?"
        found = self._asked(lambda connection: rows_by(connection, query, name))
        return "" if ("shadow",) in (found or ()) else None

    def content(self, name: str, renamed: Callable[[Any], Any]) -> Any:
        def rows(connection: sqlite3.Connection) -> list[dict[str, Any]]:
            found = rows_in(connection, name)
            self._keys.number(connection, name, found)
            return found

        return renamed(Unordered(self._asked(rows) or ()))

    def _asked(self, ask: Callable[[sqlite3.Connection], _Answer]) -> _Answer | None:
        """Return what a question finds in the database; None if it is not there."""
        if self._own is not None and is_open(self._own):
            return ask(self._own)
        if isinstance(self.place, sqlite3.Connection):
            # A database in memory ends with its connection, which a job or a test may have closed.
            return ask(self.place) if is_open(self.place) else None
        if not Path(self.place).exists():
            return None
        # By the class, since the function of this name is patched.
        try:
            with closing(sqlite3.Connection(self.place, timeout=0.0)) as connection:
                return ask(connection)
        except sqlite3.OperationalError as error:
            if "no such" in str(error):
                return None
            raise ExplorationError(
                f"What the job wrote to {self.label or 'the database'} cannot be read in the end: {error}. Let "
                "the job, or the world, end its transaction."
            ) from error


class Looks:
    """Says what may have changed in a file since it was looked at last, by a connection that only reads."""

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self._connection = connection
        self._path = os.path.abspath(path)  # noqa: PTH100 - without `..`, and links as they are
        self._version: object = None

    def changed(self, tables: Collection[str]) -> Collection[str]:
        """Return the tables that others have written since the last look, all the first time."""
        account = accounts.current
        written: set[str] = set()
        if account is not None:
            written = account.looked_at(lambda store: getattr(store, "place", "") == self._path)
        if not is_open(self._connection):
            # A job, or the end of its worker, may have closed it. Nobody knows what has changed since.
            return tables
        before = self._version
        # It changes whenever another connection has committed something.
        self._version = rows_by(self._connection, "pragma data_version")
        if self._version == before:
            return ()
        # What no authorizer has reported, nobody knows.
        return tables if before is None else written or tables


def is_open(connection: sqlite3.Connection) -> bool:
    try:
        # By the class, since a connection of a delivery answers for another one.
        sqlite3.Connection.total_changes.__get__(connection)
    except sqlite3.ProgrammingError:
        return False
    return True


def roll_back(connection: sqlite3.Connection) -> None:
    """End what a delivery has not committed, as it ends with its process."""
    # One that is closed has nothing to end.
    with suppress(sqlite3.ProgrammingError):
        sqlite3.Connection.rollback(connection)


def databases_of(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the paths of the databases of a connection by their names; empty for databases in memory."""
    rows = rows_by(connection, "pragma database_list")
    return {name: path or "" for _, name, path in rows}


class Reporting(sqlite3.Connection):
    """A connection that has an `Authorizer` by itself."""


class Authorizer:
    """Reports the tables that one connection reads and writes to the account of the history that is open."""

    def __init__(
        self,
        connection: Callable[[], sqlite3.Connection | None],
        places: Mapping[str, str],
        *,
        is_private: bool = False,
    ) -> None:
        #: Returns the connection, which may be about to be opened; None if it is gone. One that keeps itself alive
        #: would be closed by the garbage collector.
        self._connection = connection
        #: The databases that it has, by their names; empty for those in memory.
        self._places = dict(places)
        self._turn: object = None
        #: The authorizer of the application.
        self._other: Callable[..., int] | None = None
        self._is_attaching = False
        self._pending: list[tuple[str, int, str]] = []
        #: Whether databases in memory are not compared, since they end with a delivery.
        self._is_private = is_private
        #: Whether all its statements concern one file, as one transaction locks it.
        self.has_one_file = False

    @classmethod
    def of_new(cls, connection: sqlite3.Connection, database: Any) -> Authorizer:
        account = accounts.current
        place = place_of(database)
        is_private = account is None or account.phase == "delivery"
        made = cls(weakref.ref(connection), {"main": place}, is_private=is_private)
        made.has_one_file = bool(place)
        if account is not None:
            made._store(account, place)
        return made

    def is_behind(self) -> bool:
        """Return whether another phase has begun, so that sqlite has to ask again."""
        account = accounts.current
        if account is None or account.turn is self._turn:
            return False
        self._turn = account.turn
        return True

    def replace(self, other: Callable[..., int] | None) -> None:
        """Ask the authorizer of the application as well, which has taken the place of this one."""
        self._other = other
        self._turn = None

    def name(self, places: Mapping[str, str]) -> None:
        """Learn where databases are that have no place yet."""
        for name, place in places.items():
            self._places.setdefault(name, place)

    def name_of_database(self) -> str:
        return self._places.get("main") or ":memory:"

    def note_attached(self) -> None:
        """Look up the databases that the last statement has attached."""
        if not self._is_attaching:
            return
        self._is_attaching = False
        connection = self._connection()
        if connection is not None:
            self.name(databases_of(connection))
        pending, self._pending = self._pending, []
        for name, action, table in pending:
            self._report(name, action, table)

    def allow(
        self,
        action: int,
        first: str | None,
        second: str | None,
        database: str | None,
        inner: str | None,
    ) -> int:
        """Allow what the application allows, and report it: sqlite asks this about each part of a statement."""
        if action in _ELSEWHERE:
            self.has_one_file = False
            self._is_attaching = self._is_attaching or action == sqlite3.SQLITE_ATTACH
        elif (
            (action == sqlite3.SQLITE_READ or action in _WRITES)
            and first is not None
            and not first.startswith("sqlite_")
            and database != "temp"
        ):
            self._report(database or "main", action, first)
        if self._other is None:
            return sqlite3.SQLITE_OK
        return self._other(action, first, second, database, inner)

    def _report(self, database: str, action: int, table: str) -> None:
        account = accounts.current
        if account is None or (action == sqlite3.SQLITE_READ and account.phase != "snapshot"):
            return
        if database not in self._places:
            self._pending.append((database, action, table))
            return
        store = self._store(account, self._places[database])
        if store is None:
            return
        if action == sqlite3.SQLITE_READ:
            account.read(store, table)
        else:
            account.wrote(store, table, f"{_WRITES[action]} {table}")

    def _store(self, account: Account, place: str) -> str | None:
        """Return the key of the store of a database; None for one in memory that only a delivery has."""
        in_delivery = account.phase == "delivery"
        if not place:
            connection = self._connection()
            if self._is_private or connection is None:
                return None
            # It has a label at once where the world has made or used it.
            return _made(account, ":memory:" if in_delivery else "", connection)
        return store_of_file(account, place)


def store_of_file(account: Account, path: str) -> str:
    """Return the key of the store of a database in a file."""
    path = os.path.abspath(path)  # noqa: PTH100 - without `..`, and links as they are
    return _made(account, account.files.name_of(path).removeprefix(OWN), path)


def _made(account: Account, label: str, place: str | sqlite3.Connection) -> str:
    found = account.label("sqlite", place, label)

    def is_bound() -> bool:
        return isinstance(place, str) and account.files.is_bound(account.files.name_of(place))

    return account.store(
        f"sqlite {found}", lambda: SqliteStore(found, place, is_bound, account.numbers)
    )


@contextmanager
def read_apart(path: str) -> Generator[SqliteStore | None, None, None]:
    """Let the database of a world be read by one connection for a block; yield its store, None without a check."""
    account = accounts.current
    if account is None:
        yield None
        return
    # By the class, since the function `sqlite3.connect` is patched: the account does not hear of these looks.
    with closing(sqlite3.Connection(path, check_same_thread=False)) as own:
        store: SqliteStore = account.store_of(store_of_file(account, path))
        store.read_by(own)
        yield store


def place_of(database: Any) -> str:
    """Return the path of a database; empty for one in memory."""
    place, query = os.fsdecode(database), ""
    if place.startswith("file:"):
        parts = urlsplit(place)
        place, query = unquote(parts.path), parts.query
    return "" if place == ":memory:" or "mode=memory" in query else place
