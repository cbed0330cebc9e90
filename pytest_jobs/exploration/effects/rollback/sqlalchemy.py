"""Sessions of SQLAlchemy, which a registry may keep after a delivery was killed."""

from __future__ import annotations

import contextlib
import functools
from typing import Any
from weakref import WeakSet

from sqlalchemy import event
from sqlalchemy.orm import Session
from sqlalchemy.orm.session import _sessions

from ....harness.records.patches import Patches
from ...engine.acts import watcher
from .connections import Delivery


class Sessions:
    """The sessions of SQLAlchemy, which keep objects that nobody has written yet."""

    def __init__(self, patches: Patches) -> None:
        self.used: WeakSet[Any] = WeakSet()

        def note(session: Any, *args: Any) -> None:
            if watcher.get() is not None:
                self.used.add(session)

        for name in ("after_transaction_create", "after_begin", "after_attach"):
            event.listen(Session, name, note)
            patches.undo_by(functools.partial(event.remove, Session, name, note))

    def begin(self) -> Delivery:
        self.used.clear()
        return _SessionsOfDelivery(self.used)


class _SessionsOfDelivery:
    """The sessions that one delivery uses, but for those in which the test has unsaved work."""

    def __init__(self, used: WeakSet[Any]) -> None:
        self._used = used
        self._of_test: WeakSet[Any] = WeakSet(
            session
            for session in list(_sessions.values())
            if session.new or session.dirty or session.deleted
        )

    def ended(self, *, dead: bool) -> None:
        for session in list(self._used) if dead else ():
            if session not in self._of_test:
                # The `finally` that removes it from a scoped_session does not run, nor does it in a dead process.
                with contextlib.suppress(Exception):
                    session.rollback()
