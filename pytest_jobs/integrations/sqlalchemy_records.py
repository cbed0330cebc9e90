"""The models of SQLAlchemy as records: named by their primary key, found in the session of the job."""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Mapper

from ..core.arguments.records import RecordWork, Reference
from .sqlalchemy_sessions import is_awaited, open_for_coroutines, open_synchronous


def reference_of(cls: type) -> Reference | None:
    """Return how the records of a class are found, if it is mapped to a table."""
    if not isinstance(inspect(cls, raiseerr=False), Mapper):
        return None
    return Reference(cls, _identify, partial(_find, cls), partial(_afind, cls))


def _identify(record: Any) -> object:
    """Return the primary key; None where there is no row yet."""
    identity: tuple[Any, ...] | None = inspect(record).identity
    return identity[0] if identity is not None and len(identity) == 1 else identity


def _find(cls: type, identifier: object, work: RecordWork) -> object:
    session: Any = work.unit(open_synchronous).session
    return session.get(cls, identifier)


async def _afind(cls: type, identifier: object, work: RecordWork) -> object:
    session = work.unit(open_for_coroutines).session
    found: Any = session.get(cls, identifier)
    return await found if is_awaited(session) else found
