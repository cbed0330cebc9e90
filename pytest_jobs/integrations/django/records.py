"""Django for the core: models as records in arguments, and open atomic blocks for jobs that wait for a commit."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model
from django.db.models.signals import post_save

from ...core.arguments.records import Reference, UnitOfWork
from ...core.foundation.protocols import CommitWait, TransactionSource

_NOT_COMMITTED: Final = "by a rollback, or since a callback of on_commit raised before it"


def source() -> TransactionSource:
    """Return what knows the atomic blocks that are open."""
    return AtomicBlocks()


class OpenAtomicBlock:
    """A connection inside an atomic block."""

    #: What was written through the connection is not known.
    changed = True

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection

    @property
    def using(self) -> str:
        return str(self._connection.alias)

    @property
    def text(self) -> str:
        return f"an atomic block of {self.using!r}"

    def when_ended(self, wait: CommitWait) -> None:
        callback = partial(wait.committed)
        # Django does not report a rollback. It forgets the callbacks, which nobody else keeps, so they are freed.
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
            if any(
                not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks
            )
        ]


def reference_of(cls: type) -> Reference | None:
    """Return how to find the records of a class, if it is a model of an installed application."""
    options = getattr(cls, "_meta", None)
    if (
        not issubclass(cls, Model)
        or options is None
        or options.abstract
        or options.apps is not apps
    ):
        return None
    return Reference(cls, _identify, partial(_find, cls), partial(_afind, cls))


def call_when_created(cls: type, call: Callable[[object], None]) -> bool:
    """Call a function with each new record of a model, inside its transaction; return whether it is a model."""
    if reference_of(cls) is None:
        return False

    def saved(*, instance: object, created: bool, raw: bool, **more: object) -> None:
        # A raw record comes out of a fixture file: it is no news.
        if created and not raw and isinstance(instance, cls):
            call(instance)

    # Without a sender, since a signal of a model is not sent for those that derive from it.
    post_save.connect(saved, weak=False)
    return True


def _identify(record: Any) -> object:
    """Return the primary key, with the alias of another database than the default; None without a row."""
    key = record.pk
    if key is None or record._state.adding:
        return None
    using = router.db_for_write(type(record), instance=record)
    # A key of several fields is a tuple itself.
    return (key, using) if using != DEFAULT_DB_ALIAS or isinstance(key, tuple) else key


def _find(cls: Any, identifier: object, unit: UnitOfWork) -> object:
    key, using = _place_of(identifier)
    try:
        return cls._base_manager.using(using).get(pk=key)
    except cls.DoesNotExist:
        return None


async def _afind(cls: Any, identifier: object, unit: UnitOfWork) -> object:
    key, using = _place_of(identifier)
    try:
        return await cls._base_manager.using(using).aget(pk=key)
    except cls.DoesNotExist:
        return None


def _place_of(identifier: object) -> tuple[Any, str]:
    return identifier if isinstance(identifier, tuple) else (identifier, DEFAULT_DB_ALIAS)
