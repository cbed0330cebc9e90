"""Redirecting an application that uses SQLAlchemy to another database."""

from __future__ import annotations

from contextlib import suppress
from importlib.util import find_spec
from typing import Any, Final

from sqlalchemy import URL, Pool, create_engine, event
from sqlalchemy.engine import Engine
from sqlalchemy.orm import scoped_session, sessionmaker

from ....errors import ExplorationError
from ....harness.records.patches import Patches

_MYSQL: Final = frozenset(("mysql", "mariadb"))
#: The drivers of the other databases by which an engine of the application connects as it is.
_KEPT: Final = {
    "sqlite": ("pysqlite", "aiosqlite"),
    "postgresql": ("psycopg", "psycopg2", "asyncpg"),
}
#: By the kind of a server, and whether they are awaited: the drivers by which an engine is made anew. Connections
#: of these awaited ones can be ended at once.
_DRIVERS: Final = {
    ("postgresql", False): ("psycopg", "psycopg2"),
    ("postgresql", True): ("psycopg",),
    **{(name, False): ("pymysql",) for name in _MYSQL},
    **{(name, True): ("aiomysql", "asyncmy") for name in _MYSQL},
}


def redirect(patches: Patches, bind: Any, place: URL) -> None:
    """Let an engine or a maker of sessions, or a module by its name, or several, connect to another database.

    The objects themselves are changed, so that it makes no difference which modules have imported them.
    """
    for one in bind if isinstance(bind, list) else [bind]:
        found = one
        if isinstance(one, tuple):
            owner, name = one
            if not hasattr(owner, name):
                raise ExplorationError(
                    f"{owner!r} has no {name!r} to be bound: name the engine or the maker of sessions of the "
                    "application."
                )
            found = getattr(owner, name)
        _redirect(patches, found, place)


def _redirect(patches: Patches, found: Any, place: URL) -> None:
    if isinstance(found, Engine):
        _redirect_engine(patches, found, place)
    elif _is_async(found, "AsyncEngine"):
        _redirect_engine(patches, found.sync_engine, place)
    elif isinstance(found, scoped_session) or _is_async(found, "async_scoped_session"):
        # Nobody may find a session that was made before, or for the world.
        def forget() -> None:
            # A registry of sessions by task has no task here.
            with suppress(RuntimeError):
                found.registry.clear()

        forget()
        patches.undo_by(forget)
        _redirect(patches, found.session_factory, place)
    elif isinstance(found, sessionmaker) or _is_async(found, "async_sessionmaker"):
        _redirect_maker(patches, found, place)
    else:
        raise ExplorationError(
            f"{found!r} cannot be bound to a database: bind= is an Engine, an AsyncEngine, a sessionmaker, an "
            "async_sessionmaker or a scoped_session of the application, or the module and its name, as in "
            'bind=(db, "Session").'
        )


def _is_async(found: Any, name: str) -> bool:
    # By name, so that `sqlalchemy.ext.asyncio` need not be imported.
    return any(
        base.__name__ == name and base.__module__.startswith("sqlalchemy.ext.asyncio")
        for base in type(found).__mro__
    )


def _redirect_maker(patches: Patches, maker: Any, place: URL) -> None:
    """Redirect the engines of a maker of sessions, or give it an engine when it has none."""
    engines = {
        id(engine): engine
        for engine in (maker.kw.get("bind"), *maker.kw.get("binds", {}).values())
        if engine is not None
    }
    for engine in engines.values():
        _redirect(patches, engine, place)
    if not engines:
        asynchronous = _is_async(maker, "async_sessionmaker")
        engine = _engine(place, asynchronous=asynchronous)
        had = "bind" in maker.kw
        maker.configure(bind=engine)
        patches.undo_by(lambda: maker.kw.update(bind=None) if had else maker.kw.pop("bind", None))
        if not asynchronous:
            patches.undo_by(engine.dispose)


def _redirect_engine(patches: Patches, engine: Engine, place: URL) -> None:
    """Let an engine connect to a database: by its own driver if that can, else by another dialect."""
    dialect = engine.dialect
    if place.get_backend_name() == "sqlite":
        event.listen(engine, "savepoint", _begin)
        patches.undo_by(lambda: event.remove(engine, "savepoint", _begin))
    if not keeps_driver(dialect, place.get_backend_name()):
        other = _engine(place, asynchronous=dialect.is_async)
        other = getattr(other, "sync_engine", other)
        _use_pool(patches, engine, other.pool)
        for name in ("dialect", "url"):
            patches.set(engine, name, getattr(other, name))
        return
    creator = getattr(engine.pool, "_creator", None)
    if getattr(creator, "__module__", "") != "sqlalchemy.engine.create":
        raise ExplorationError(
            f"{engine!r} connects by a creator= of its own, so it cannot be led to another database: make it "
            "without, or let the world put something in the place of what the creator calls."
        )
    _, old_options = dialect.create_connect_args(engine.url)
    target, options = _connect_args(dialect, place.set(drivername=engine.url.drivername))

    def connecting(dialect: Any, record: object, cargs: list[Any], cparams: dict[str, Any]) -> None:
        """Change the target of a connection; the other options of `create_engine` stay."""
        cargs[:] = target
        for name in old_options:
            cparams.pop(name, None)
        if "dsn" in options:
            # It would be in force rather than the one of the world.
            settings = dict(cparams.get("server_settings") or {})
            settings.pop("search_path", None)
            cparams["server_settings"] = settings
        cparams.update(options)

    event.listen(engine, "do_connect", connecting)
    patches.undo_by(lambda: event.remove(engine, "do_connect", connecting))
    # The connections in the old pool are open to the old database.
    _use_pool(patches, engine, engine.pool.recreate())
    patches.set(engine, "url", place.set(drivername=engine.url.drivername))


def _begin(connection: Any, name: str) -> None:
    """Begin a transaction before a savepoint: `sqlite3` does not, and its end would commit then.

    Only there: as it is on a server, a transaction that has only read keeps nobody from writing.
    """
    raw = connection.connection.dbapi_connection
    driver = getattr(raw, "driver_connection", raw)
    # Without a level, the application begins its transactions itself, or wants none.
    if raw.isolation_level is not None and not driver.in_transaction:
        connection.exec_driver_sql("BEGIN")


def keeps_driver(dialect: Any, backend: str) -> bool:
    """Return whether an engine connects to a kind of database by its own driver."""
    if {dialect.name, backend} <= _MYSQL:
        return True
    return dialect.name == backend and dialect.driver in _KEPT.get(backend, ())


def _connect_args(dialect: Any, place: URL) -> tuple[list[Any], dict[str, Any]]:
    if dialect.driver == "asyncpg":
        # Of the options of libpq, it knows those in a string only.
        dsn = place.set(drivername="postgresql").render_as_string(hide_password=False)
        return [], {"dsn": dsn}
    args, options = dialect.create_connect_args(place)
    return list(args), dict(options)


def driver_for(url: URL, *, asynchronous: bool = False) -> str:
    """Return the driver by which an engine is made anew: that of a URL if it may be, or one that is installed."""
    name, _, own = url.drivername.partition("+")
    if name == "sqlite":
        return "sqlite+aiosqlite" if asynchronous else name
    wanted = _DRIVERS[name, asynchronous]
    if name in _MYSQL and not asynchronous and own not in _DRIVERS[name, True]:
        return str(url.drivername)
    there = [driver for driver in wanted if find_spec(driver)]
    if name in _MYSQL and not there:
        raise ExplorationError(
            "An AsyncEngine connects to MySQL by an asynchronous driver, and none is installed that a check "
            "knows: pip install aiomysql."
            if asynchronous
            else f"A world on MySQL connects by a blocking driver, and for {own} that is PyMySQL, which is not "
            "installed: pip install pymysql."
        )
    return f"{name}+{own if own in there else next(iter(there), wanted[0])}"


def _engine(place: URL, *, asynchronous: bool) -> Any:
    url = place.set(drivername=driver_for(place, asynchronous=asynchronous))
    if asynchronous:
        from sqlalchemy.ext.asyncio import create_async_engine

        return create_async_engine(url)
    return create_engine(url)


def _use_pool(patches: Patches, engine: Engine, pool: Pool) -> None:
    """Let an engine use a pool, whose connections end with the world."""
    patches.set(engine, "pool", pool)
    if not engine.dialect.is_async:
        patches.undo_by(pool.dispose)
