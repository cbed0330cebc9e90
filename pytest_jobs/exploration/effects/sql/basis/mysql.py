"""What the effect sources of the drivers of MySQL do alike, and a database whose tables are compared."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol, TypeAlias

from .....errors import ExplorationError
from ....engine.acts import is_explored, may_wait_for_locks
from ....engine.sameness.renaming import Unordered
from ....stores.account import Account, accounts
from .driver import Opening, WatchedDriver, is_part
from .mysql_statements import MysqlStatement, lock_of
from .statements import Statement, shown

#: A statement, and the values of its parameters.
Question: TypeAlias = tuple[str, tuple[Any, ...]]

#: Yields statements that a source sends for itself, and is sent the rows of each.
Questions: TypeAlias = Generator[str, list[Any], None]

_OLD_VIEW: Final = (
    "The snapshot reads MySQL by a connection that was opened before the check and does not commit each "
    "statement: its transaction sees the same rows for ever. Connect with autocommit=True, or open the connection "
    "in the world."
)
_UNCOMMITTED: Final = (
    "The world has not committed what it wrote to MySQL ({text}), so that no delivery sees it. Call `commit()` of "
    "the connection, or connect with autocommit=True."
)
#: In seconds. A suspended delivery never releases its lock, so waiting for it is useless. MySQL makes one of zero.
_SUSPENDED_HOLDER: Final = 0
#: In seconds. The server needs a moment to release the locks of a killed process.
_DYING_HOLDER: Final = 5
#: The options of a connection that change its rows, or when it is opened.
_NOT_AGAIN: Final = frozenset(
    (
        *("autocommit", "buffered", "cursor_class", "cursor_cls", "cursorclass", "defer_connect"),
        *("loop", "raw"),
    )
)
#: What ends with the session. The server itself needs a moment to find out that a client is gone.
RELEASES: Final = ("UNLOCK TABLES", "DO RELEASE_ALL_LOCKS()")
_SERVER: Final = "SELECT @@hostname, @@port, @@datadir, DATABASE()"
#: The columns of a table, and whether each numbers its rows.
_COLUMNS: Final = """
SELECT column_name, extra LIKE '%%auto_increment%%' FROM information_schema.columns
WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position
"""


class Ask(Protocol):
    def __call__(self, *questions: Question) -> list[Any]:
        """Send statements by a connection of their own, and return the rows of the last one."""
        ...


class MysqlStore:
    noun = "table"

    def __init__(self, label: str, database: str) -> None:
        self.label = self.short = label
        self._database = database
        #: Asks a connection to the database that is like the last one that a delivery used.
        self.ask: Ask | None = None

    def is_bound(self, name: str) -> bool:
        return False

    def shows(self, read: str, name: str) -> bool:
        # Whether names in capitals are others depends on the file system of the server.
        return read.lower() == name.lower()

    def left_out(self, name: str, ways: Collection[str]) -> str | None:
        # One that is not there was temporary, or the job made and dropped it, or it is the alias of another.
        return None if self._columns(name) else ""

    def content(self, name: str, renamed: Callable[[Any], Any]) -> Any:
        columns = self._columns(name)
        # What the server has numbered has gaps after a rollback, which are no difference.
        shown = ",".join(_quoted(column) for column, is_number in columns if not is_number) or "1"
        table = f"{_quoted(self._database)}.{_quoted(name)}"
        rows = self._ask(f"SELECT {shown} FROM {table}") if columns else ()  # noqa: S608 - quoted names
        return renamed(Unordered(map(tuple, rows)))

    def _columns(self, name: str) -> list[tuple[str, int]]:
        return [(column, number) for column, number in self._ask(_COLUMNS, (self._database, name))]

    def _ask(self, sql: str, args: tuple[Any, ...] = ()) -> list[Any]:
        return [] if self.ask is None else self.ask(("SET lock_wait_timeout = 1", ()), (sql, args))


def _quoted(name: str) -> str:
    return f"`{name.replace('`', '``')}`"


class Mysql(WatchedDriver):
    """The effect source for a driver of MySQL: `BlockingDriver` and `AwaitedDriver` are the two kinds."""

    dialect = "mysql"
    noun = "to MySQL"

    @abstractmethod
    def is_open(self, connection: Any) -> bool: ...

    @abstractmethod
    def error(self, number: int, text: str) -> Exception:
        """Return an operational error of the driver."""

    def autocommits(self, connection: Any) -> bool:
        """Return whether the connection commits each statement that is in no transaction."""
        return bool(connection.get_autocommit())

    def connection_of(self, cursor: Any) -> Any:
        """Return the connection of a cursor; None if the cursor is closed."""
        return cursor.connection

    def statement_of(self, sql: Any) -> MysqlStatement:
        return MysqlStatement(sql)

    def commits(self, connection: Any, statement: Statement) -> bool:
        own = getattr(connection, "driver_connection", connection)
        return statement.commits or (not self.opening(own).has_begun and self.autocommits(own))

    @abstractmethod
    def lost(self, connection: Any) -> Exception:
        return self.error(2013, "Lost connection to MySQL server during query")

    # What a source asks the server

    def note_opened(self, connection: Any) -> Questions:
        """Note that a connection has been opened, and yield what is to be sent through it at first."""
        again = self.opening(connection).again
        self.opened(connection).again = again
        if is_explored():
            seconds = _DYING_HOLDER if may_wait_for_locks() else _SUSPENDED_HOLDER
            yield f"SET innodb_lock_wait_timeout = {seconds}, lock_wait_timeout = {seconds}"
        yield from self._find_server(connection)

    def before_statement(self, connection: Any) -> Questions:
        """Yield what is to be sent before a statement, so that its tables are known and a snapshot is new."""
        if is_part():
            return
        self.check_own(connection)
        yield from self._find_server(connection)
        if accounts.current is not None and accounts.current.phase == "snapshot":
            yield from self._see_the_newest(accounts.current, connection)

    def _find_server(self, connection: Any) -> Questions:
        account, opening = accounts.current, self.opening(connection)
        if account is not None and account.phase != "comparison" and not opening.place:
            [[*server, database]] = yield _SERVER
            opening.place = tuple(server)
            opening.database = opening.database or database or ""

    def _see_the_newest(self, account: Account, connection: Any) -> Questions:
        """Let a snapshot see what deliveries have committed: a transaction of MySQL sees what was there at first.

        Raises:
            ExplorationError: when that cannot be.
        """
        opening = self.opening(connection)
        if opening.turn is account.turn or self.autocommits(connection):
            return
        if opening.again is None:
            raise ExplorationError(_OLD_VIEW)
        if opening.changed is not None:
            raise ExplorationError(_UNCOMMITTED.format(text=opening.changed))
        yield "ROLLBACK"
        opening.turn = account.turn

    def check_lock(self, sql: Any) -> Questions:
        """Raise what a lock of a row raises, if a statement asks for a lock with a name that is taken.

        The server would say so when the time of the job is up, and not by an error.
        """
        lock = lock_of(sql) if is_explored() and not may_wait_for_locks() else None
        if lock is not None:
            [[is_taken]] = yield f"SELECT IS_USED_LOCK({lock}) <> CONNECTION_ID()"
            if is_taken:
                raise self.error(1205, "Lock wait timeout exceeded")

    # What statements do

    def report(self, connection: Any, statement: MysqlStatement) -> None:
        opening = self.opening(connection)
        if accounts.current is not None and accounts.current.phase != "comparison":
            _note_tables(accounts.current, opening, statement)
        opening.database = statement.database() or opening.database

    def use_database(self, connection: Any, database: str) -> AbstractContextManager[None]:
        """Return the block in which a connection turns to another database."""
        self.opening(connection).database = database
        return self.no_effect()


def _note_tables(account: Account, opening: Opening, statement: MysqlStatement) -> None:
    if account.phase == "snapshot":
        for named in statement.named():
            account.read(_store(account, opening, named.database), named.name)
    else:
        _store(account, opening, None)
    if account.phase == "delivery":
        for written in statement.written():
            key = _store(account, opening, written.database)
            account.store_of(key).ask = opening.again
            account.wrote(key, written.name, shown(statement.text))


def _store(account: Account, opening: Opening, named: str | None) -> str:
    """Return the key of the store for a database: the one that is named, or the one that is in use."""
    database = named or opening.database
    host, port, *_ = opening.place
    place = f"{host}:{port}/{database}" if port else f"{host}/{database}"
    label = account.label("mysql", (opening.place, database), place)
    return account.store(f"mysql {label}", lambda: MysqlStore(label, database))


def options_again(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of another connection to the same database, which commits each statement.

    Args:
        kwargs: those with which a connection was opened.
    """
    options = {name: value for name, value in kwargs.items() if name not in _NOT_AGAIN}
    return {**options, "autocommit": True}
