"""The open transaction of a connection of the application, in which a job is a row.

A queue may be a table in the database of the application. Then a job comes with the commit of the transaction in
which it was enqueued, and goes with a rollback of that, or of a savepoint around it.

- `watched`: the jobs of one transaction, and the savepoints between them. Read it first.
- `django`, `psycopg`, `sqlalchemy`: how each of these ends a transaction. A connection is watched from the first
  job in its transaction to the end of that.

`LibraryBridge.transaction_of` returns what `transaction_on` has found.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from ...core.foundation.protocols import OpenTransaction

_KNOWN: Final = frozenset(("django", "psycopg", "sqlalchemy"))

__all__ = ["transaction_on"]


def transaction_on(connection: object) -> OpenTransaction | None:
    """Return the transaction of the application that is open on a connection; None when there is none.

    Args:
        connection: a connection or cursor of psycopg, a connection or session of SQLAlchemy, or a connection of
            `django.db.connections`. The transaction of any other is not known.
    """
    for base in type(connection).__mro__:
        library = base.__module__.partition(".")[0]
        if library in _KNOWN:
            module: Any = import_module(f"{__name__}.{library}")
            found: OpenTransaction | None = module.transaction_on(connection)
            return found
    return None
