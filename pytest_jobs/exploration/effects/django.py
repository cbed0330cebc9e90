"""What jobs do to databases by Django's ORM."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any, Final
from weakref import WeakKeyDictionary

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.utils import DatabaseError, OperationalError

from ...harness.records.patches import Patches
from ..engine.acts import (
    Act,
    ActWatcher,
    looking,
    note_connection,
    perform_act,
    refuse_delivery,
    watcher,
)
from ..engine.watching import Watch
from .statements import changes, is_busy, shown

library: Final = "django.db.backends.utils"

#: Of PostgreSQL: lets no connection wait for a lock whose holder is suspended; sqlite does not wait anyway.
_NO_WAITING: Final = "SET lock_timeout = '10ms'"
_IN_MEMORY: Final = (
    "The job uses the database {alias!r}, which is in memory: it ends with its connection, so no worker can be "
    "killed there and no second one can have a connection of its own. Build a database in the world, in a file "
    "for each history: `with django_world(models=[...], using={alias!r}) as database:`."
)
_OF_TEST: Final = (
    "The job uses the connection to the database {alias!r} on which the test holds a transaction, so that it "
    "would be the test's work that is rolled back when a worker is killed. Build a database in the world: `with "
    "django_world(models=[...], using={alias!r}) as database:`. Its rows are those of `rows=`, not of the test."
)


def install(patches: Patches) -> None:
    """Hear of the statements and commits of every connection, of those too that are open already."""
    connections = _Connections()
    patches.set(
        BaseDatabaseWrapper,
        "ensure_connection",
        connections.ensuring(BaseDatabaseWrapper.ensure_connection),
    )
    patches.set(BaseDatabaseWrapper, "_commit", _committing(BaseDatabaseWrapper._commit))
    patches.set(BaseDatabaseWrapper, "on_commit", _registering(BaseDatabaseWrapper.on_commit))
    for name in ("execute", "executemany"):
        patches.set(CursorWrapper, name, _executing(getattr(CursorWrapper, name)))
    patches.set(CursorWrapper, "callproc", _calling(CursorWrapper.callproc))


class _Connections:
    """Takes note of the connections that each delivery uses."""

    def __init__(self) -> None:
        self._noted: WeakKeyDictionary[ActWatcher, list[Any]] = WeakKeyDictionary()
        self._opening: set[int] = set()

    def ensuring(self, genuine: Callable[[Any], None]) -> Callable[[Any], None]:
        """Return what takes the place of `ensure_connection`, through which every use goes."""

        @functools.wraps(genuine)
        def ensure_connection(wrapper: Any) -> None:
            current = watcher.get()
            # Opening asks again whether there is a connection.
            if current is None or id(wrapper) in self._opening:
                genuine(wrapper)
                return
            if not isinstance(current, Watch):
                self._open_in_test(wrapper, genuine)
                return
            _check_outlives(wrapper)
            raw = wrapper.connection
            if raw is not None and not self._is_known(raw):
                _leave(wrapper)
            if wrapper.connection is None:
                self._open(wrapper, genuine)
            self._note(current, wrapper)

        return ensure_connection

    def _open(self, wrapper: Any, genuine: Callable[[Any], None]) -> None:
        self._opening.add(id(wrapper))
        try:
            with looking(_is_busy):
                genuine(wrapper)
        finally:
            self._opening.discard(id(wrapper))

    def _open_in_test(self, wrapper: Any, genuine: Callable[[Any], None]) -> None:
        """Leave the connections of a test alone that goes on when a delivery in it has died."""
        if wrapper.connection is not None:
            genuine(wrapper)
            return
        self._open(wrapper, genuine)
        if not _is_in_memory(wrapper):
            raw = wrapper.connection
            note_connection(lambda: _die(wrapper, raw))

    def _is_known(self, raw: Any) -> bool:
        """Say whether a delivery has used a connection."""
        return any(raw is known for noted in list(self._noted.values()) for known in noted)

    def _note(self, current: ActWatcher, wrapper: Any) -> None:
        raw = wrapper.connection
        noted = self._noted.setdefault(current, [])
        if any(raw is known for known in noted):
            return
        noted.append(raw)
        note_connection(lambda: _die(wrapper, raw), shared=raw)
        if wrapper.vendor == "postgresql":
            with looking(), closing(raw.cursor()) as cursor:
                cursor.execute(_NO_WAITING)


def _leave(wrapper: Any) -> None:
    """Leave a connection that was open before the delivery: a worker opens its own."""
    if wrapper.in_atomic_block:
        refuse_delivery(_OF_TEST.format(alias=wrapper.alias))
    wrapper.close()


def _check_outlives(wrapper: Any) -> None:
    """Refuse a database that is gone with its connection."""
    if _is_in_memory(wrapper):
        refuse_delivery(_IN_MEMORY.format(alias=wrapper.alias))


def _is_in_memory(wrapper: Any) -> bool:
    return bool(wrapper.vendor == "sqlite" and wrapper.is_in_memory_db())


def _executing(genuine: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(genuine)
    def execute(cursor: Any, sql: Any, *args: Any, **kwargs: Any) -> Any:
        return _statement(cursor.db, sql, lambda: genuine(cursor, sql, *args, **kwargs))

    return execute


def _calling(genuine: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(genuine)
    def callproc(cursor: Any, procname: str, *args: Any, **kwargs: Any) -> Any:
        act = _act(cursor.db, f"CALL {procname}")
        return perform_act(act, lambda: genuine(cursor, procname, *args, **kwargs))

    return callproc


def _committing(genuine: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @functools.wraps(genuine)
    def commit(wrapper: Any) -> Any:
        if wrapper.connection is None:
            return genuine(wrapper)
        return perform_act(_act(wrapper, "COMMIT", ends=True), lambda: genuine(wrapper))

    return commit


def _registering(genuine: Callable[..., None]) -> Callable[..., None]:
    """Return Django's own `on_commit`, for deliveries: what they register is none of the test's."""
    of_django = inspect.unwrap(genuine)

    @functools.wraps(genuine)
    def on_commit(wrapper: Any, func: Any, robust: bool = False) -> None:
        register = of_django if isinstance(watcher.get(), Watch) else genuine
        register(wrapper, func, robust)

    return on_commit


def _statement(wrapper: Any, sql: Any, do: Callable[[], Any]) -> Any:
    if watcher.get() is None:
        return do()
    text = str(sql)
    if text.lower().startswith("rollback"):
        # Also of a delivery that is dead: a savepoint may lie in the transaction of a test.
        return do()
    if not changes(text):
        with looking(_is_busy):
            return do()
    named = shown(text.replace('"', ""))
    return perform_act(_act(wrapper, named, ends=not wrapper.in_atomic_block), do)


def _act(wrapper: Any, text: str, *, ends: bool = False) -> Act:
    """Return an act; one that ends a transaction stays done although its answer is lost."""
    if wrapper.vendor == "sqlite":
        return Act(
            "django", text, counts=False, refused=_disk_error, answer_lost=None, busy=_is_busy
        )

    def lose() -> Exception:
        return _lost(wrapper)

    return Act(
        "django",
        text,
        counts=False,
        refused=lose,
        answer_lost=lose if ends else None,
        busy=_is_busy,
    )


def _is_busy(error: BaseException) -> bool:
    if not isinstance(error, DatabaseError):
        return False
    cause = error.__cause__
    return (cause is not None and is_busy(cause)) or (
        isinstance(error, OperationalError) and "locked" in str(error)
    )


def _disk_error() -> Exception:
    return _operational_error("disk I/O error")


def _operational_error(text: str) -> Exception:
    error: Exception = OperationalError(text)
    return error


def _lost(wrapper: Any) -> Exception:
    """Cut the connection to a server, which rolls back what is not committed, and return its error."""
    with suppress(Exception):
        wrapper.connection.close()
    wrapper.errors_occurred = True
    return _operational_error("server closed the connection unexpectedly")


def _die(wrapper: Any, raw: Any) -> None:
    """End a connection as the kernel does, and leave what Django keeps of it as in a new process."""
    try:
        # Those of sqlite know how, where they are heard of.
        getattr(raw, "die", raw.close)()
        pool = getattr(raw, "_pool", None)
        if pool is not None:
            pool.putconn(raw)
    finally:
        if wrapper.connection is raw:
            wrapper.connection = None
            wrapper.run_on_commit = []
            wrapper.savepoint_ids = []
            wrapper.atomic_blocks = []
            wrapper.in_atomic_block = False
            wrapper.needs_rollback = False
            wrapper.closed_in_transaction = False
