"""What a statement of psycopg does, and how a connection of it ends."""

from __future__ import annotations

import functools
from typing import Any, Final

from ..acts import Act, holds_connection, refuse_delivery, watcher
from .statements import changes, is_busy, shown

_FOREIGN: Final = (
    "The job used a connection to PostgreSQL that was opened before it was delivered, or by an earlier delivery: "
    "each delivery is a process of its own, which cannot have it. Open the connection within the job, with "
    "`with psycopg.connect(...)`, or take it out of the pool of an engine of SQLAlchemy."
)
_CHANGED: Final = "_pytest_jobs_changed"


def check_own(connection: Any) -> None:
    """Refuse the connection of another delivery."""
    if not holds_connection(connection):
        refuse_delivery(_FOREIGN)


def die(connection: Any) -> None:
    """End a connection as the server ends it when its client is gone, and return when that is done.

    Args:
        connection: a connection of psycopg, of either kind.
    """
    from psycopg.pq import ConnStatus, PipelineStatus, TransactionStatus

    pgconn = connection.pgconn
    if pgconn.status != ConnStatus.OK:
        return
    if pgconn.pipeline_status != PipelineStatus.OFF:
        _die_in_pipeline(pgconn)
        return
    if pgconn.transaction_status != TransactionStatus.IDLE:
        pgconn.exec_(b"ROLLBACK")
    pgconn.exec_(b"SELECT pg_advisory_unlock_all()")
    pgconn.finish()


def lost(connection: Any) -> Exception:
    """Let a connection break, with what was not committed; return the error of it."""
    from psycopg import OperationalError

    die(connection)
    error: Exception = OperationalError("server closed the connection unexpectedly")
    return error


def _die_in_pipeline(pgconn: Any) -> None:
    """End a connection that takes no statement now: the server notices by itself."""
    from psycopg.conninfo import make_conninfo
    from psycopg.pq import PGconn

    options = {
        option.keyword.decode(): option.val.decode()
        for option in pgconn.info
        if option.val is not None
    }
    other = PGconn.connect(make_conninfo(**options).encode())
    query = b"SELECT pg_sleep(0.001) FROM pg_stat_activity WHERE pid = %d" % pgconn.backend_pid
    pgconn.finish()
    while other.exec_(query).ntuples:
        pass
    other.finish()


def act_of(cursor: Any, query: Any) -> Act | None:
    """Return what a statement does; None when it only reads, or nobody watches."""
    if watcher.get() is None:
        return None
    connection = cursor.connection
    check_own(connection)
    text = _text(query)
    if not changes(text):
        return None
    setattr(connection, _CHANGED, True)
    at_once = connection.autocommit and not _in_transaction(connection)
    return _act(connection, shown(text), may_lose_answer=at_once)


def commit_of(connection: Any) -> Act | None:
    """Return the act of a commit; None when nothing is there to be committed, or nobody watches."""
    if watcher.get() is None or not _in_transaction(connection):
        return None
    if not getattr(connection, _CHANGED, False):
        return None
    setattr(connection, _CHANGED, False)
    return _act(connection, "commit", may_lose_answer=True)


def commit_at_end_of(transaction: Any, kind: type[BaseException] | None) -> Act | None:
    """Return the act of leaving a block that is a transaction; None when it commits nothing."""
    outermost = getattr(transaction, "_outer_transaction", True)
    if kind is not None or transaction.force_rollback or not outermost:
        return None
    return commit_of(transaction.connection)


def _act(connection: Any, text: str, *, may_lose_answer: bool) -> Act:
    end = functools.partial(lost, connection)
    return Act(
        "psycopg",
        text,
        counts=False,
        refused=end,
        answer_lost=end if may_lose_answer else None,
        busy=is_busy,
    )


def _in_transaction(connection: Any) -> bool:
    from psycopg.pq import TransactionStatus

    return connection.pgconn.transaction_status != TransactionStatus.IDLE  # type: ignore[no-any-return]


def _text(query: Any) -> str:
    if isinstance(query, bytes):
        return query.decode("utf-8", "replace")
    if isinstance(query, str):
        return query
    as_string = getattr(query, "as_string", None)
    return str(as_string(None)) if as_string is not None else "".join(query.strings)
