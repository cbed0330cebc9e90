"""The models of SQLAlchemy as records: named by their primary key, found in the session of the job.

Each delivery has a session of its own, of the factory that `configure(session=...)` was given.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

from sqlalchemy import event, inspect
from sqlalchemy.orm import Mapper, Session, scoped_session

from ...core.arguments.records import Reference, UnitOfWork
from ...core.foundation.settings import settings
from ...errors import DeclarationError, NoSessionError

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session


AnySession: TypeAlias = "Session | AsyncSession"
#: None for a blocking session; else the caller awaits it.
Ended: TypeAlias = Awaitable[None] | None


class SessionUnit:
    """A session that lives as long as a delivery."""

    __slots__ = ("_inner", "_put_back", "session")

    def __init__(self, session: AnySession, put_back: Callable[[], None]) -> None:
        self.session = session
        self._put_back = put_back
        self._inner: Any = session.sync_session if is_awaited(session) else session

    def commit(self) -> Ended:
        # The caller may read records that the job returned, after the session is closed.
        self._inner.expire_on_commit = False
        ended: Ended = self.session.commit()
        return ended

    def roll_back(self) -> Ended:
        ended: Ended = self.session.rollback()
        return ended

    def close(self) -> Ended:
        """Close it, and put back the session that was in its place."""
        if is_awaited(self.session):
            return self._aclose(self.session)
        try:
            self.session.close()
        finally:
            self._put_back()
        return None

    async def _aclose(self, session: AsyncSession) -> None:
        try:
            await session.close()
        finally:
            self._put_back()


def is_awaited(session: object) -> TypeGuard[AsyncSession]:
    """Say whether a session is of SQLAlchemy's asyncio, without importing that: it needs greenlet."""
    module = sys.modules.get("sqlalchemy.ext.asyncio")
    return module is not None and isinstance(session, module.AsyncSession)


def _is_scoped_and_awaited(make: object) -> TypeGuard[async_scoped_session[Any]]:
    module = sys.modules.get("sqlalchemy.ext.asyncio")
    return module is not None and isinstance(make, module.async_scoped_session)


def open_for_coroutines() -> SessionUnit:
    """Begin a session of the application, of either kind.

    Raises:
        NoSessionError: when none is configured.
        DeclarationError: when the configured factory makes no session.
    """
    make: Any = settings.session
    if make is None:
        raise NoSessionError
    if not isinstance(make, scoped_session) and not _is_scoped_and_awaited(make):
        return SessionUnit(_made(make, make), lambda: None)
    # The code of the job finds the session in the registry; whoever called it finds their own there afterwards.
    registry: Any = make.registry
    before = registry() if registry.has() else None

    def put_back() -> None:
        if before is None:
            registry.clear()
        else:
            registry.set(before)

    session = _made(make.session_factory, make)
    registry.set(session)
    return SessionUnit(session, put_back)


def open_synchronous() -> SessionUnit:
    """Begin a session of the application for a synchronous job.

    Raises:
        NoSessionError: when none is configured.
        DeclarationError: when the configured factory makes no session, or one that has to be awaited.
    """
    if _is_scoped_and_awaited(settings.session):
        raise DeclarationError(_TO_BE_AWAITED)
    unit = open_for_coroutines()
    if is_awaited(unit.session):
        raise DeclarationError(_TO_BE_AWAITED)
    return unit


_TO_BE_AWAITED = (
    "configure(session=...) was given what makes an AsyncSession, and a synchronous job cannot await it: declare "
    "the job `async def perform`, or configure a sessionmaker."
)


def _made(make: Any, configured: object) -> AnySession:
    session = make()
    if isinstance(session, Session) or is_awaited(session):
        return session
    raise DeclarationError(
        f"configure(session=...) was given {configured!r}, which made no session, but {session!r}: write the "
        "sessionmaker, async_sessionmaker or scoped_session of the application, or a function that returns a new "
        "session."
    )


def reference_of(cls: type) -> Reference | None:
    """Return how to find the records of a class, if it is mapped to a table."""
    if not isinstance(inspect(cls, raiseerr=False), Mapper):
        return None
    return Reference(cls, _identify, partial(_find, cls), partial(_afind, cls))


def call_when_created(cls: type, call: Callable[[object], None]) -> bool:
    """Call a function with each new record of a model, inside its transaction; return whether it is a model."""
    if reference_of(cls) is None:
        return False
    # `propagate` is for the models that derive from it.
    event.listen(cls, "after_insert", lambda mapper, connection, new: call(new), propagate=True)
    return True


def _identify(record: Any) -> object:
    """Return the primary key; None where there is no row yet."""
    state = inspect(record)
    identity: tuple[Any, ...] | None = state.identity
    if identity is None and state.session is not None and state.session._flushing:
        # In `after_insert` there is a row, and the session notes it at the end of the flush.
        key = tuple(state.mapper.primary_key_from_instance(record))
        identity = None if None in key else key
    return identity[0] if identity is not None and len(identity) == 1 else identity


def _find(cls: type, identifier: object, unit: UnitOfWork) -> object:
    session: Any = unit.session(open_synchronous).session
    return session.get(cls, identifier)


async def _afind(cls: type, identifier: object, unit: UnitOfWork) -> object:
    session = unit.session(open_for_coroutines).session
    found: Any = session.get(cls, identifier)
    return await found if is_awaited(session) else found
