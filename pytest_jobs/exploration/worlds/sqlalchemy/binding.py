"""Leading an application that uses SQLAlchemy to another database."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from ....errors import ExplorationError
from ....harness.records.patches import Patches

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine, Pool

_SYNCHRONOUS: Final = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}
_ASYNCHRONOUS: Final = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}


def bound(patches: Patches, bind: Any, place: URL) -> None:
    """Lead what is named to a database; what it was is put back by the patches.

    What is changed are the objects themselves, so that it makes no difference who imported them.

    Args:
        patches: puts everything back.
        bind: an engine, a maker of sessions, or where there is one; several in a list.
        place: the database.

    Raises:
        ExplorationError: when it is none of these.
    """
    for one in bind if isinstance(bind, list) else [bind]:
        _bind(patches, _found(one), place)


def _found(bind: Any) -> Any:
    if not isinstance(bind, tuple):
        return bind
    owner, name = bind
    if not hasattr(owner, name):
        raise ExplorationError(
            f"{owner!r} has no {name!r} to be bound: name the engine or the maker of sessions of the application."
        )
    return getattr(owner, name)


def _bind(patches: Patches, found: Any, place: URL) -> None:
    from sqlalchemy.engine import Engine
    from sqlalchemy.orm import scoped_session, sessionmaker

    if isinstance(found, Engine):
        _lead(patches, found, place)
    elif isinstance(found, scoped_session) or _is_async(found, "async_scoped_session"):
        _begin_anew(patches, found.registry)
        _bind(patches, found.session_factory, place)
    elif isinstance(found, sessionmaker) or _is_async(found, "async_sessionmaker"):
        _bind_maker(patches, found, place)
    elif _is_async(found, "AsyncEngine"):
        _lead(patches, found.sync_engine, place)
    else:
        raise ExplorationError(
            f"{found!r} cannot be bound to a database: bind= is an Engine, an AsyncEngine, a sessionmaker, an "
            "async_sessionmaker or a scoped_session of the application, or the module and its name, as in "
            'bind=(db, "Session").'
        )


def _is_async(found: Any, name: str) -> bool:
    return any(
        base.__name__ == name and base.__module__.startswith("sqlalchemy.ext.asyncio")
        for base in type(found).__mro__
    )


def _begin_anew(patches: Patches, registry: Any) -> None:
    """Let no session that was made before, or for the world, be found by others."""

    def forget() -> None:
        # One that is kept for each task knows no task here.
        with suppress(RuntimeError):
            registry.clear()

    forget()
    patches.undo_by(forget)


def _bind_maker(patches: Patches, maker: Any, place: URL) -> None:
    """Lead the engines of a maker of sessions to a database; give it one when it has none."""
    engines = {
        id(engine): engine
        for engine in (maker.kw.get("bind"), *maker.kw.get("binds", {}).values())
        if engine is not None
    }
    for engine in engines.values():
        _bind(patches, engine, place)
    if not engines:
        asynchronous = _is_async(maker, "async_sessionmaker")
        engine = _engine(place, asynchronous=asynchronous)
        had = "bind" in maker.kw
        maker.configure(bind=engine)
        patches.undo_by(lambda: maker.kw.update(bind=None) if had else maker.kw.pop("bind", None))
        if not asynchronous:
            patches.undo_by(engine.dispose)


def _engine(place: URL, *, asynchronous: bool) -> Any:
    names = _ASYNCHRONOUS if asynchronous else _SYNCHRONOUS
    url = place.set(drivername=names[place.get_backend_name()])
    if asynchronous:
        from sqlalchemy.ext.asyncio import create_async_engine

        return create_async_engine(url)
    from sqlalchemy import create_engine

    return create_engine(url)


def _lead(patches: Patches, engine: Engine, place: URL) -> None:
    """Let an engine connect to a database."""
    from sqlalchemy import event

    dialect = engine.dialect
    drivers = (_ASYNCHRONOUS if dialect.is_async else _SYNCHRONOUS)[place.get_backend_name()]
    if f"{dialect.name}+{dialect.driver}" not in (drivers, f"{drivers}+pysqlite"):
        _replace(patches, engine, place)
        return
    _check_creator(engine)
    lead = _leading(engine, place)
    event.listen(engine, "do_connect", lead)
    patches.undo_by(functools.partial(event.remove, engine, "do_connect", lead))
    # What was connected before leads to where it led.
    _put_in(patches, engine, engine.pool.recreate())
    patches.set(engine, "url", place.set(drivername=engine.url.drivername))


def _replace(patches: Patches, engine: Engine, place: URL) -> None:
    """Give an engine the dialect and the pool of one of another database."""
    other = _engine(place, asynchronous=engine.dialect.is_async)
    other = getattr(other, "sync_engine", other)
    _put_in(patches, engine, other.pool)
    for name in ("dialect", "url"):
        patches.set(engine, name, getattr(other, name))


def _put_in(patches: Patches, engine: Engine, pool: Pool) -> None:
    """Let an engine use a pool, whose connections end with the world."""
    patches.set(engine, "pool", pool)
    if not engine.dialect.is_async:
        patches.undo_by(pool.dispose)


def _leading(engine: Engine, place: URL) -> Callable[..., None]:
    """Return what leads a connection that is about to be made elsewhere, with the options it is made with."""
    dialect = engine.dialect
    _, told = dialect.create_connect_args(engine.url)
    there, options = dialect.create_connect_args(place.set(drivername=engine.url.drivername))

    def lead(dialect: Any, record: object, cargs: list[Any], cparams: dict[str, Any]) -> None:
        cargs[:] = there
        for name in told:
            cparams.pop(name, None)
        cparams.update(options)

    return lead


def _check_creator(engine: Engine) -> None:
    creator = getattr(engine.pool, "_creator", None)
    if getattr(creator, "__module__", "") != "sqlalchemy.engine.create":
        raise ExplorationError(
            f"{engine!r} connects by a creator= of its own, so it cannot be led to another database: make it "
            "without, or let the world put something in the place of what the creator calls."
        )
