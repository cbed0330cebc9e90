"""Django's transactions: `on_commit` in tests that never commit.

A `TestCase` wraps each test in atomic blocks that it rolls back, so Django never calls what `on_commit` registers.
The patches here replace each callback by a `CommitHook`, and call it when production would: when the
outermost block of the application ends, or by `jobs.commit()`. In the code, "own" blocks are the blocks of the job
that runs, or of the test; the blocks of the TestCase are nobody's.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, Final
from weakref import WeakKeyDictionary

import django
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import Atomic, get_connection

from ...errors import BridgeError, CommitError
from ...harness.commits.callables import calling_line
from ...harness.commits.transactions import CommitCallback, Transactions
from ...harness.records.patches import Patches
from ...harness.records.probing import Probe
from ...harness.records.record import JobRecord, current_record
from .autocommit import Autocommit, at_edge
from .hooks import ROLLED_BACK, CommitHook, note_commit, note_rollbacks, run_in_order

_PROBE: Final = Probe(
    "Django",
    "django.db:connections.all(initialized_only=)",
    "django.db.backends.base.base:BaseDatabaseWrapper.on_commit(_, _, _)",
    "django.db.transaction:Atomic.__enter__(_)",
    "django.db.transaction:Atomic.__exit__(_, _, _, _)",
    "django.db.transaction:get_connection(_)",
    tested=((4, 2), (6, 1)),
)
#: Packages that pass a callback on to `on_commit`; the line that registered it lies outside of them.
_PASSING_ON: Final = frozenset(
    ("asgiref", "celery", "contextlib", "django", "django_tasks", "functools", "pytest_jobs")
)
#: Whether `commit` calls hooks now: callbacks that they register are called at once.
_committing: ContextVar[bool] = ContextVar("pytest_jobs_committing", default=False)


def transactions() -> Transactions:
    """Return a new watcher of Django's transactions.

    Raises:
        UnknownVersionError: when this Django lacks what the watcher relies on.
    """
    return DjangoTransactions()


class DjangoTransactions:
    """Keeps what `on_commit` registers, and calls it when production would commit."""

    name = "django"

    def __init__(self) -> None:
        _PROBE.check(django.get_version())
        self._patches = Patches()
        self._hooks: list[CommitHook] = []
        #: The hooks whose transaction has not ended yet.
        self._inside: list[CommitHook] = []
        self._lock = threading.Lock()
        #: For each connection the jobs that opened its blocks, by the depth of the block.
        self._openers: WeakKeyDictionary[Any, dict[int, JobRecord]] = WeakKeyDictionary()
        self._commits: Callable[[], bool] = _not_installed
        self._ended: Callable[[], object] = _not_installed

    def install(self, commits: Callable[[], bool], ended: Callable[[], None]) -> None:
        """Watch `on_commit` and atomic blocks, in every thread.

        Raises:
            BridgeError: when it is installed already.
        """
        if self._patches:
            raise BridgeError(
                "DjangoTransactions is installed already: uninstall it first, or make another one."
            )
        self._commits, self._ended = commits, ended
        genuine_on_commit: Callable[..., None] = BaseDatabaseWrapper.on_commit
        genuine_enter: Callable[..., None] = Atomic.__enter__
        genuine_exit: Callable[..., None] = Atomic.__exit__
        autocommit = Autocommit(self._own_blocks)

        @functools.wraps(genuine_on_commit)
        def on_commit(connection: BaseDatabaseWrapper, func: Any, robust: bool = False) -> None:
            if isinstance(func, CommitHook) or not callable(func):
                genuine_on_commit(connection, func, robust)
            else:
                self._register(connection, func, robust, genuine_on_commit)

        @functools.wraps(genuine_enter)
        def enter(atomic: Atomic) -> None:
            record = current_record.get()
            if record is None:
                genuine_enter(atomic)
            else:
                connection = get_connection(atomic.using)
                with at_edge(atomic, is_outermost=autocommit.is_on(connection)):
                    genuine_enter(atomic)
                depth = len(connection.atomic_blocks)
                self._openers.setdefault(connection, {})[depth] = record

        @functools.wraps(genuine_exit)
        def leave(atomic: Atomic, *raised: Any) -> None:
            connection = get_connection(atomic.using)
            if _is_of_test_case(atomic):
                for hook in self._hooks:
                    if hook.connection is connection and hook.waits():
                        hook.leave()
            try:
                with at_edge(atomic, is_outermost=False):
                    genuine_exit(atomic, *raised)
            finally:
                self._block_ended(connection)

        autocommit.install(self._patches)
        self._patches.set(BaseDatabaseWrapper, "on_commit", on_commit)
        self._patches.set(Atomic, "__enter__", enter)
        self._patches.set(Atomic, "__exit__", leave)

    def uninstall(self) -> None:
        """Put everything back, what waits on connections included."""
        self._patches.restore()
        self._commits, self._ended = _not_installed, _not_installed
        for connection in self._connections():
            for position, (sids, function, robust) in enumerate(connection.run_on_commit):
                if isinstance(function, CommitHook) and function.waits():
                    connection.run_on_commit[position] = (sids, function.function, robust)
        self._hooks, self._inside = [], []
        self._openers.clear()

    def open_here(self) -> str | None:
        """Return the database in an atomic block of this thread that no test case opened, as text."""
        for connection in _connections_here():
            if self._own_blocks(connection):
                return f"an atomic block of {connection.alias!r}"
        return None

    def callbacks(self) -> Sequence[CommitCallback]:
        """Return what was registered, in order."""
        self._adopt()
        listed = {
            id(function)
            for connection in self._connections()
            for _, function, _ in connection.run_on_commit
        }
        return [hook.describe(listed=id(hook) in listed) for hook in self._hooks]

    def commit(self) -> None:
        """Call what waits on the connections of this thread.

        Raises:
            CommitError: when all that waits is on connections of other threads.
            BaseException: what a callback raised that is not robust.
        """
        self._adopt()
        waiting = [hook for hook in self._hooks if hook.waits()]
        here = {id(connection) for connection in _connections_here()}
        ours = [hook for hook in waiting if id(hook.connection) in here]
        if waiting and not ours:
            shown = ", ".join(hook.describe(listed=True).text for hook in waiting[:3])
            raise CommitError(
                f"jobs.commit() found nothing on the database connections of this thread, while {shown} waits on "
                "those of another: connections belong to threads. In an async test write `await jobs.acommit()`; "
                "otherwise commit in the thread that registered it."
            )
        token = _committing.set(True)
        try:
            run_in_order(ours)
        finally:
            _committing.reset(token)

    async def acommit(self) -> None:
        """Call what waits in the thread in which Django runs synchronous code."""
        from asgiref.sync import sync_to_async

        await sync_to_async(self.commit)()

    def _register(
        self,
        connection: BaseDatabaseWrapper,
        function: Callable[[], object],
        robust: bool,
        genuine: Callable[..., None],
    ) -> None:
        hook = CommitHook(
            connection,
            function,
            robust=robust,
            registered_at=calling_line(_PASSING_ON),
            record=current_record.get(),
            fires=self._commits() or _committing.get(),
        )
        self._hooks.append(hook)
        try:
            genuine(connection, hook, robust)
        except BaseException:
            if not hook.ran:
                hook.drop("since it was refused")
            raise
        if self._own_blocks(connection):
            with self._lock:
                self._inside.append(hook)
        elif hook.fires and not hook.ran:
            hook.run()

    def _block_ended(self, connection: BaseDatabaseWrapper) -> None:
        """Note what became of hooks, and call those that fire, when no own block is open any more."""
        self._openers.get(connection, {}).pop(len(connection.atomic_blocks) + 1, None)
        if self._own_blocks(connection):
            note_rollbacks(hook for hook in self._inside if hook.connection is connection)
            return
        hooks: list[CommitHook] = []
        if self._inside:
            record = current_record.get()
            with self._lock:
                hooks = [
                    hook
                    for hook in self._inside
                    if hook.connection is connection and hook.record is record
                ]
                # By identity: hooks of one callback are equal.
                ended = set(map(id, hooks))
                self._inside = [hook for hook in self._inside if id(hook) not in ended]
        if not connection.in_atomic_block:
            note_commit(hooks)
        elif connection.needs_rollback:
            # The block failed, and has no savepoint to go back to.
            for hook in hooks:
                hook.drop(ROLLED_BACK)
        else:
            note_rollbacks(hooks)
        try:
            run_in_order([hook for hook in hooks if hook.fires and hook.waits()])
        finally:
            if self.open_here() is None:
                self._ended()

    def _own_blocks(self, connection: BaseDatabaseWrapper) -> int:
        """Return how many open atomic blocks belong to the job that runs, or else to the test."""
        record = current_record.get()
        openers = self._openers.get(connection, {})
        blocks = connection.atomic_blocks
        for depth in range(len(blocks), 0, -1):
            others = record is not None and openers.get(depth) is not record
            if others or _is_of_test_case(blocks[depth - 1]):
                return len(blocks) - depth
        return len(blocks)

    def _connections(self) -> Iterable[Any]:
        """Return the connections that have hooks."""
        return {id(hook.connection): hook.connection for hook in self._hooks}.values()

    def _adopt(self) -> None:
        """Wrap the callbacks that the test registered before the harness was opened."""
        adopted: list[CommitHook] = []
        for connection in _connections_here():
            for position, (sids, function, robust) in _of_this_test(connection):
                if not isinstance(function, CommitHook):
                    hook = CommitHook(
                        connection,
                        function,
                        robust=robust,
                        registered_at="",
                        record=None,
                        fires=False,
                    )
                    connection.run_on_commit[position] = (sids, hook, robust)
                    adopted.append(hook)
        self._hooks[:0] = adopted


def _not_installed() -> bool:
    """Answer instead of the harness, while there is none."""
    return False


def _connections_here() -> list[Any]:
    """Return the connections that this thread has."""
    found: list[Any] = connections.all(initialized_only=True)
    return found


def _is_of_test_case(block: Atomic) -> bool:
    """Say whether Django's TestCase opened a block, which it rolls back at its end."""
    return bool(block._from_testcase)


def _of_this_test(connection: Any) -> Iterator[tuple[int, Any]]:
    """Yield the callbacks that were registered since the test began, without those of `setUpTestData`."""
    blocks = connection.atomic_blocks
    of_test_case = [place for place, block in enumerate(blocks) if _is_of_test_case(block)]
    if not of_test_case:
        return
    # The outermost block has no savepoint, unless autocommit was off.
    without_savepoint = len(blocks) - len(connection.savepoint_ids)
    place = of_test_case[-1] - without_savepoint
    sid = connection.savepoint_ids[place] if place >= 0 and len(of_test_case) > 1 else None
    for position, entry in enumerate(connection.run_on_commit):
        if sid is None or sid in entry[0]:
            yield position, entry
