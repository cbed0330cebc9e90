"""Django's transactions: `on_commit` in tests that never commit."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
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
from ...harness.records.record import JobRecord, current_record
from ...harness.records.versions import KnownVersions
from .hooks import CommitHook, note_commit, note_end, note_rollbacks, run_in_order

_KNOWN: Final = KnownVersions("Django", (4, 2), (6, 1))
#: The packages between an application and `on_commit`.
_PASSING_ON: Final = frozenset(
    ("asgiref", "celery", "contextlib", "django", "django_tasks", "functools", "pytest_jobs")
)
#: Whether `commit` is calling hooks: what they register is called at once.
_committing: ContextVar[bool] = ContextVar("pytest_jobs_committing", default=False)


def transactions() -> Transactions:
    """Return a new watcher of Django's transactions.

    Raises:
        UnknownVersionError: when this Django is not one that is known.
    """
    return DjangoTransactions()


class DjangoTransactions:
    """Keeps what `on_commit` registers, and calls it when a commit would come in production."""

    name = "django"

    def __init__(self) -> None:
        _KNOWN.check(django.get_version())
        self._patches = Patches()
        self._hooks: list[CommitHook] = []
        #: Those whose transaction has not ended yet.
        self._inside: list[CommitHook] = []
        self._lock = threading.Lock()
        #: Of each connection, by how many blocks it has, the job that opened the last of them.
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
        self._patches.set(
            BaseDatabaseWrapper, "on_commit", self._registering(BaseDatabaseWrapper.on_commit)
        )
        self._patches.set(Atomic, "__enter__", self._entering(Atomic.__enter__))
        self._patches.set(Atomic, "__exit__", self._exiting(Atomic.__exit__))

    def uninstall(self) -> None:
        """Put everything back, what waits on connections included."""
        self._patches.restore()
        self._commits, self._ended = _not_installed, _not_installed
        for connection in {id(hook.connection): hook.connection for hook in self._hooks}.values():
            _unwrap(connection)
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
            for connection in {
                id(hook.connection): hook.connection for hook in self._hooks
            }.values()
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
            raise CommitError(_elsewhere(waiting))
        with _commit_going_on():
            run_in_order(ours)

    async def acommit(self) -> None:
        """Call what waits in the thread in which Django runs synchronous code."""
        from asgiref.sync import sync_to_async

        await sync_to_async(self.commit)()

    # What takes the place of Django's methods

    def _registering(self, genuine: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(genuine)
        def on_commit(connection: BaseDatabaseWrapper, func: Any, robust: bool = False) -> None:
            if isinstance(func, CommitHook) or not callable(func):
                genuine(connection, func, robust)
            else:
                self._register(connection, func, robust, genuine)

        return on_commit

    def _entering(self, genuine: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(genuine)
        def enter(atomic: Atomic) -> None:
            genuine(atomic)
            record = current_record.get()
            if record is not None:
                connection = get_connection(atomic.using)
                depth = len(connection.atomic_blocks)
                self._openers.setdefault(connection, {})[depth] = record

        return enter

    def _exiting(self, genuine: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(genuine)
        def leave(atomic: Atomic, *raised: Any) -> None:
            if _is_of_test_case(atomic):
                self._test_case_ends(get_connection(atomic.using))
            try:
                genuine(atomic, *raised)
            finally:
                self._block_ended(get_connection(atomic.using))

        return leave

    # What they do

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

    def _test_case_ends(self, connection: BaseDatabaseWrapper) -> None:
        for hook in self._hooks:
            if hook.connection is connection and hook.waits():
                hook.leave()

    def _block_ended(self, connection: BaseDatabaseWrapper) -> None:
        self._openers.get(connection, {}).pop(len(connection.atomic_blocks) + 1, None)
        if self._own_blocks(connection):
            note_rollbacks(hook for hook in self._inside if hook.connection is connection)
            return
        hooks = self._take_inside(connection, current_record.get())
        if connection.in_atomic_block:
            note_end(hooks, rolled_back=connection.needs_rollback)
        else:
            note_commit(hooks)
        try:
            run_in_order([hook for hook in hooks if hook.fires and hook.waits()])
        finally:
            if self.open_here() is None:
                self._ended()

    def _take_inside(
        self, connection: BaseDatabaseWrapper, record: JobRecord | None
    ) -> list[CommitHook]:
        """Return the hooks whose transaction has just ended."""
        if not self._inside:
            return []
        taken: list[CommitHook] = []
        left: list[CommitHook] = []
        with self._lock:
            for hook in self._inside:
                ended = hook.connection is connection and hook.record is record
                (taken if ended else left).append(hook)
            self._inside = left
        return taken

    def _own_blocks(self, connection: BaseDatabaseWrapper) -> int:
        """Return how many atomic blocks are open that belong to what runs: a job, or the test."""
        record = current_record.get()
        openers = self._openers.get(connection, {})
        blocks = connection.atomic_blocks
        for depth in range(len(blocks), 0, -1):
            others = record is not None and openers.get(depth) is not record
            if others or _is_of_test_case(blocks[depth - 1]):
                return len(blocks) - depth
        return len(blocks)

    def _adopt(self) -> None:
        """Take over what the test registered before the harness was opened."""
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
    """Stand in for the harness while there is none."""
    return False


@contextmanager
def _commit_going_on() -> Generator[None, None, None]:
    token = _committing.set(True)
    try:
        yield
    finally:
        _committing.reset(token)


def _connections_here() -> list[Any]:
    """Return the connections that this thread has."""
    found: list[Any] = connections.all(initialized_only=True)
    return found


def _is_of_test_case(block: Atomic) -> bool:
    """Say whether Django's TestCase opened a block, to roll it back at the end."""
    return bool(block._from_testcase)


def _of_this_test(connection: Any) -> Iterator[tuple[int, Any]]:
    """Go through what was registered since the test began; `setUpTestData` came before that."""
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


def _unwrap(connection: Any) -> None:
    """Leave the callbacks that wait as they were registered."""
    for position, (sids, function, robust) in enumerate(connection.run_on_commit):
        if isinstance(function, CommitHook) and function.waits():
            connection.run_on_commit[position] = (sids, function.function, robust)


def _elsewhere(waiting: Sequence[CommitHook]) -> str:
    shown = ", ".join(hook.describe(listed=True).text for hook in waiting[:3])
    return (
        f"jobs.commit() found nothing on the database connections of this thread, while {shown} waits on those "
        "of another: connections belong to threads. In an async test write `await jobs.acommit()`; otherwise "
        "commit in the thread that registered it."
    )
