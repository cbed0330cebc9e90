"""What jobs do to databases by Django's ORM."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.utils import OperationalError
from django.dispatch import Signal

from ...harness.records.patches import Patches
from ..engine.acts import Act, acting, looking, note_connection, refuse_delivery, watcher
from .sql.basis.driver import driver_of
from .sql.basis.statements import act_of, changes, is_busy, shown, transaction_of
from .wrapping import OfDelivery, replace_in_check, surround

library: Final = "django.db.backends.utils"

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
    """Watch the statements and commits of every connection, also of those that are open already.

    Every use of a connection begins with `ensure_connection`. Every statement goes through `CursorWrapper`,
    also with DEBUG, where a subclass of it logs. All commits end in `_commit`.
    """
    ensure, on_commit = BaseDatabaseWrapper.ensure_connection, BaseDatabaseWrapper.on_commit
    replace_in_check(patches, BaseDatabaseWrapper, "ensure_connection", _Connections(ensure).ensure)
    # The harness may have replaced `on_commit` to follow the transactions of the test. Callbacks of
    # an explored delivery belong to its own worker, so they go to Django alone.
    replace_in_check(
        patches, BaseDatabaseWrapper, "on_commit", _registering(inspect.unwrap(on_commit))
    )
    replace_in_check(patches, Signal, "_live_receivers", _receiving(Signal._live_receivers))
    surround(patches, BaseDatabaseWrapper, "_commit", _commit)
    surround(patches, CursorWrapper, "execute", _statement)
    surround(patches, CursorWrapper, "executemany", _statement)
    surround(
        patches,
        CursorWrapper,
        "callproc",
        lambda cursor, procname, *args, **kwargs: acting(_act(cursor.db, f"CALL {procname}")),
    )


def _registering(on_commit: Callable[..., None]) -> Callable[..., None]:
    """Return `on_commit`, so that it is known which points are those of a callback."""

    def register(wrapper: Any, func: Callable[[], object], robust: bool = False) -> None:
        @functools.wraps(func)
        def called() -> None:
            current = watcher.get()
            with nullcontext() if current is None else current.calling_back():
                func()

        on_commit(wrapper, called if callable(func) else func, robust)

    return register


def _receiving(live_receivers: Callable[..., Any]) -> Callable[..., Any]:
    """Return `_live_receivers` of signals, which marks the points inside of receivers of the project."""

    def known(receiver: Callable[..., Any]) -> Callable[..., Any]:
        current = watcher.get()
        if current is None or not current.is_traced(receiver):
            return receiver

        @functools.wraps(receiver)
        def received(*args: Any, **kwargs: Any) -> Any:
            with current.calling_back():
                return receiver(*args, **kwargs)

        return received

    def found(signal: Signal, sender: object) -> Any:
        # Before Django 5.0 there are no receivers that are awaited.
        receivers = live_receivers(signal, sender)
        if isinstance(receivers, tuple):
            return [known(each) for each in receivers[0]], receivers[1]
        return [known(each) for each in receivers]

    return found


class _Connections:
    """Gives each explored delivery connections of its own, and notes which it uses."""

    def __init__(self, ensure_connection: Callable[[Any], None]) -> None:
        self._ensure_connection = ensure_connection
        self._noted: OfDelivery[list[Any]] = OfDelivery(list)
        self._opening: set[int] = set()

    def ensure(self, wrapper: Any) -> None:
        if id(wrapper) in self._opening:
            # Opening a connection calls this again.
            self._ensure_connection(wrapper)
            return
        if _is_in_memory(wrapper):
            refuse_delivery(_IN_MEMORY.format(alias=wrapper.alias))
        known = [raw for used in self._noted.all() for raw in used]
        if wrapper.connection is not None and not _is_among(known, wrapper.connection):
            # It was open before the deliveries began: a worker opens its own.
            if wrapper.in_atomic_block:
                refuse_delivery(_OF_TEST.format(alias=wrapper.alias))
            # Close what the world has opened, and not what stands in for it in a delivery.
            if hasattr(wrapper.connection, "leave_world"):
                wrapper.connection.leave_world()
            wrapper.close()
        if wrapper.connection is None:
            self._opening.add(id(wrapper))
            try:
                with looking(is_busy):
                    self._ensure_connection(wrapper)
            finally:
                self._opening.discard(id(wrapper))
        raw: Any = wrapper.connection
        used = self._noted.mine()
        if _is_among(used, raw):
            return
        used.append(raw)
        note_connection(functools.partial(_die, wrapper, raw), shared=raw)
        driver_of(raw).limit(raw)


def _is_among(connections: list[Any], raw: Any) -> bool:
    return any(raw is connection for connection in connections)


def _is_in_memory(wrapper: Any) -> bool:
    return bool(wrapper.vendor == "sqlite" and wrapper.is_in_memory_db())


def _statement(cursor: Any, sql: Any, *args: Any, **kwargs: Any) -> AbstractContextManager[None]:
    wrapper = cursor.db
    driver_of(wrapper.connection).note_tables(wrapper.connection, sql)
    if watcher.get() is None:
        return nullcontext()
    text = str(sql)
    if text.lower().startswith("rollback"):
        # A dead delivery may do this as well: it leaves its blocks.
        return nullcontext()
    if not changes(text):
        return looking(is_busy, transaction_of(wrapper.connection))
    return acting(_act(wrapper, shown(text.replace('"', "")), commits=not wrapper.in_atomic_block))


def _commit(wrapper: Any) -> AbstractContextManager[None]:
    nothing_open = wrapper.connection is None
    return acting(None if nothing_open else _act(wrapper, "COMMIT", commits=True))


def _act(wrapper: Any, text: str, *, commits: bool = False) -> Act:
    driver = driver_of(wrapper.connection)

    def failed() -> Exception:
        broken = driver.lost(wrapper.connection)
        wrapper.errors_occurred = wrapper.errors_occurred or driver.has_server
        error: Exception = OperationalError(*broken.args)
        return error

    commits = commits and driver.has_server
    transaction = transaction_of(wrapper.connection)
    return act_of("django", text, failed, commits=commits, transaction=transaction)


def _die(wrapper: Any, raw: Any) -> None:
    """End a connection, and reset what Django keeps of it, as in a new process."""
    try:
        driver_of(raw).die(raw)
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
