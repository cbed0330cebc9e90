"""A database of no kind: it keeps what waits in a list, and commits and rolls back when a test says so."""

from __future__ import annotations

from contextlib import contextmanager


class OpenBlock:
    """A transaction, or a savepoint in one."""

    def __init__(self, database, changed):
        self.using = database.name
        self.text = f"a transaction of {database.name!r}"
        self.changed = changed
        self.waiting = []

    def when_ended(self, wait):
        self.waiting.append(wait)


class StubDatabase:
    """Knows its own transactions, as `configure(transactions=[...])` asks for."""

    def __init__(self, name="ledger"):
        self.name = name
        self.blocks = []

    def open_here(self):
        return self.blocks[-1:]

    @contextmanager
    def transaction(self, *, changed=True, rolls_back=False):
        """A block that commits at its end, unless it is told to roll back."""
        block = OpenBlock(self, changed)
        self.blocks.append(block)
        yield
        self.blocks.pop()
        if rolls_back:
            for wait in block.waiting:
                wait.dropped()
            return
        if self.blocks:
            self.blocks[-1].waiting += block.waiting
        else:
            for wait in block.waiting:
                wait.committed()
