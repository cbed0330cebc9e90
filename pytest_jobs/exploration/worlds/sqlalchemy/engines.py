"""Copies of the databases that SQLAlchemy's engines have, each made when a job first uses its engine."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from types import FunctionType
from typing import Any, Final
from weakref import WeakKeyDictionary, WeakSet

from sqlalchemy import Connection
from sqlalchemy.engine import Engine

from ....errors import ExplorationError
from ....harness.records.attributes import derived_from
from ....harness.records.patches import Patches
from ....harness.records.texts import counted
from ...effects.wrapping import OfDelivery, in_check, no_block, replace_in_check, surround
from ...engine.acts import note_connection, refuse_delivery, watcher
from ...engine.sameness.chance import numbering
from ...engine.sources import BesideMocks
from ..base.sqlite import refusing_direct_connections
from ..base.store import Building, IsIgnored, UsedStores, unwatched
from .binding import keeps_driver, redirect
from .postgresql import TakenSchema
from .stores import Rows, SqliteStore

_NOT_FLUSHED: Final = (
    "A session of the test has objects that it has not flushed, such as {example}, so that the job would not find "
    "them: flush or commit in the fixture, `session.flush()`."
)
_NOT_COPIED: Final = (
    "The job uses {engine!r}, of which there is no copy, so that it would change the rows of the test: only "
    "databases in sqlite and PostgreSQL are copied. Build the database in a world, and name it: `with "
    "sqlalchemy_world(Base.metadata, bind=(module, 'engine')) as database:` and check_idempotent(job, world=shop)."
)
_OTHER_DRIVER: Final = (
    "The job uses {engine!r}, whose driver {driver} a check does not know, so it cannot be led to a copy: let the "
    "test make the engine with postgresql+psycopg://, postgresql+psycopg2://, postgresql+asyncpg://, sqlite:// or "
    "sqlite+aiosqlite://."
)
_ORM: Final = "sqlalchemy.orm"
#: What a session has for the work that it is in the middle of, rather than of those who made it.
_OF_WORK: Final = frozenset(
    (
        *("identity_map", "_new", "_deleted", "_transaction", "_nested_transaction", "hash_key"),
        *("_flushing", "_warn_on_events", "_close_state"),
    )
)


class Engines:
    """The engines that the job has used in any history, and their databases in the test."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._databases: UsedStores[Engine, SqliteStore | TakenSchema] = UsedStores()
        self.sessions_of_test = _SessionsOfTest()

    @contextmanager
    def fresh(self, building: Building) -> Generator[Callable[[], dict[str, Any]], None, None]:
        self._databases.begin_history()
        with ExitStack() as stack:
            history = _History(self, stack.enter_context(BesideMocks()), stack)
            history.install()
            yield lambda: self._state(history, building.is_ignored)

    def described(self) -> str:
        return "; ".join(
            f"{self.name_of(engine)}: {counted(len(database.before), 'table')}, "
            f"{counted(sum(map(len, database.before.values())), 'row')}"
            for engine, database in self._databases.items()
        )

    def database_of(self, engine: Engine, held: Connection | None) -> SqliteStore | TakenSchema:
        """Return the database of an engine. It is copied the first time, by the connection that the test holds."""
        if engine not in self._databases:
            for session, waiting in self.sessions_of_test.waiting():
                bind = session.get_bind(type(waiting))
                if getattr(bind, "engine", bind) is engine:
                    refuse_delivery(_NOT_FLUSHED.format(example=type(waiting).__name__))
            dialect = engine.dialect
            if dialect.name not in ("sqlite", "postgresql"):
                raise ExplorationError(_NOT_COPIED.format(engine=engine))
            if not keeps_driver(dialect, dialect.name):
                raise ExplorationError(_OTHER_DRIVER.format(engine=engine, driver=dialect.driver))
            with unwatched():
                self._databases[engine] = (
                    SqliteStore(engine, held)
                    if dialect.name == "sqlite"
                    else TakenSchema(engine, held, self._stack)
                )
        return self._databases[engine]

    def name_of(self, engine: Engine) -> str:
        database = engine.url.database
        is_named = database and database != ":memory:"
        return Path(database or "").name if is_named else engine.dialect.name

    def _state(self, history: _History, is_ignored: IsIgnored) -> dict[str, Any]:
        state: dict[str, Any] = {}
        for place, (engine, database) in enumerate(self._databases.items()):
            read = history.read.get(engine)
            found = database.before if read is None else read()
            for table, rows in found.items():
                name = table if place == 0 else f"{self.name_of(engine)} {table}"
                is_changed = rows != database.before.get(table)
                is_shown = self._databases.is_shown(engine) or is_changed
                if is_shown and not is_ignored(table, name):
                    state[name] = rows
        return state


def flush_sessions() -> None:
    """Write what the sessions of the test hold back, as the first query of the job would by `autoflush`."""
    for session in _all_sessions():
        waiting = _unflushed(session) if session.autoflush else []
        # One of asyncio can only be flushed on its loop.
        if waiting and not session.get_bind(type(waiting[0])).dialect.is_async:
            session.flush()


def _all_sessions() -> list[Any]:
    """Return all sessions: SQLAlchemy keeps each as long as it is in use."""
    return (
        list(vars(sys.modules[f"{_ORM}.session"])["_sessions"].values())
        if _ORM in sys.modules
        else []
    )


def _unflushed(session: Any) -> list[Any]:
    return [*session.new, *session.dirty, *session.deleted]


class _SessionsOfTest:
    """The sessions that the test had before the check. In each delivery such an object is a session of its own."""

    def __init__(self) -> None:
        self._known: WeakSet[Any] = WeakSet(_all_sessions())
        #: By session: whose work its attributes are now, and those of the others. The test is None.
        self._owner: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
        self._others: WeakKeyDictionary[Any, dict[Any, dict[str, Any]]] = WeakKeyDictionary()

    def waiting(self) -> Iterator[tuple[Any, Any]]:
        """Yield an object that the test has not flushed, of each session that has one."""
        for session in list(self._known):
            if self._owner.get(session) is None:
                yield from ((session, waiting) for waiting in _unflushed(session)[:1])

    def use(self, session: Any) -> None:
        """Let a session be that of this delivery, which begins with it as with a new one."""
        current = watcher.get()
        before = self._owner.get(session)
        if session not in self._known or before is current:
            return
        others = self._others.setdefault(session, {})
        if before is None:
            for _, waiting in self.waiting():
                refuse_delivery(_NOT_FLUSHED.format(example=type(waiting).__name__))
        if current in others:
            self._switch(session, current)
            return
        from sqlalchemy.orm import Session

        of_test = others.get(None) or vars(session)
        options = {name: value for name, value in of_test.items() if name not in _OF_WORK}
        self._switch(session, current)
        Session.__init__(session)
        vars(session).update(options)
        note_connection(functools.partial(self._switch, session, before))

    def give_back(self) -> None:
        for session in list(self._owner):
            self._switch(session, None)
        self._others.clear()

    def _switch(self, session: Any, owner: Any) -> None:
        others = self._others.setdefault(session, {})
        others[self._owner.get(session)] = dict(vars(session))
        found = others.get(owner)
        if found is not None:
            vars(session).clear()
            vars(session).update(found)
        self._owner[session] = owner


class _History:
    """The engines of one history, which lead to copies from their first use on."""

    def __init__(self, engines: Engines, patches: Patches, stack: ExitStack) -> None:
        self._engines = engines
        self._patches = patches
        self._stack = stack
        #: What returns the rows of each engine that a delivery has used.
        self.read: dict[Engine, Callable[[], Rows]] = {}
        #: In a delivery another one would be in force.
        self._announce = numbering.get()
        #: The connection of the test to which a session is bound.
        self._held: dict[Engine, Connection] = {}

    def install(self) -> None:
        raw_connection = Engine.raw_connection

        def connected(engine: Engine) -> Any:
            if engine not in self.read:
                self._redirect(engine)
            connection = raw_connection(engine)
            database = self._engines.database_of(engine, None)
            if isinstance(database, TakenSchema):
                database.check(connection)
            return connection

        replace_in_check(self._patches, Engine, "raw_connection", connected)
        if _ORM in sys.modules:
            self._install_sessions()

    def _redirect(self, engine: Engine) -> None:
        try:
            database = self._engines.database_of(engine, self._held.get(engine))
            with unwatched():
                fresh = database.fresh(self._stack, self._announce)
                if isinstance(database, TakenSchema):
                    database.check_statements(self._stack)
                else:
                    place = engine.url.database or ":memory:"
                    refusing = refusing_direct_connections([place], "SQLAlchemy")
                    self._stack.enter_context(refusing)
                redirect(self._patches, engine, fresh.place)
                self.read[engine] = database.reading(fresh)
        except ExplorationError as error:
            # The job could catch it.
            refuse_delivery(str(error))

    def _install_sessions(self) -> None:
        """Give each delivery sessions of its own, whose engines are those of the sessions of the test."""
        from sqlalchemy.orm import Session
        from sqlalchemy.util import ScopedRegistry, ThreadLocalRegistry

        for kind in (Session, *derived_from(Session)):
            if "get_bind" in vars(kind):
                self._patches.set(kind, "get_bind", self._binding_to_engines(kind.get_bind))
        for name, method in vars(Session).items():
            if isinstance(method, FunctionType) and not name.startswith("_"):
                surround(self._patches, Session, name, in_check(self._use_session, no_block))
        self._stack.callback(self._engines.sessions_of_test.give_back)
        for kind in (ThreadLocalRegistry, ScopedRegistry):
            _keep_apart(self._patches, kind)

    def _binding_to_engines(self, get_bind: Callable[..., Any]) -> Callable[..., Any]:
        def bound(session: Any, *args: Any, **kwargs: Any) -> Any:
            found = get_bind(session, *args, **kwargs)
            if not isinstance(found, Connection):
                return found
            self._held[found.engine] = found
            return found.engine

        return in_check(bound, get_bind)

    def _use_session(self, session: Any, *args: Any, **kwargs: Any) -> AbstractContextManager[None]:
        self._engines.sessions_of_test.use(session)
        return nullcontext()


def _keep_apart(patches: Patches, kind: Any) -> None:
    """Let each delivery have sessions of its own in registries of scoped_sessions; the test keeps its own."""
    sessions: OfDelivery[dict[Any, Any]] = OfDelivery(dict)

    def found(registry: Any) -> Any:
        mine = sessions.mine()
        if registry not in mine:
            mine[registry] = registry.createfunc()
        return mine[registry]

    for name, do in (
        ("__call__", found),
        ("has", lambda registry: registry in sessions.mine()),
        ("set", lambda registry, session: sessions.mine().update({registry: session})),
        ("clear", lambda registry: sessions.mine().pop(registry, None)),
    ):
        replace_in_check(patches, kind, name, do)
