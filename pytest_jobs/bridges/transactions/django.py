"""The transactions of Django's connections.

The blocks in which a `TestCase` wraps a test are no transactions of the application: their rollback takes back
nothing, and outside of all other blocks a job is in no transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .watched import WatchedTransaction, watched


def transaction_on(connection: Any) -> WatchedTransaction | None:
    """Return the transaction of a connection of `django.db.connections`; None outside of all blocks."""
    blocks = connection.atomic_blocks
    is_own = any(not block._from_testcase for block in blocks)
    if not is_own and (blocks or connection.connection is None or connection.autocommit):
        return None
    return watched.watch(connection, connection.alias, _watch)


def _watch(connection: Any, transaction: WatchedTransaction) -> None:
    of_test_case = sum(1 for block in connection.atomic_blocks if block._from_testcase)

    def savepoint(original: Callable[[], Any]) -> Any:
        name = original()
        transaction.savepoint(name)
        return name

    def savepoint_rollback(original: Callable[[Any], None], name: Any) -> None:
        original(name)
        # Django has left the block already.
        if len(connection.atomic_blocks) < of_test_case:
            transaction.patches.restore()
        else:
            transaction.back_to(name)

    def commit(original: Callable[[], None]) -> None:
        original()
        transaction.ended(committed=True)

    def rollback(original: Callable[[], None]) -> None:
        original()
        # A test case ends what it has begun.
        transaction.ended(committed=of_test_case > 0)

    transaction.replace(connection, "savepoint", savepoint)
    transaction.replace(connection, "savepoint_rollback", savepoint_rollback)
    transaction.replace(connection, "commit", commit)
    transaction.replace(connection, "rollback", rollback)
    transaction.replace(connection, "close", rollback)
