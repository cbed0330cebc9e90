"""The transactions of SQLAlchemy's connections and sessions, asynchronous ones as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from ...core.enqueueing.commits import sources_in_use
from ...core.foundation.protocols import KnowsSessions, OpenTransaction
from .watched import WatchedTransaction, watched


def transaction_on(connection: Any) -> OpenTransaction | None:
    """Return the transaction of a connection or session. The row of a job begins that of a session."""
    found = connection.registry() if hasattr(connection, "registry") else connection
    found = getattr(found, "sync_session", found)
    found = getattr(found, "sync_connection", found)
    if not isinstance(found, Session | Connection):
        return None
    if isinstance(found, Session):
        if not found.in_transaction():
            found.begin()
        sources = (each for each in sources_in_use() if isinstance(each, KnowsSessions))
        return next((each.transaction_of(found) for each in sources), None)
    url = found.engine.url
    return watched.watch(found, url.database or url.drivername, _watch)


def _watch(connection: Connection, transaction: WatchedTransaction) -> None:
    def savepoint(original: Callable[..., str], *given: Any) -> str:
        name = original(*given)
        transaction.savepoint(name)
        return name

    def back_to(original: Callable[[str], None], name: str) -> None:
        original(name)
        transaction.back_to(name)

    def commit(original: Callable[[], None]) -> None:
        original()
        transaction.ended(committed=True)

    def roll_back(original: Callable[[], None]) -> None:
        original()
        transaction.ended(committed=False)

    # By methods, since the event of a savepoint does not know its name.
    transaction.replace(connection, "_savepoint_impl", savepoint)
    transaction.replace(connection, "_rollback_to_savepoint_impl", back_to)
    transaction.replace(connection, "_commit_impl", commit)
    transaction.replace(connection, "_rollback_impl", roll_back)
    transaction.replace(connection, "close", roll_back)
