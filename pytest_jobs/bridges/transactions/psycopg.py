"""The transactions of psycopg's connections.

Connections of both kinds, their `transaction()` blocks and SQLAlchemy's adapters end a transaction by one method,
which sends `COMMIT`, `ROLLBACK` and the like.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from typing import Any, Final

from psycopg.pq import TransactionStatus

from .watched import WatchedTransaction, watched

_SAVEPOINT: Final = re.compile(rb"(SAVEPOINT|ROLLBACK TO) (.*)")


def transaction_on(connection: Any) -> WatchedTransaction | None:
    """Return the transaction of a connection or cursor; None where each statement commits itself.

    The row of a job begins the transaction of an idle connection. The harness writes no row, so it begins that.
    """
    found = getattr(connection, "connection", connection)
    if found.info.transaction_status == TransactionStatus.IDLE:
        if found.autocommit:
            return None
        found.pgconn.exec_(found._get_tx_start_command())
    return watched.watch(found, found.info.dbname, _watch)


def _watch(connection: Any, transaction: WatchedTransaction) -> None:
    def send(original: Callable[..., Any], text: Any, *options: Any) -> Generator[Any, Any, Any]:
        has_failed = connection.info.transaction_status == TransactionStatus.INERROR
        result = yield from original(text, *options)
        if text in (b"COMMIT", b"ROLLBACK"):
            # PostgreSQL rolls back what has failed.
            transaction.ended(committed=text == b"COMMIT" and not has_failed)
        elif isinstance(text, bytes) and (found := _SAVEPOINT.fullmatch(text)):
            note = transaction.savepoint if found[1] == b"SAVEPOINT" else transaction.back_to
            note(found[2])
        return result

    def close(original: Callable[[], Any]) -> Any:
        transaction.ended(committed=False)
        return original()

    transaction.replace(connection, "_exec_command", send)
    transaction.replace(connection, "close", close)
