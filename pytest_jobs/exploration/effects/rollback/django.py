"""Atomic blocks of Django, inside the transaction of a test."""

from __future__ import annotations

import contextlib
import functools
from typing import Any
from weakref import WeakKeyDictionary

from django.db import DatabaseError, connections
from django.db.transaction import Atomic, get_connection

from ....harness.records.patches import Patches
from ...engine.acts import watcher
from .connections import Delivery


class Blocks:
    """The atomic blocks of Django.

    In production the outermost block of a job is a transaction. In a test that holds a transaction of its
    own it may be no more than a mark on the transaction of the test (`savepoint=False`, as in `delete()`), so
    that nothing could be rolled back. A delivery that is to be killed gets a savepoint there.
    """

    def __init__(self, patches: Patches) -> None:
        #: How many blocks were open on each connection when the delivery began; None if none is to be killed.
        self.depths: WeakKeyDictionary[Any, int] | None = None
        enter = Atomic.__enter__

        @functools.wraps(enter)
        def entered(atomic: Any) -> None:
            enter(atomic)
            connection = get_connection(atomic.using)
            if self._is_outermost(connection) and connection.savepoint_ids[-1:] == [None]:
                connection.savepoint_ids[-1] = connection.savepoint()

        patches.set(Atomic, "__enter__", entered)

    def begin(self) -> Delivery:
        return _AtomicBlocks(self)

    def _is_outermost(self, connection: Any) -> bool:
        current = watcher.get()
        if self.depths is None or current is None or current.isolated:
            return False
        depth = self.depths.get(connection, 0) + 1
        return len(connection.atomic_blocks) == depth and not connection.needs_rollback


class _AtomicBlocks:
    """The atomic blocks in which one delivery begins."""

    def __init__(self, django: Blocks) -> None:
        self._django = django
        #: The connections that were in no transaction and commit each statement.
        self._idle: list[Any] = []
        django.depths = WeakKeyDictionary()
        for connection in connections.all(initialized_only=True):
            django.depths[connection] = len(connection.atomic_blocks)
            if not connection.in_atomic_block and connection.autocommit:
                self._idle.append(connection)

    def ended(self, *, dead: bool) -> None:
        """Give no more savepoints, and take idle connections out of the transaction of a dead delivery.

        Django has left the blocks, and rolled back to their savepoints. But a block that was left at its
        commit has neither committed nor rolled back, and could not switch to autocommit again.
        """
        self._django.depths = None
        for connection in self._idle if dead else ():
            if connection.connection is not None and not connection.autocommit:
                with contextlib.suppress(DatabaseError):
                    connection.connection.rollback()
                    connection.run_on_commit = []
                    connection.set_autocommit(True)
