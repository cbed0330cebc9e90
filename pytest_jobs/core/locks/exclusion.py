"""What keeps jobs apart: locks and places, taken and given back as a job is enqueued and performed."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from ...errors import DeclarationError, EnqueueError, JobLockedError, StoreError
from ..batches.ends import end_in_batch_or_log
from ..foundation.base import Declaration, JobBase
from ..foundation.payload import BATCH, GIVEN_UP, LIMIT, UNIQUE, Execution, Payload
from ..foundation.protocols import (
    AcquiresMany,
    Adapter,
    Held,
    Store,
    Unblocks,
    Wanted,
    Withdraws,
)
from ..foundation.settings import settings
from .rules import LimitRule, UniqueRule

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


#: Begins, instead of the former, the key of a lock that is held while a job runs.
RUNNING: Final = "running"

_RESCHEDULED_NS: Final = 5_000_000_000

_log = logging.getLogger("pytest_jobs")


class Replaced(NamedTuple):
    """A job that another one took the place of."""

    payload: Payload
    #: The lock that it had.
    lock: Held


@dataclass(slots=True, eq=False)
class Exclusion:
    """Keeps the jobs of one class apart, by the lock and the limit that it declares or inherits."""

    unique: UniqueRule | None
    limit: LimitRule | None

    @classmethod
    def renew(cls, declaration: Declaration) -> None:
        """Give a class, and those that derive from it, an exclusion by what they declare and inherit.

        Raises:
            DeclarationError: when a key does not fit the parameters of `perform`.
        """
        every = list(declaration.lineage())
        exclusion = cls(
            next((each.unique for each in every if each.unique is not None), None),
            next((each.limit for each in every if each.limit is not None), None),
        )
        for rule in (exclusion.unique, exclusion.limit):
            if rule is not None:
                rule.key.check(declaration)
        declaration.exclusion = exclusion
        for heir in declaration.heirs():
            cls.renew(heir)

    # Enqueueing

    def write_keys(self, job: JobBase, payload: Payload | None) -> None:
        """Give a payload its keys, unless it has them; without a payload, check that they can be made.

        Raises:
            SerializationError: when a key cannot be written.
        """
        if payload is not None and not (payload.headers or {}).keys().isdisjoint((UNIQUE, LIMIT)):
            return
        rules = {UNIQUE: self.unique, LIMIT: self.limit}
        keys = {name: rule.key.text(job) for name, rule in rules.items() if rule is not None}
        if payload is not None:
            payload.headers = {**(payload.headers or {}), **keys}

    def enqueue(self, job: JobBase, payload: Payload, adapter: Adapter) -> bool:
        """Hand a payload to the adapter, unless another job keeps it out; return whether it did.

        Raises:
            StoreError: when the store cannot be reached; nothing was enqueued then.
        """
        self.write_keys(job, payload)
        job.dropped_for = None
        job.dropped_for = self.admit(payload, adapter)
        return job.dropped_for is None

    def admit(self, payload: Payload, adapter: Adapter) -> str | None:
        """Hand a payload that carries its keys to the adapter; return the id of the job that keeps it out.

        Raises:
            StoreError: when the store cannot be reached; nothing was enqueued then.
        """
        store = settings.store
        replaced: list[Replaced] = []
        try:
            locked_by = self._lock(payload, adapter, store, replaced)
            placed_by = None if locked_by else self._hand_over(payload, adapter, store)
        except Exception:
            _undo(payload, replaced, adapter, store)
            raise
        if placed_by is not None:
            _undo(payload, replaced, adapter, store)
        else:
            for former, _ in replaced:
                if BATCH in (former.headers or {}):
                    end_in_batch_or_log(former, "replaced")
        return locked_by or placed_by

    def _lock(
        self, payload: Payload, adapter: Adapter, store: Store, replaced: list[Replaced]
    ) -> str | None:
        """Take the lock of the enqueue; return the id of the job that has it, if another has."""
        rule = self.unique
        if rule is None or not rule.kind.at_enqueue:
            return None
        held = _acquire(store, _lock_of(payload, rule, payload.enqueued_ns, payload.due_ns))
        if held is not None and rule.on_enqueue == "replace":
            if not isinstance(adapter, Withdraws):
                raise DeclarationError(
                    f"{payload.name} is declared unique(on_conflict='replace'), and {type(adapter).__name__} "
                    "cannot take jobs back: write on_conflict='drop', or give the adapter a method `withdraw`."
                )
            # A job that runs cannot be taken back, and loses its lock only.
            former = adapter.withdraw(held.owner)
            if former is not None:
                replaced.append(Replaced(former, held))
                _give_back(former, adapter, store)
            store.release(held.key, held.owner, now_ns=payload.enqueued_ns)
            held = _acquire(store, _lock_of(payload, rule, payload.enqueued_ns, payload.due_ns))
        if held is not None and rule.on_enqueue == "log":
            _log.info("Dropped at enqueue: %s", _locked_text(payload, held))
        return None if held is None else held.owner

    def _hand_over(self, payload: Payload, adapter: Adapter, store: Store) -> str | None:
        """Hand the payload over, with a place if it is due; return the id of the job that has the place."""
        rule = self.limit
        held = None
        if rule is not None and (payload.due_ns is None or payload.due_ns <= payload.enqueued_ns):
            held = _acquire(store, _place_of(payload, rule, payload.enqueued_ns))
        if rule is None or held is None:
            adapter.enqueue(payload)
        elif rule.blocks:
            _block(payload, held, adapter)
        else:
            return held.owner
        return None

    # Enqueueing many

    @property
    def replaces(self) -> bool:
        """Whether a job takes back the one that has its lock, which no other job may come between."""
        return self.unique is not None and self.unique.on_enqueue == "replace"

    def admit_together(self, ready: Sequence[tuple[JobBase, Payload]]) -> None:
        """Take the locks and the places of jobs of any classes, each in one round trip if the store can.

        A job that another one keeps out gets `dropped_for`; one that waits for a place is due when the first
        place expires.

        Raises:
            StoreError: when the store cannot be reached.
        """
        store, adapter = settings.store, settings.adapter
        try:
            locked: list[tuple[JobBase, Payload, UniqueRule]] = []
            for job, payload in ready:
                rule = _exclusion_of(job).unique
                if rule is not None and rule.kind.at_enqueue:
                    locked.append((job, payload, rule))
            locks = [
                _lock_of(each, rule, each.enqueued_ns, each.due_ns) for _, each, rule in locked
            ]
            for (job, payload, rule), held in zip(locked, _acquire_all(store, locks), strict=True):
                if held is not None:
                    job.dropped_for = held.owner
                    if rule.on_enqueue == "log":
                        _log.info("Dropped at enqueue: %s", _locked_text(payload, held))
            placed: list[tuple[JobBase, Payload, LimitRule]] = []
            for job, payload in ready:
                limit = _exclusion_of(job).limit
                due = payload.due_ns is None or payload.due_ns <= payload.enqueued_ns
                if limit is not None and due and job.dropped_for is None:
                    placed.append((job, payload, limit))
            places = [_place_of(each, limit, each.enqueued_ns) for _, each, limit in placed]
            for (job, payload, limit), held in zip(
                placed, _acquire_all(store, places), strict=True
            ):
                if held is not None and limit.blocks:
                    payload.due_ns = held.expires_ns
                elif held is not None:
                    job.dropped_for = held.owner
                    self.give_back(payload, adapter)
        except Exception:
            for _, payload in ready:
                self.give_back(payload, adapter)
            raise

    def give_back(self, payload: Payload, adapter: Adapter) -> None:
        """Give back the lock and the place of a job that was not enqueued."""
        _undo(payload, (), adapter, settings.store)

    # Performing

    def enter(self, payload: Payload) -> Execution | None:
        """Take the place and the lock of a run; return the execution of a run that may not begin.

        A payload without keys was not enqueued under these rules, and passes.

        Raises:
            JobLockedError: when another job has the lock, and the strategy is to raise.
            StoreError: when the store cannot be reached.
        """
        keys = payload.headers or {}
        if UNIQUE not in keys and LIMIT not in keys:
            return None
        adapter, store = settings.adapter, settings.store
        rule = self.limit
        if rule is not None and LIMIT in keys:
            now_ns = adapter.now_ns()
            # Renewed: the job may have waited in its queue for most of the time of its place.
            held = _acquire(store, _place_of(payload, rule, now_ns, renew=True))
            if held is not None:
                error = JobLockedError(_locked_text(payload, held))
                if not rule.blocks:
                    return Execution("halted", error=error)
                _block(payload.snoozed(now_ns, held.expires_ns), held, adapter)
                wait_ns = None if held.expires_ns is None else max(held.expires_ns - now_ns, 0)
                return Execution("snoozed", error=error, wait_ns=wait_ns)
        if self.unique is not None and UNIQUE in keys:
            return self._enter_lock(self.unique, payload, adapter, store)
        return None

    def _enter_lock(
        self, rule: UniqueRule, payload: Payload, adapter: Adapter, store: Store
    ) -> Execution | None:
        now_ns = adapter.now_ns()
        if rule.kind.at_enqueue and rule.kind.ends == "start":
            store.release(_key(payload, UNIQUE), payload.job_id, now_ns=now_ns)
        if not rule.kind.while_running:
            return None
        held = store.acquire(
            _key(payload, UNIQUE, RUNNING), payload.job_id, now_ns=now_ns, ttl_ns=rule.ttl_ns
        )
        if held is None:
            return None
        _give_place_back(payload, self.limit, adapter, store)
        error = JobLockedError(_locked_text(payload, held))
        if rule.on_perform == "raise":
            raise error
        if rule.on_perform == "reject":
            return Execution("discarded", error=error)
        if rule.on_perform == "reschedule":
            adapter.enqueue(payload.snoozed(now_ns, now_ns + _RESCHEDULED_NS))
            return Execution("snoozed", error=error, wait_ns=_RESCHEDULED_NS)
        if rule.on_perform == "log":
            _log.info("Dropped when it was to run: %s", error)
        return Execution("halted", error=error)

    def leave(self, payload: Payload, status: str, wait_ns: int | None) -> None:
        """Give back what a run had, and what its job had if it has ended.

        An unreachable store is logged: the job has run, and an error would run it again.
        """
        keys = payload.headers or {}
        if UNIQUE not in keys and LIMIT not in keys:
            return
        rule = self.unique
        try:
            adapter, store = settings.adapter, settings.store
            if rule is not None and UNIQUE in keys:
                now_ns = adapter.now_ns()
                owner, ends_with_job = payload.job_id, rule.kind.ends != "never"
                if rule.kind.while_running:
                    store.release(_key(payload, UNIQUE, RUNNING), owner, now_ns=now_ns)
                if rule.kind.at_enqueue and status in ("retried", "snoozed"):
                    if ends_with_job:
                        due_ns = now_ns + (wait_ns or 0)
                        _acquire(store, _lock_of(payload, rule, now_ns, due_ns, renew=True))
                elif rule.kind.at_enqueue and (ends_with_job or status in GIVEN_UP):
                    store.release(_key(payload, UNIQUE), owner, now_ns=now_ns)
            if status != "snoozed":
                _give_place_back(payload, self.limit, adapter, store)
        except StoreError as error:
            _log.error(
                "%s (job %s) has run, and what it held stays until its time is over: %s",
                payload.name,
                payload.job_id,
                error,
            )


def _exclusion_of(job: JobBase) -> Exclusion:
    return cast(Exclusion, type(job).__declaration__.exclusion)


def _lock_of(
    payload: Payload, rule: UniqueRule, now_ns: int, due_ns: int | None, *, renew: bool = False
) -> Wanted:
    until_due_ns = 0 if due_ns is None else max(due_ns - now_ns, 0)
    ttl_ns = None if rule.ttl_ns is None else rule.ttl_ns + until_due_ns
    return Wanted(_key(payload, UNIQUE), payload.job_id, now_ns, ttl_ns, renew=renew)


def _place_of(payload: Payload, rule: LimitRule, now_ns: int, *, renew: bool = False) -> Wanted:
    rank = (payload.priority or 0) if rule.blocks else None
    key = _key(payload, LIMIT)
    return Wanted(key, payload.job_id, now_ns, rule.duration_ns, rule.to, rank, renew)


def _acquire(store: Store, wanted: Wanted) -> Held | None:
    return store.acquire(
        wanted.key,
        wanted.owner,
        now_ns=wanted.now_ns,
        ttl_ns=wanted.ttl_ns,
        limit=wanted.limit,
        rank=wanted.rank,
        renew=wanted.renew,
    )


def _acquire_all(store: Store, wanted: Sequence[Wanted]) -> Sequence[Held | None]:
    if len(wanted) > 1 and isinstance(store, AcquiresMany):
        return store.acquire_all(wanted)
    return [_acquire(store, each) for each in wanted]


def _block(payload: Payload, held: Held, adapter: Adapter) -> None:
    if isinstance(adapter, Unblocks):
        adapter.block(payload, held.expires_ns)
    else:
        payload.due_ns = held.expires_ns
        adapter.enqueue(payload)


def _give_place_back(
    payload: Payload, rule: LimitRule | None, adapter: Adapter, store: Store
) -> None:
    keys = payload.headers or {}
    if LIMIT not in keys:
        return
    following = store.release(
        _key(payload, LIMIT),
        payload.job_id,
        now_ns=adapter.now_ns(),
        ttl_ns=None if rule is None else rule.duration_ns,
    )
    if following is not None and isinstance(adapter, Unblocks):
        adapter.unblock(following)


def _give_back(payload: Payload, adapter: Adapter, store: Store) -> None:
    """Give back the lock and the place of a job that will not be performed."""
    keys = payload.headers or {}
    if UNIQUE in keys:
        store.release(_key(payload, UNIQUE), payload.job_id, now_ns=adapter.now_ns())
    exclusion = payload.job.__declaration__.exclusion
    _give_place_back(payload, None if exclusion is None else exclusion.limit, adapter, store)


def _undo(payload: Payload, replaced: Iterable[Replaced], adapter: Adapter, store: Store) -> None:
    """Give back the lock and the place of a job that was not enqueued, and put the replaced jobs back."""
    with suppress(StoreError):
        _give_back(payload, adapter, store)
    for former, held in replaced:
        now_ns = adapter.now_ns()
        ttl_ns = None if held.expires_ns is None else held.expires_ns - now_ns
        with suppress(StoreError):
            store.acquire(held.key, held.owner, now_ns=now_ns, ttl_ns=ttl_ns)
        try:
            # As snoozed: it was enqueued before, so it must not count as a new job.
            adapter.enqueue(former.snoozed(now_ns, former.due_ns))
        except EnqueueError as error:
            _log.error(
                "%s (job %s) is lost: it was taken back for job %s, which was not enqueued, and could not be put "
                "back: %s",
                former.name,
                former.job_id,
                payload.job_id,
                error,
            )


def _key(payload: Payload, name: str, kind: str | None = None) -> str:
    return f"{kind or name}:{(payload.headers or {})[name]}"


def _locked_text(payload: Payload, held: Held) -> str:
    return f"{payload.name} (job {payload.job_id}) may not go on: {held.key} is held by job {held.owner}."
