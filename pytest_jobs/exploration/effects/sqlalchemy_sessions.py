"""The sessions of SQLAlchemy: each belongs to the delivery that uses it, and ends with it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakKeyDictionary

from ...harness.records.patches import Patches
from ..engine.acts import is_explored, note_connection, refuse_delivery, watcher

library: Final = "sqlalchemy.orm"

_FOREIGN: Final = (
    "The job used a session of SQLAlchemy that another delivery is in the middle of using: each delivery is a "
    "process of its own, which cannot have it. Make it within the job, with `with Session() as session`, or keep "
    "it in a scoped_session, which makes one for each worker."
)
_BEGINS: Final = "after_transaction_create"
#: Whatever a job does to a session begins with one of these.
_USES: Final = (
    *(
        "add",
        "commit",
        "connection",
        "delete",
        "execute",
        "flush",
        "get",
        "merge",
        "query",
        "refresh",
    ),
    *("scalar", "scalars"),
)


def install(patches: Patches) -> None:
    """Hear of each transaction of a session, of each query, and of what keeps sessions for threads or tasks."""
    from sqlalchemy import event
    from sqlalchemy.orm import Session
    from sqlalchemy.util import ScopedRegistry, ThreadLocalRegistry

    owners = _Owners()
    event.listen(Session, _BEGINS, owners.began)
    patches.undo_by(functools.partial(event.remove, Session, _BEGINS, owners.began))
    for name in _USES:
        patches.set(Session, name, owners.using(vars(Session)[name]))
    for registry in (ScopedRegistry, ThreadLocalRegistry):
        patches.set(registry, "__call__", owners.asking(vars(registry)["__call__"]))


class _Owners:
    """Which delivery uses which session."""

    def __init__(self) -> None:
        self._of: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
        self._asked: WeakKeyDictionary[Any, set[int]] = WeakKeyDictionary()

    def began(self, session: Any, transaction: Any) -> None:
        """Let a session belong to the delivery that begins with it."""
        current = watcher.get()
        if not is_explored() or transaction.parent is not None:
            return
        self._check(session)
        self._of[session] = current
        note_connection(functools.partial(self._end, session))

    def using(self, use: Callable[..., Any]) -> Callable[..., Any]:
        """Return a method that refuses a session of another delivery."""

        @functools.wraps(use)
        def used(session: Any, *args: Any, **kwargs: Any) -> Any:
            if is_explored():
                self._check(session)
            return use(session, *args, **kwargs)

        return used

    def asking(self, ask: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Return what lets a registry forget the session that it made for a delivery."""

        @functools.wraps(ask)
        def asked(registry: Any) -> Any:
            current = watcher.get()
            if is_explored():
                known = self._asked.setdefault(current, set())
                if id(registry) not in known:
                    known.add(id(registry))
                    note_connection(registry.clear)
            return ask(registry)

        return asked

    def _check(self, session: Any) -> None:
        current = watcher.get()
        if self._of.get(session, current) is not current:
            refuse_delivery(_FOREIGN)

    def _end(self, session: Any) -> None:
        """Forget what a session knows, since its process has ended; its connection has.

        In the middle of writing it cannot be closed, and nobody else can use it.
        """
        if not session._flushing:
            session.close()
            self._of.pop(session, None)
