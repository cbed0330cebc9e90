"""What the drivers of MySQL do alike, blocking and awaited ones, and a database whose tables are compared."""

from __future__ import annotations

import functools
import re
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager, closing, suppress
from importlib import import_module
from typing import Any, Final, TypeAlias

from .....errors import ExplorationError
from .....harness.records.patches import Patches
from .....harness.time.waiting import off_the_loop
from ....engine.acts import limit_of_waiting, looking, may_wait_for_locks, note_look, skippable
from ....engine.sameness.renaming import Unordered
from ....stores.account import Account, accounts
from ...wrapping import (
    BlockOf,
    answer_of,
    at_once,
    replace_in_check,
    surround,
    surround_awaited,
)
from .driver import (
    Opening,
    TablesStore,
    WatchedDriver,
    end_session,
    is_part,
    note_tables,
    one_step,
    own_connection,
    unwatched,
)
from .statements import HOW, NAME, PLACE, Statement, is_busy

#: Texts in either kind of quotes, names in backticks, comments, and the marks of a comment that is executed. With
#: the mode ANSI_QUOTES, what stands in double quotes behind some words is a name.
_LITERALS: Final = re.compile(
    r"'(?:[^'\\]|\\.|'')*'"
    r'|\b(?:into|update|from|join|table|ignore)\s+"\w+"|"(?:[^"\\]|\\.|"")*"'
    r"|`[^`]*`|--(?=\s|$)[^\n]*|\#[^\n]*"
    r"|/\*!\d*|/\*.*?\*/|\*/",
    re.DOTALL | re.IGNORECASE,
)
#: The tables of an UPDATE or a DELETE of several: some of them are written.
_SEVERAL: Final = re.compile(
    rf"\bupdate\s+{HOW}(.+?)\bset\b|\bdelete\s+{HOW}(?!from\b).+?\bfrom\b(.+?)(?:\bwhere\b|$)"
    rf"|\bdelete\s+{HOW}from\b[^(]+?\busing\b(.+?)(?:\bwhere\b|$)",
    re.IGNORECASE,
)
_OF_SEVERAL: Final = re.compile(rf"(?:^|,|\bjoin\b)\s*({PLACE})", re.IGNORECASE)
_COMMITTING: Final = re.compile(
    r"\s*(?:commit\b|(?:create|drop)\s+(?!temporary\b)|(?:alter|rename|truncate|grant|revoke)\b)",
    re.IGNORECASE,
)
#: A transaction that is open is committed by these as well.
_ENDING: Final = re.compile(
    r"\s*(?:(?:commit|begin)\b|start\s+transaction\b|lock\s+tables?\b"
    r"|set\s+(?:@@)?(?:session\b[\s.]*)?autocommit\s*=\s*(?:1|on)\b)",
    re.IGNORECASE,
)
_USE: Final = re.compile(rf"\s*use\s+({NAME})", re.IGNORECASE)
#: The name of the lock is text, a call of a function, or what the server is to work out.
_GET_LOCK: Final = re.compile(
    r"""\bget_lock\s*\(\s*((?:'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|\([^()]*\)|[^,()'"])+),""",
    re.IGNORECASE,
)

#: Sends statements with the values of their parameters by a connection of its own, and returns the last rows.
Ask: TypeAlias = Callable[[tuple[tuple[str, tuple[Any, ...]], ...]], list[Any]]

_OLD_VIEW: Final = (
    "The snapshot reads MySQL by a connection that was opened before the check and does not commit each "
    "statement: its transaction sees the same rows for ever. Connect with autocommit=True, or open the connection "
    "in the world."
)
_UNCOMMITTED: Final = (
    "The world has not committed what it wrote to MySQL ({text}), so that no delivery sees it. Call `commit()` of "
    "the connection, or connect with autocommit=True."
)
#: In seconds: how long a connection waits for a lock, as `limit_of_waiting` has it. MySQL makes one of zero.
_LIMITS: Final = 0, 5
#: The options of a connection that change its rows, or when it is opened.
_NOT_AGAIN: Final = frozenset(
    (
        *("autocommit", "buffered", "cursor_class", "cursor_cls", "cursorclass", "defer_connect"),
        *("loop", "raw"),
    )
)
#: The numbers of two commands of the protocol.
_QUIT: Final = 1
_QUERY: Final = 3
#: What ends with the session. The server itself needs a moment to find out that a client is gone.
_RELEASES: Final = ("UNLOCK TABLES", "DO RELEASE_ALL_LOCKS()")
_SERVER: Final = "SELECT @@hostname, @@port, @@datadir, DATABASE()"
#: The columns of a table, and whether each numbers its rows.
_COLUMNS: Final = """
SELECT column_name, extra LIKE '%%auto_increment%%' FROM information_schema.columns
WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position
"""


class MysqlStatement(Statement):
    literals = _LITERALS
    ending = _ENDING

    @property
    def commits(self) -> bool:
        return self.has(_COMMITTING)

    def without(self, literal: str) -> str:
        if literal[0].isalpha():
            return literal.replace('"', "`")
        return literal if literal[0] == "`" else "''" if literal[0] in "'\"" else " "

    def places_in(self, part: str) -> list[str]:
        found = []
        for several in _SEVERAL.finditer(part):
            named = next(filter(None, several.groups()), "")
            found += _OF_SEVERAL.findall(named.strip())
        return found + super().places_in(part)

    def name_of(self, name: str) -> str:
        # Whether names in capitals are others depends on the file system of the server.
        return name.strip("`")

    def database(self) -> str | None:
        """Return the database that it puts in use; None for none."""
        found = [used[1] for used in map(_USE.match, self.parts) if used]
        return found[-1].strip("`") if found else None


def lock_of(sql: Any) -> str | None:
    """Return the expression for the name of the lock that a statement asks for; None if it asks for none."""
    found = _GET_LOCK.search(Statement(sql).text)
    return None if found is None else found[1].strip()


class MysqlStore(TablesStore):
    again: Ask | None

    def __init__(self, label: str, database: str) -> None:
        super().__init__(label)
        self._database = database

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
        again = self.again
        return [] if again is None else again((("SET lock_wait_timeout = 1", ()), (sql, args)))


def _quoted(name: str) -> str:
    return f"`{name.replace('`', '``')}`"


class Mysql(WatchedDriver):
    """The effect source for a driver of MySQL: `BlockingDriver` and `AwaitedDriver` are the two kinds.

    It asks the server by the connection of the job: which server that is, and whether a lock is taken.
    """

    dialect = "mysql"
    noun = "to MySQL"
    #: The module of its errors.
    errors: str
    #: Whether the calls of the driver are awaited.
    is_awaited: bool
    #: Whether the method that opens a connection has its arguments, rather than `__init__`.
    opens_by_arguments = False

    # What a driver differs in

    @abstractmethod
    def is_open(self, connection: Any) -> bool: ...

    def error(self, number: int, text: str) -> Exception:
        error: Exception = import_module(self.errors).OperationalError(number, text)
        return error

    def host(self, connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
        """Return the machine to which a connection is about to lead; None for a socket in the file system."""
        host: str | None = None if connection.unix_socket else connection.host
        return host

    def autocommits(self, connection: Any) -> bool:
        """Return whether the connection commits each statement that is in no transaction."""
        return bool(connection.get_autocommit())

    def connection_of(self, cursor: Any) -> Any:
        """Return the connection of a cursor; None if the cursor is closed."""
        return cursor.connection

    # What a kind of drivers differs in

    @abstractmethod
    def ask(self, connection: Any, sql: str) -> Any:
        """Send a statement that is not of the job by its connection, and return the rows."""

    @abstractmethod
    def another(self, connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Ask:
        """Return what asks another connection to the same database."""

    @abstractmethod
    def lost(self, connection: Any) -> Exception:
        return self.error(2013, "Lost connection to MySQL server during query")

    # What is watched

    def watch_connections(
        self, patches: Patches, kind: type[Any], connect: str, query: str
    ) -> None:
        """Watch what opens, uses and closes connections. The method that connects may be called once more."""
        init, sends = kind.__init__, getattr(kind, query)

        @functools.wraps(init)
        def made(connection: Any, *args: Any, **kwargs: Any) -> None:
            self.opening(connection).again = self.another(connection, args, kwargs)
            init(connection, *args, **kwargs)

        patches.set(kind, "__init__", made)
        opens = getattr(kind, connect)

        @functools.wraps(opens)
        async def opened(connection: Any, *args: Any, **kwargs: Any) -> Any:
            do = functools.partial(opens, connection, *args, **kwargs)
            if self.is_awaited and self.is_open(connection):
                return await answer_of(do)
            if self.opens_by_arguments and kwargs:
                self.opening(connection).again = self.another(connection, args, kwargs)
            self.check_reach(self.host(connection, args, kwargs))
            with skippable(), one_step(looking(is_busy)):
                done = await answer_of(do)
                await self._note_opened(connection)
                return done

        @functools.wraps(sends)
        async def queried(connection: Any, sql: Any, *args: Any, **kwargs: Any) -> Any:
            async def do() -> Any:
                await self._check_lock(connection, sql)
                return await answer_of(sends, connection, sql, *args, **kwargs)

            return await self.send(connection, sql, do)

        patches.set(kind, connect, self._of_kind(opened))
        patches.set(kind, query, self._of_kind(queried))
        around = surround_awaited if self.is_awaited else surround
        blocks: dict[str, BlockOf] = {
            "commit": self.commit,
            "rollback": self.rollback,
            **dict.fromkeys(("select_db", "cmd_init_db"), self.use_database),
            **dict.fromkeys(("ping", "set_charset", "show_warnings"), self.no_effect),
        }
        for name, block in blocks.items():
            if hasattr(kind, name):
                around(patches, kind, name, block)
        for name, text_of in (
            ("begin", lambda connection: "BEGIN"),
            ("autocommit", lambda connection, value: f"SET autocommit = {int(bool(value))}"),
            ("kill", lambda connection, thread_id: "KILL"),
        ):
            # `autocommit` is a property of some, which sends a statement.
            if callable(getattr(kind, name, None)):
                method = self.sending(getattr(kind, name), lambda connection: connection, text_of)
                patches.set(kind, name, method)

    def watch_cursor(self, patches: Patches, cursor: type[Any]) -> None:
        for name, method in self.methods_of(cursor).items():
            if name in vars(cursor):
                patches.set(cursor, name, method)

    def methods_of(self, cursor: type[Any]) -> dict[str, Any]:
        """Return the methods of cursors that send statements, as they are when they are watched."""
        return {
            name: self.sending(getattr(cursor, name), self.connection_of, text_of)
            for name, text_of in (
                ("execute", lambda cursor, sql, *args, **kwargs: sql),
                ("executemany", lambda cursor, sql, *args, **kwargs: sql),
                ("callproc", lambda cursor, procname, *args, **kwargs: f"CALL {procname}"),
            )
        }

    def sending(
        self,
        method: Callable[..., Any],
        connection_of: Callable[[Any], Any],
        text_of: Callable[..., Any],
    ) -> Callable[..., Any]:
        """Return a method that is a statement. `connection_of` returns None for an object that is closed."""

        @functools.wraps(method)
        async def call(user: Any, *args: Any, **kwargs: Any) -> Any:
            do = functools.partial(method, user, *args, **kwargs)
            connection = connection_of(user)
            if connection is None:
                return await answer_of(do)
            return await self.send(connection, text_of(user, *args, **kwargs), do)

        return self._of_kind(call)

    async def send(self, connection: Any, sql: Any, do: Callable[[], Any]) -> Any:
        if not is_part():
            self.check_own(connection)
            await self._find_server(connection)
            await self._see_the_newest(connection)
        with skippable(), self.statement(connection, sql):
            return await answer_of(do)

    def _of_kind(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return function if self.is_awaited else at_once(function)

    async def _ask(self, connection: Any, sql: str) -> list[Any]:
        rows: list[Any] = await answer_of(self.ask, connection, sql)
        return rows

    async def _note_opened(self, connection: Any) -> None:
        again = self.opening(connection).again
        self.opened(connection).again = again
        seconds = limit_of_waiting(*_LIMITS)
        if seconds is not None:
            limits = f"innodb_lock_wait_timeout = {seconds}, lock_wait_timeout = {seconds}"
            await self._ask(connection, f"SET {limits}")
        await self._find_server(connection)

    async def _find_server(self, connection: Any) -> None:
        account, opening = accounts.current, self.opening(connection)
        if account is not None and account.phase != "comparison" and not opening.place:
            [[*server, database]] = await self._ask(connection, _SERVER)
            opening.place = tuple(server)
            opening.database = opening.database or database or ""

    async def _see_the_newest(self, connection: Any) -> None:
        """Let a snapshot see what was committed: a transaction of MySQL sees what was there when it began."""
        account, opening = accounts.current, self.opening(connection)
        if account is None or account.phase != "snapshot" or opening.turn is account.turn:
            return
        if self.autocommits(connection):
            return
        if opening.again is None:
            raise ExplorationError(_OLD_VIEW)
        if opening.changed is not None:
            raise ExplorationError(_UNCOMMITTED.format(text=opening.changed))
        await self._ask(connection, "ROLLBACK")
        opening.turn = account.turn

    async def _check_lock(self, connection: Any, sql: Any) -> None:
        """Raise what a lock of a row raises, if a statement asks for a lock with a name that is taken.

        The server would say so when the time of the job is up, and not by an error.
        """
        lock = None if may_wait_for_locks() else lock_of(sql)
        if lock is not None:
            taken = f"SELECT IS_USED_LOCK({lock}) <> CONNECTION_ID()"
            [[is_taken]] = await self._ask(connection, taken)
            if is_taken:
                raise self.error(1205, "Lock wait timeout exceeded")

    # What statements do

    def statement_of(self, sql: Any) -> MysqlStatement:
        return MysqlStatement(sql)

    def commits(self, connection: Any, statement: Statement) -> bool:
        own = own_connection(connection)
        return statement.commits or (not self.opening(own).has_begun and self.autocommits(own))

    def report(self, connection: Any, statement: MysqlStatement) -> None:
        account, opening = accounts.current, self.opening(connection)
        if account is not None and account.phase != "comparison":
            note_tables(statement, functools.partial(_store, account, opening), opening.again)
        opening.database = statement.database() or opening.database

    def use_database(self, connection: Any, database: str) -> AbstractContextManager[None]:
        self.opening(connection).database = database
        return self.no_effect()


def _store(account: Account, opening: Opening, named: str | None) -> str:
    """Return the key of the store for a database: the one that is named, or the one that is in use."""
    database = named or opening.database
    host, port, *_ = opening.place
    place = f"{host}:{port}/{database}" if port else f"{host}/{database}"
    label = account.label("mysql", (opening.place, database), place)
    return account.store(f"mysql {label}", lambda: MysqlStore(label, database))


def _options_again(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of another connection to the same database, which commits each statement."""
    options = {name: value for name, value in kwargs.items() if name not in _NOT_AGAIN}
    return {**options, "autocommit": True}


class BlockingDriver(Mysql):
    """The effect source for a driver whose calls return when the server has answered."""

    is_awaited = False

    advice = (
        "Open the connection within the job, with `{name}.connect(...)`, or take it out of the pool of an engine "
        "of SQLAlchemy."
    )

    def watch_connections(
        self, patches: Patches, kind: type[Any], connect: str, query: str
    ) -> None:
        super().watch_connections(patches, kind, connect, query)
        surround(patches, kind, "close", self.no_effect)

    def is_open(self, connection: Any) -> bool:
        return bool(connection.open)

    def ask(self, connection: Any, sql: str) -> list[Any]:
        return unwatched(functools.partial(_run, connection, sql))

    def another(self, connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Ask:
        kind, options = type(connection), _options_again(kwargs)

        def ask(questions: Any) -> list[Any]:
            with closing(kind(*args, **options)) as other, closing(other.cursor()) as cursor:
                for sql, values in questions:
                    cursor.execute(sql, values)
                return list(cursor.fetchall())

        return lambda questions: unwatched(functools.partial(ask, questions))

    def die(self, connection: Any) -> None:
        self._end(connection, connection.close)

    def lost(self, connection: Any) -> Exception:
        # Not closed by the client: the driver finds out at its next statement, and cursors can be closed.
        self._end(connection, lambda: _run(connection, "KILL CONNECTION_ID()"))
        return super().lost(connection)

    def _end(self, connection: Any, last: Callable[[], object]) -> None:
        if not self.is_open(connection):
            return
        releases = [functools.partial(_run, connection, sql) for sql in _RELEASES]
        for end in (connection.rollback, *releases, last):
            with suppress(Exception):
                unwatched(end)


def _run(connection: Any, sql: str) -> list[Any]:
    with closing(connection.cursor()) as cursor:
        cursor.execute(sql)
        rows = list(cursor.fetchall()) if cursor.description else []
    # Those of a cursor that gives dictionaries.
    return [tuple(row.values()) if isinstance(row, dict) else row for row in rows]


class AwaitedDriver(Mysql):
    """The effect source for a driver whose calls are awaited. Its waits for the socket make no points."""

    is_awaited = True

    advice = (
        "Open the connection or the pool within the job, with `async with {name}.create_pool(...)`."
    )

    @abstractmethod
    def transport(self, connection: Any) -> Any:
        """Return the transport of a connection that is open."""

    def watch_connections(
        self, patches: Patches, kind: type[Any], connect: str, query: str = "query"
    ) -> None:
        super().watch_connections(patches, kind, connect, query)
        # A connection that is closed refuses to make one, by an error of its own.
        surround(patches, kind, "cursor", self.use)
        # What closes a connection returns when the server has rolled back what was not committed.
        close = kind.close

        def closed(connection: Any) -> None:
            if self.is_open(connection):
                note_look(changes=True)
                self._end_session(connection)
            close(connection)

        async def closed_by_message(connection: Any) -> None:
            closed(connection)

        replace_in_check(patches, kind, "close", closed)
        replace_in_check(patches, kind, "ensure_closed", closed_by_message)

    def watch_pool(self, patches: Patches, pool: type[Any], names: Iterable[str]) -> None:
        for name in names:
            surround_awaited(patches, pool, name, self.no_effect)

    async def ask(self, connection: Any, sql: str) -> list[Any]:
        with one_step(looking(is_busy)):
            # A cursor would warn of what the server warns of.
            await connection.query(sql)
        result: Any = getattr(connection, "_result", None)
        return list(result.rows or ())

    def another(self, connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Ask:
        options = _options_again(kwargs)

        async def ask(questions: Any) -> list[Any]:
            async with import_module(self.library).connect(**options) as other:
                cursor = await other.cursor()
                for sql, values in questions:
                    await cursor.execute(sql, values)
                return list(await cursor.fetchall())

        return lambda questions: unwatched(lambda: _run_apart(ask(questions)))

    def die(self, connection: Any) -> None:
        if self.is_open(connection):
            self._end_session(connection)
            # Its event loop may be closed.
            with suppress(Exception):
                unwatched(connection.close)

    def lost(self, connection: Any) -> Exception:
        # These drivers close a connection themselves when they find it broken.
        self.die(connection)
        return super().lost(connection)

    def _end_session(self, connection: Any) -> None:
        with suppress(Exception):
            transport = self.transport(connection)
            # Without the keys of the encryption, all that a server understands is the end.
            is_plain = transport.get_extra_info("ssl_object") is None
            end_session(transport, *(_LAST_WORDS if is_plain else ()))


def _run_apart(coroutine: Any) -> list[Any]:
    """Run a coroutine on a loop of its own: the loop of a delivery stands still at its points."""
    import asyncio

    with off_the_loop():
        loop = asyncio.new_event_loop()
        try:
            return list(loop.run_until_complete(coroutine))
        finally:
            loop.close()


def _packet(command: int, text: bytes = b"") -> bytes:
    """Return a message of the protocol: its length, its number, and a command."""
    return (len(text) + 1).to_bytes(3, "little") + bytes((0, command)) + text


#: What a client says at last. The server itself needs a moment to find out that it is gone.
_LAST_WORDS: Final = (
    *(_packet(_QUERY, sql.encode()) for sql in ("ROLLBACK", *_RELEASES)),
    _packet(_QUIT),
)
