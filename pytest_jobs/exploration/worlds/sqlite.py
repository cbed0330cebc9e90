"""A sqlite database that is new for each history."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, contextmanager
from contextvars import ContextVar
from sqlite3 import dbapi2
from typing import Any, NamedTuple, TypeAlias

from ...errors import ExplorationError
from ...harness.records.patches import Patches
from ..engine.scope import leaving_out
from ..stores.sqlite import DatabaseFile, read_apart

Rows: TypeAlias = Callable[[str], list[tuple[Any, ...]]]


@contextmanager
def sqlite_world(
    schema: str, *, bind: tuple[Any, str] | None = None
) -> Generator[Rows, None, None]:
    """Make a database for a block, in a temporary file.

    Args:
        schema: the statements that create tables and put the first rows in.
        bind: the module or object, and the name under which it has the function that opens a
            connection by `sqlite3.connect`. For the block it opens one to this database, with all
            that it does to a connection besides. One that opens nothing is a placeholder.

    Returns:
        A function that takes the name of a table and returns its rows, in the order of their ids.

    Raises:
        ExplorationError: when sqlite refuses the schema, or there is nothing of that name to bind.
    """
    with (
        closing(DatabaseFile()) as file,
        closing(sqlite3.connect(file.uri, uri=True, isolation_level=None)) as keeper,
        Patches() as patches,
    ):
        try:
            keeper.executescript(schema)
        except sqlite3.Error as error:
            raise ExplorationError(
                f"The schema of sqlite_world cannot be carried out: {error}. It is {schema.strip()!r}."
            ) from error
        if bind is not None:
            _bind(patches, bind, file.uri)
        with read_apart(str(file.path)) as store:

            def rows(table: str) -> list[tuple[Any, ...]]:
                cursor = keeper.execute(f'select * from "{table}" order by 1')  # noqa: S608 - a name that the test writes
                numbers = {} if store is None else store.numbers(table)
                columns = [numbers.get(name, {}) for name, *_ in cursor.description]
                return [tuple(map(_numbered, columns, row)) for row in cursor]

            yield rows


def _numbered(numbers: Mapping[object, int], value: object) -> Any:
    return numbers.get(value, value)


def _bind(patches: Patches, bind: tuple[Any, str], uri: str) -> None:
    """Let a function of the application open its connections to the database of a world.

    While the function runs, `sqlite3.connect` leads there: for its own thread, since others run theirs.
    """
    owner, name = bind
    if not hasattr(owner, name):
        raise ExplorationError(
            f"{owner!r} has no {name!r} to be bound: name the function of the application that opens a connection."
        )
    application = getattr(owner, name)
    leave_out = leaving_out.get()
    if leave_out is not None:
        leave_out(application)
    patches.set(owner, name, _Opening(application, name, uri))
    connect = functools.partial(_connect, sqlite3.connect)
    for module in (sqlite3, dbapi2):
        patches.set(module, "connect", connect)


class _Opening:
    """Opens connections as a function of the application does, but to the database of a world."""

    def __init__(self, application: Any, name: str, uri: str) -> None:
        self._name = name
        self._uri = uri
        self._application = _connect_now if application is sqlite3.connect else application

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        # A function inside another one opens connections to the database of the outer one.
        target = _target.get() or _Target(self._uri, [])
        token, opened = _target.set(target), target.opened
        try:
            connection = self._application(*args, **kwargs) if self._application else None
        except Exception:
            if opened:
                raise
            # A placeholder, such as a function that raises NotImplementedError.
            connection = None
        finally:
            _target.reset(token)
        if connection is None:
            return sqlite3.connect(self._uri, uri=True)
        if not opened:
            raise ExplorationError(
                f"{self._name}() returned a {type(connection).__name__} that it did not open by "
                "`sqlite3.connect`, so the world cannot lead it to its database: let it call "
                "`sqlite3.connect(...)`, or bind a function that does."
            )
        return connection


def _connect_now(*args: Any, **kwargs: Any) -> Any:
    # For an application that binds `sqlite3.connect` itself, which is another one in the world.
    return sqlite3.connect(*args, **kwargs)


class _Target(NamedTuple):
    """The database to which the calls in this context are redirected, and the connections that they opened."""

    uri: str
    opened: list[Any]


_target: ContextVar[_Target | None] = ContextVar("pytest_jobs_sqlite_target", default=None)


def _connect(connect: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    target = _target.get()
    if target is None:
        return connect(*args, **kwargs)
    kwargs.pop("database", None)
    connection = connect(target.uri, *args[1:], **{**kwargs, "uri": True})
    target.opened.append(connection)
    return connection
