"""The sessions of SQLAlchemy whose transactions are open, for jobs that wait for their commit.

`Sessions` listens to the events of every session, and keeps a `SessionWatch` for each.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from pathlib import PurePath
from typing import Final

from sqlalchemy import event
from sqlalchemy.orm import (
    ORMExecuteState,
    Session,
    SessionTransaction,
    SessionTransactionOrigin,
    session as session_module,
)

from ...core.arguments.records import UnitOfWork, units
from ...core.foundation.protocols import CommitWait, TransactionSource
from ...errors import CommitError

#: The sessions that were used in this context: in this thread or task, or before it was started.
_used_here: ContextVar[tuple[SessionWatch, ...]] = ContextVar(
    "pytest_jobs_sqlalchemy_sessions", default=()
)


def source() -> TransactionSource:
    """Return what knows the sessions of the process; it listens to them from the first call on."""
    sessions.listen()
    return sessions


class SessionWatch:
    """What is known about one session, over all of its transactions."""

    __slots__ = (
        "__weakref__",
        "_changed",
        "_committed",
        "_early",
        "_session",
        "_waiting",
        "_when_written",
        "using",
    )

    def __init__(self, session: Session) -> None:
        self._session = weakref.ref(session, self._thrown_away)
        #: The name of its database; `session` for a session with several databases.
        self.using = "session"
        if session.bind is not None:
            url = session.bind.engine.url
            self.using = PurePath(url.database).name if url.database else url.drivername
        self._changed = False
        self._committed = False
        self._when_written: list[Callable[[], None]] = []
        #: The jobs that wait, with the savepoint or the transaction in which each was enqueued: by a weak
        #: reference, since a transaction keeps its session alive.
        self._waiting: list[tuple[weakref.ref[SessionTransaction], CommitWait]] = []
        #: Those of them that came when nothing was written: if nothing is, their delivery decides.
        self._early: list[tuple[UnitOfWork, CommitWait]] = []

    @property
    def text(self) -> str:
        return f"the transaction of a session of {self.using!r}"

    @property
    def changed(self) -> bool:
        """Whether it has written, or is to write."""
        session = self._session()
        if session is None:
            return False
        return self._changed or bool(session.new or session.deleted or session.dirty)

    @property
    def is_open(self) -> bool:
        """Whether it has a transaction that the application began, or in which it writes."""
        session = self._session()
        return session is not None and session.in_transaction() and not self.is_idle

    @property
    def transaction(self) -> SessionTransaction | None:
        """The transaction of the session, without its savepoints."""
        session = self._session()
        return None if session is None else session.get_transaction()

    @property
    def is_idle(self) -> bool:
        """Whether it has a transaction that began by itself, and in which nothing was written."""
        session, transaction = self._session(), self.transaction
        if session is None or transaction is None:
            return False
        begun = transaction.origin is not SessionTransactionOrigin.AUTOBEGIN
        return not (begun or session.in_nested_transaction() or self.changed)

    def when_ended(self, wait: CommitWait) -> None:
        """Let a job wait for the innermost savepoint, or for the transaction."""
        session = self._session()
        inner = session and (session.get_nested_transaction() or session.get_transaction())
        if inner is None:
            wait.dropped(_THROWN_AWAY)
            return
        if self.is_idle and (unit := units.here()) is not None:
            unit.decide(IdleTransaction(self, inner), wait)
            self._early.append((unit, wait))
        self._waiting.append((weakref.ref(inner), wait))

    @property
    def has_only_read(self) -> bool:
        """Whether it has a transaction, and has written nothing in it so far."""
        session = self._session()
        return session is not None and session.in_transaction() and not self.changed

    def when_written(self, call: Callable[[], None]) -> None:
        """Call a function if the transaction writes."""
        self._when_written.append(call)

    # What happens to the session

    def writes(self) -> None:
        """Note that it writes."""
        self._changed = True
        calls, self._when_written = self._when_written, []
        for call in calls:
            call()

    def commits(self) -> None:
        """Note that its innermost transaction has committed, and is about to end."""
        self._committed = True

    def ended(self, transaction: SessionTransaction) -> None:
        """Send or drop the jobs that waited for a transaction, or a savepoint, that has ended.

        Raises:
            BaseException: the first error of an adapter, after all jobs were sent.
        """
        outer = transaction.parent
        committed, self._committed = self._committed, False
        decided = self._decided_by_deliveries()
        if outer is None:
            self._early = []
            self._changed = False
            self._when_written = []
        mine = [wait for inner, wait in self._waiting if inner() is transaction]
        self._waiting = [entry for entry in self._waiting if entry[0]() is not transaction]
        if not committed:
            for wait in mine:
                if wait not in decided:
                    wait.dropped()
        elif outer is None:
            _commit_all(mine)
        else:
            # Wait for the savepoint around it, or for the whole transaction. A flush has a transaction of its own,
            # which is neither.
            while outer.parent is not None and not outer.nested:
                outer = outer.parent
            self._waiting += [(weakref.ref(outer), wait) for wait in mine]

    def _thrown_away(self, reference: weakref.ref[Session]) -> None:
        waiting, self._waiting = self._waiting, []
        decided = self._decided_by_deliveries()
        for _, wait in waiting:
            if wait not in decided:
                wait.dropped(_THROWN_AWAY)

    def _decided_by_deliveries(self) -> list[CommitWait]:
        """Return the jobs about which a delivery decides, since nothing was written."""
        return [] if self._changed else [wait for unit, wait in self._early if unit.decides]


class IdleTransaction:
    """A transaction of a session in which nothing was written when a job began to wait for it."""

    __slots__ = ("_transaction", "_watch")

    def __init__(self, watch: SessionWatch, transaction: SessionTransaction) -> None:
        self._watch = watch
        self._transaction = weakref.ref(transaction)

    @property
    def is_written(self) -> bool:
        """Whether it goes on, and something was written in it: then its end decides about the job."""
        return self._watch.is_open and self._watch.transaction is self._transaction()


_THROWN_AWAY: Final = "since its session was thrown away before it committed"


class Sessions:
    """All sessions of the process."""

    name = "sqlalchemy"

    def __init__(self) -> None:
        self._watches: weakref.WeakKeyDictionary[Session, SessionWatch] = (
            weakref.WeakKeyDictionary()
        )
        self._listening = False
        self._unseen: weakref.WeakSet[Session] = weakref.WeakSet()

    def listen(self) -> None:
        """Listen to every session from now on."""
        if self._listening:
            return
        self._listening = True
        units.in_use = True
        # Nobody knows which thread or task began the sessions that are open already.
        self._unseen.update(
            session for session in session_module._sessions.values() if session.in_transaction()
        )
        event.listen(Session, "after_transaction_create", self._began)
        event.listen(Session, "transient_to_pending", self._used)
        event.listen(Session, "do_orm_execute", self._executes)
        event.listen(Session, "before_flush", self._flushes)
        event.listen(Session, "after_commit", self._commits)
        event.listen(Session, "after_transaction_end", self._ended)

    def open_here(self) -> Sequence[SessionWatch]:
        """Return the sessions of this context whose transaction is open, except those that have only read.

        Raises:
            CommitError: when a transaction is open that began before this listened.
        """
        if any(session.in_transaction() for session in self._unseen):
            raise CommitError(
                "A session of SQLAlchemy had begun its transaction before pytest-jobs listened to sessions, so "
                "nothing knows whether this job has to wait for its commit. It listens from the first job class "
                "on that is enqueued after the commit: import sqlalchemy.orm before that class is defined."
            )
        self._unseen.clear()
        # A delivery ends what has only read, too; elsewhere nobody may ever do so.
        in_delivery = units.here() is not None
        return [
            watch
            for watch in _used_here.get()
            if watch.is_open or (in_delivery and watch.has_only_read)
        ]

    def reading_here(self) -> Sequence[SessionWatch]:
        """Return the sessions of this context whose transaction has only read so far."""
        return [watch for watch in _used_here.get() if watch.has_only_read]

    def transaction_of(self, session: Session) -> SessionWatch:
        """Return the watch of a session, in which a job is a row."""
        watch = self._watch(session)
        watch.writes()
        return watch

    def _watch(self, session: Session) -> SessionWatch:
        watch = self._watches.get(session)
        if watch is None:
            watch = self._watches[session] = SessionWatch(session)
        here = _used_here.get()
        if watch not in here:
            _used_here.set((*(other for other in here if other._session() is not None), watch))
        return watch

    def _began(self, session: Session, transaction: SessionTransaction) -> None:
        if transaction.parent is None:
            self._watch(session)
        elif transaction.origin is SessionTransactionOrigin.SUBTRANSACTION:
            # A flush, or a bulk operation, which has no event of its own.
            self._watch(session).writes()

    def _used(self, session: Session, instance: object) -> None:
        self._watch(session)

    def _executes(self, state: ORMExecuteState) -> None:
        watch = self._watch(state.session)
        if state.is_insert or state.is_update or state.is_delete:
            watch.writes()

    def _flushes(self, session: Session, context: object, instances: object) -> None:
        self._watch(session).writes()

    def _commits(self, session: Session) -> None:
        watch = self._watches.get(session)
        if watch is not None:
            watch.commits()

    def _ended(self, session: Session, transaction: SessionTransaction) -> None:
        watch = self._watches.get(session)
        if watch is not None:
            watch.ended(transaction)


sessions = Sessions()


def _commit_all(waiting: Sequence[CommitWait]) -> None:
    errors: list[BaseException] = []
    for wait in waiting:
        try:
            wait.committed()
        except Exception as error:
            errors.append(error)
    if errors:
        for other in errors[1:]:
            errors[0].add_note(f"Another job was not enqueued: {type(other).__name__}: {other}")
        raise errors[0]
