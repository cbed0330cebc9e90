"""The autocommit mode of a worker, for the jobs of a test that never commits.

A worker has no test case around it: outside of the blocks of a job each statement is a transaction of its own. In
a `TestCase`, and with the fixture `db`, each statement is inside of the blocks of the test. The patches here let a
job that has opened no block find what it would find in a worker, and let it end nothing that belongs to the test.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.transaction import Atomic, TransactionManagementError, get_connection

from ...harness.records.patches import Patches
from ...harness.records.record import current_record

#: Whether Django opens or ends a block here: then it has to know the blocks of the test.
_at_edge: ContextVar[bool] = ContextVar("pytest_jobs_django_edge", default=False)
#: As Django itself says it.
_NO_FLAG: Final = "The rollback flag doesn't work outside of an 'atomic' block."
_SAVEPOINT: Final = "pytest_jobs_statement"
#: Statements that begin or end a transaction, or a part of one, themselves.
_CONTROL: Final = ("BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE")


@contextmanager
def at_edge(atomic: Atomic, *, is_outermost: bool) -> Generator[None, None, None]:
    """Let Django open or end a block.

    Args:
        atomic: the block.
        is_outermost: whether a job in autocommit mode opens it. It then has a savepoint, also with
            `savepoint=False`, in the place of the transaction that it would be in a worker.
    """
    savepoint, token = atomic.savepoint, _at_edge.set(True)
    if is_outermost:
        atomic.savepoint = True
    try:
        yield
    finally:
        atomic.savepoint = savepoint
        _at_edge.reset(token)


class Autocommit:
    """Says whether a job is in autocommit mode, and lets Django say so too."""

    def __init__(self, own_blocks: Callable[[BaseDatabaseWrapper], int]) -> None:
        """Patch nothing yet.

        Args:
            own_blocks: returns how many of the open blocks of a connection belong to the job that runs.
        """
        self._own_blocks = own_blocks

    def is_on(self, connection: BaseDatabaseWrapper) -> bool:
        """Say whether a job runs that has opened no block, inside of the blocks of a test."""
        return (
            connection.in_atomic_block
            and current_record.get() is not None
            and not _at_edge.get()
            and not self._own_blocks(connection)
        )

    def install(self, patches: Patches) -> None:
        """Patch Django, until the patches are restored."""
        for name, answer in (
            ("get_autocommit", _yes),
            ("set_rollback", _refuse),
            ("get_rollback", _refuse),
            ("savepoint", _nothing),
            ("savepoint_commit", _nothing),
            ("savepoint_rollback", _nothing),
            # Nothing has begun that these would end, and the connection is that of the test.
            ("commit", _nothing),
            ("rollback", _nothing),
            ("close", _nothing),
        ):
            patches.set(BaseDatabaseWrapper, name, self._answering(name, answer))
        for name in ("_execute", "_executemany", "callproc"):
            patches.set(CursorWrapper, name, self._alone(getattr(CursorWrapper, name)))
        genuine = transaction.mark_for_rollback_on_error

        @contextmanager
        def mark_for_rollback_on_error(using: str | None = None) -> Generator[None, None, None]:
            if self.is_on(get_connection(using)):
                yield
                return
            with genuine(using):
                yield

        patches.set(transaction, "mark_for_rollback_on_error", mark_for_rollback_on_error)

    def _answering(self, name: str, answer: Callable[[], Any]) -> Callable[..., Any]:
        genuine: Callable[..., Any] = getattr(BaseDatabaseWrapper, name)

        @functools.wraps(genuine)
        def answering(connection: BaseDatabaseWrapper, *args: Any, **kwargs: Any) -> Any:
            return answer() if self.is_on(connection) else genuine(connection, *args, **kwargs)

        return answering

    def _alone(self, genuine: Callable[..., Any]) -> Callable[..., Any]:
        """Let a statement that fails spoil nothing but itself: only PostgreSQL spoils the whole transaction."""

        @functools.wraps(genuine)
        def alone(cursor: Any, sql: Any, *args: Any, **kwargs: Any) -> Any:
            database = cursor.db
            if database.vendor != "postgresql" or not self.is_on(database) or _controls(sql):
                return genuine(cursor, sql, *args, **kwargs)
            # Not a cursor of Django: what it sends would be in `connection.queries`.
            with database.wrap_database_errors, database.connection.cursor() as beside:
                beside.execute(f"SAVEPOINT {_SAVEPOINT}")
                try:
                    return genuine(cursor, sql, *args, **kwargs)
                except BaseException:
                    beside.execute(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
                    raise
                finally:
                    beside.execute(f"RELEASE SAVEPOINT {_SAVEPOINT}")

        return alone


def _controls(sql: Any) -> bool:
    return isinstance(sql, str) and sql.lstrip()[:9].upper().startswith(_CONTROL)


def _yes() -> bool:
    return True


def _nothing() -> None:
    pass


def _refuse() -> None:
    raise TransactionManagementError(_NO_FLAG)
