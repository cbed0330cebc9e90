"""The atomic blocks of Django that are open, for jobs that wait for their commit."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from functools import partial
from typing import Final

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from ..core.enqueueing.commits import CommitWait, TransactionSource

_NOT_COMMITTED: Final = "by a rollback, or since a callback of on_commit raised before it"


def source() -> TransactionSource:
    """Return what knows the atomic blocks of the process."""
    return AtomicBlocks()


class OpenAtomicBlock:
    """A connection inside an atomic block."""

    #: What was written through the connection is not known.
    changed = True

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection

    @property
    def using(self) -> str:
        """The alias of the database."""
        return str(self._connection.alias)

    @property
    def text(self) -> str:
        """What is open."""
        return f"an atomic block of {self.using!r}"

    def when_ended(self, wait: CommitWait) -> None:
        """Have Django call it after the commit."""
        callback = partial(wait.committed)
        # Django tells nobody of a rollback: it forgets its callbacks, and nobody else keeps them.
        weakref.finalize(callback, wait.dropped, _NOT_COMMITTED).atexit = False
        self._connection.on_commit(callback)


class AtomicBlocks:
    """All atomic blocks that are open where the code runs."""

    name = "django"

    def open_here(self) -> Sequence[OpenAtomicBlock]:
        """Return the connections inside atomic blocks that no test case has opened."""
        return [
            OpenAtomicBlock(connection)
            for connection in connections.all(initialized_only=True)
            if any(not _is_of_test_case(block) for block in connection.atomic_blocks)
        ]


def _is_of_test_case(block: object) -> bool:
    return bool(getattr(block, "_from_testcase", False))
