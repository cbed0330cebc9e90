"""The sessions of SQLAlchemy whose transactions are open, for jobs that wait for their commit."""

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

from ...core.foundation.protocols import CommitWait, TransactionSource
from ...errors import CommitError

#: The sessions that were last used in this context: in this thread, this task, or those it began in.
_used_here: ContextVar[tuple[SessionWatch, ...]] = ContextVar(
    "pytest_jobs_sqlalchemy_sessions", default=()
)


def source() -> TransactionSource:
    """Return what knows the sessions of the process, which it listens to from the first call on."""
    sessions.listen()
    return sessions


class SessionWatch:
    """What is known of one session, over its transactions."""

    __slots__ = (
        "__weakref__",
        "_changed",
        "_committed",
        "_session",
        "_waiting",
        "_when_written",
        "using",
    )

    def __init__(self, session: Session) -> None:
        self._session = weakref.ref(session, self._thrown_away)
        #: The name of its database; of a session with several, that it is a session.
        self.using = _database_of(session)
        self._changed = False
        self._committed = False
        self._when_written: list[Callable[[], None]] = []
        #: What waits, by the savepoint or the transaction in which it was enqueued. That holds its
        #: session, which could never be thrown away if this held it.
        self._waiting: list[tuple[weakref.ref[SessionTransaction], CommitWait]] = []

    @property
    def text(self) -> str:
        """What is open."""
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
        """Whether it has a transaction that means more than that something was read."""
        session = self._session()
        transaction = None if session is None else session.get_transaction()
        if session is None or transaction is None:
            return False
        begun = transaction.origin is not SessionTransactionOrigin.AUTOBEGIN
        return begun or session.in_nested_transaction() or self.changed

    def when_ended(self, wait: CommitWait) -> None:
        """Keep what waits for the transaction, or for the savepoint that it is in."""
        session = self._session()
        inner = session and (session.get_nested_transaction() or session.get_transaction())
        if inner is None:
            wait.dropped(_THROWN_AWAY)
        else:
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
        """Settle what waited for a transaction, or a savepoint, that has ended.

        Raises:
            BaseException: what an adapter raised first, after all jobs had their turn.
        """
        outer = transaction.parent
        committed, self._committed = self._committed, False
        if outer is None:
            self._changed = False
            self._when_written = []
        mine = [wait for inner, wait in self._waiting if inner() is transaction]
        self._waiting = [entry for entry in self._waiting if entry[0]() is not transaction]
        if not committed:
            for wait in mine:
                wait.dropped()
        elif outer is None:
            _commit_all(mine)
        else:
            around = weakref.ref(_savepoint_around(outer))
            self._waiting += [(around, wait) for wait in mine]

    def _thrown_away(self, reference: weakref.ref[Session]) -> None:
        waiting, self._waiting = self._waiting, []
        for _, wait in waiting:
            wait.dropped(_THROWN_AWAY)


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
        # Those that have begun could be open here or elsewhere: who began them was not seen.
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
        """Return the sessions of this context whose transaction is open, but those that have only read.

        Raises:
            CommitError: when one began before it could be seen.
        """
        if self._unseen:
            self._check_unseen()
        return [watch for watch in _used_here.get() if watch.is_open]

    def reading_here(self) -> Sequence[SessionWatch]:
        """Return the sessions of this context that have only read in their transaction."""
        return [watch for watch in _used_here.get() if watch.has_only_read]

    def _check_unseen(self) -> None:
        if any(session.in_transaction() for session in self._unseen):
            raise CommitError(
                "A session of SQLAlchemy had begun its transaction before pytest-jobs listened to sessions, so "
                "nothing knows whether this job has to wait for its commit. It listens from the first job class "
                "on that is enqueued after the commit: import sqlalchemy.orm before that class is defined."
            )
        self._unseen.clear()

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
            # Of a flush, or of what is written in bulk, which is told of by no other event.
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


def _database_of(session: Session) -> str:
    if session.bind is None:
        return "session"
    url = session.bind.engine.url
    return PurePath(url.database).name if url.database else url.drivername


def _savepoint_around(transaction: SessionTransaction) -> SessionTransaction:
    """Return the innermost savepoint around, or the transaction itself; a flush has one that is neither."""
    while transaction.parent is not None and not transaction.nested:
        transaction = transaction.parent
    return transaction


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
