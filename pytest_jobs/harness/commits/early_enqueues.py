"""Warnings of jobs that are enqueued before the transaction they may depend on has committed."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Final

from ...core.foundation.base import JobBase
from ...core.foundation.payload import BATCH
from ...errors import EnqueuedInTransactionWarning
from ..records.record import FIRST, JobRecord, call_text
from ..records.texts import short_name
from .callables import calling_place, line_text
from .transactions import TransactionSystems

_CORE: Final = "core"


class EarlyEnqueues:
    """Warns once of each line that enqueues a job of the core inside an open transaction."""

    __slots__ = ("_lines", "_transactions")

    def __init__(self, transactions: TransactionSystems) -> None:
        self._transactions = transactions
        self._lines: set[tuple[str, int]] = set()

    def before(self, then: Callable[[JobRecord], None] | None) -> Callable[[JobRecord], None]:
        """Return a listener of the ledger that checks each record and passes it on to another listener."""

        def added(record: JobRecord) -> None:
            self.check(record)
            if then is not None:
                then(record)

        return added

    def check(self, record: JobRecord) -> None:
        """Warn if a record was enqueued too early, or as soon as its transaction writes."""
        if record.origin is not FIRST or record.bridge != _CORE:
            return
        job_class = getattr(record.job, "job_class", JobBase)
        if job_class.enqueue_after_commit:
            # The job waits for transactions with changes; one that has only read so far is none of these.
            self._warn_when_written(record, _before_text)
            return
        if any(
            "enqueue_after_commit" in vars(base)
            for base in job_class.__mro__
            if base is not JobBase
        ):
            return  # The class says False itself: it is on purpose.
        transaction = self._transactions.open_here()
        if transaction is None:
            self._warn_when_written(record, _since_text)
        else:
            place = calling_place()
            self._warn(place, _inside_text(record, transaction, line_text(*place)))

    def _warn_when_written(
        self, record: JobRecord, text_of: Callable[[JobRecord, str, str], str]
    ) -> None:
        for transaction in self._transactions.reading_here():
            place = calling_place()
            text = text_of(record, transaction.text, line_text(*place))
            transaction.when_written(functools.partial(self._warn, place, text))

    def _warn(self, place: tuple[str, int], text: str) -> None:
        if place not in self._lines:
            self._lines.add(place)
            warnings.warn_explicit(text, EnqueuedInTransactionWarning, *place)


def _inside_text(record: JobRecord, transaction: str, line: str) -> str:
    instead = f"Declare {_declared(record)}, enqueue it after the transaction, or say False there"
    if BATCH in (record.headers or {}):  # Jobs that wait for a commit are refused by a batch.
        instead = "Enqueue the batch after the transaction, or say enqueue_after_commit=False"
    return (
        f"{call_text(record)} was enqueued inside {transaction}, at {line}: a worker may perform it before the "
        f"commit, or although that never comes. {instead} if that is on purpose."
    )


def _since_text(record: JobRecord, transaction: str, line: str) -> str:
    return (
        f"{call_text(record)} was enqueued at {line}, inside {transaction}, which has written since: a worker may "
        "perform it before the commit, or although that never comes. Enqueue it after the transaction, or declare "
        f"{_declared(record)} and enqueue it after the changes, or say False there if that is on purpose."
    )


def _before_text(record: JobRecord, transaction: str, line: str) -> str:
    return (
        f"{call_text(record)} was enqueued at {line}, when {transaction} had only read, and the same transaction "
        "has written since: a worker may perform it before the commit. Enqueue it after the changes, or begin the "
        "transaction with `with session.begin():`."
    )


def _declared(record: JobRecord) -> str:
    yes = "`enqueue_after_commit=True`"
    if isinstance(record.job, type):
        yes = "`enqueue_after_commit = True` in its class"
    return f"{short_name(record.name)} with {yes}"
