"""A transaction whose connection is watched until it ends."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from ...core.foundation.protocols import CommitWait
from ...harness.records.patches import Patches


class WatchedTransaction:
    """The open transaction of a connection: an `OpenTransaction` of the core.

    A savepoint that was set before the connection was watched has no mark: every job here came after it.
    """

    #: It has the row of a job.
    changed = True

    def __init__(self, using: str) -> None:
        """Describe a transaction.

        Args:
            using: the name of its database.
        """
        self.using = using
        self.text = f"a transaction of {using!r}"
        #: What watches the connection.
        self.patches = Patches()
        self._waits: list[CommitWait] = []
        #: How many jobs there were when a savepoint was set.
        self._marks: dict[object, int] = {}

    def replace(self, connection: Any, name: str, method: Callable[..., Any]) -> None:
        """Replace a method of the connection by one that is called with it, and with its arguments."""
        self.patches.set(connection, name, partial(method, getattr(connection, name)))

    def when_ended(self, wait: CommitWait) -> None:
        self._waits.append(wait)

    def savepoint(self, name: object) -> None:
        """Note that a savepoint was set."""
        self._marks[name] = len(self._waits)

    def back_to(self, name: object) -> None:
        """Note that everything since a savepoint was rolled back."""
        mark = self._marks.get(name, 0)
        gone, self._waits[mark:] = self._waits[mark:], []
        for wait in gone:
            wait.dropped()

    def ended(self, *, committed: bool) -> None:
        """Note that it was committed or rolled back, and watch no more."""
        self.patches.restore()
        waits, self._waits = self._waits, []
        for wait in waits:
            if committed:
                wait.committed()
            else:
                wait.dropped()


class WatchedConnections:
    """The connections that are watched, with their transactions."""

    def __init__(self) -> None:
        self._open: WeakKeyDictionary[Any, WatchedTransaction] = WeakKeyDictionary()

    def watch(
        self, connection: Any, using: str, begin: Callable[[Any, WatchedTransaction], None]
    ) -> WatchedTransaction:
        """Return the transaction of a connection, which is watched from now on to its end.

        Args:
            connection: is in a transaction.
            using: the name of its database.
            begin: begins to watch it.
        """
        found = self._open.get(connection)
        if found is None:
            found = self._open[connection] = WatchedTransaction(using)
            found.patches.undo_by(partial(self._open.pop, connection, None))
            begin(connection, found)
        return found


watched = WatchedConnections()
