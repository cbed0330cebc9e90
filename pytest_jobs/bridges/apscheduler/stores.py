"""The stores of jobs in a harness, which note what is changed in them."""

from __future__ import annotations

import pickle
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from apscheduler.jobstores.base import ConflictingIdError
from apscheduler.jobstores.memory import MemoryJobStore

from ..toolkit import JobRecord


class Change:
    """A job that was added, changed or removed."""

    __slots__ = ("is_new", "is_overtaken", "is_told", "job", "job_id", "record")

    def __init__(self, job_id: str, job: Any, *, is_new: bool = False) -> None:
        """Note a job as it is now; None when it was removed."""
        self.job_id = job_id
        self.job = job
        self.is_new = is_new
        #: What the harness is told of; None for a job that recurs.
        self.record: JobRecord | None = None
        self.is_told = False
        #: Whether another delivery in a check has added a job with this id meanwhile, before the harness knew.
        self.is_overtaken = False

    @property
    def is_known(self) -> bool:
        """Whether the harness knows of it; not when a check has killed the worker just before."""
        # The ledger numbers what it takes, and takes nothing from a worker that is dead.
        return self.is_told if self.record is None else self.record.sequence >= 0


class Changes(list[Change]):
    """What was changed since the lock of a scheduler was taken."""

    def __init__(self) -> None:
        super().__init__()
        self._moving: Any = None
        #: The newest job of each id that the harness is being told of.
        self._added: dict[str, Change] = {}

    def note(self, job_id: str, job: Any, *, is_new: bool = False) -> None:
        """Note a change, which is to be reported."""
        if job is not None and job is self._moving:
            return
        self.append(Change(job_id, job, is_new=is_new))

    @contextmanager
    def known(self, job: Any) -> Generator[None, None, None]:
        """Note nothing of a job that goes into its store at the start of the scheduler: it is known already."""
        self._moving = job
        try:
            yield
        finally:
            self._moving = None

    def take(self, begin: int = 0) -> list[Change]:
        """Return the changes from the one with this number on, which are here no longer, to report them."""
        taken = self[begin:]
        del self[begin:]
        self._added.update((change.job_id, change) for change in taken if change.is_new)
        return taken

    def end(self, change: Change) -> None:
        """Note that nothing more is to be done about a change."""
        if self._added.get(change.job_id) is change:
            del self._added[change.job_id]

    def overtake(self, job_id: str) -> None:
        """Note that another job with this id comes first, if the harness does not know this one yet."""
        if not self.is_known(job_id):
            self._added[job_id].is_overtaken = True

    def is_known(self, job_id: str) -> bool:
        """Say whether the harness knows of a job that a store has."""
        change = self._added.get(job_id)
        return change is None or change.is_known


class Store(MemoryJobStore):  # type: ignore[misc]
    """Stands in for a job store, and notes what is changed in it."""

    def __init__(self, changes: Changes, *, is_writing: bool) -> None:
        """Begin without jobs. Whether the real store writes jobs down decides whether they are pickled here."""
        super().__init__()
        self._changes = changes
        self.is_writing = is_writing

    def check(self, job: Any) -> None:
        """Refuse a job as the real store does.

        Raises:
            Exception: when the store writes jobs down, and this job cannot be pickled.
        """
        if self.is_writing:
            if not job.func_ref:
                job.__getstate__()
            pickle.dumps((job.trigger, job.args, job.kwargs))

    def has(self, job_id: str) -> bool:
        """Say whether it has a job that keeps out another with its id."""
        return self.lookup_job(job_id) is not None and self._changes.is_known(job_id)

    def add_job(self, job: Any) -> None:
        self.check(job)
        if self.lookup_job(job.id) is not None and not self.has(job.id):
            self._changes.overtake(job.id)
            super().remove_job(job.id)
        super().add_job(job)
        self._changes.note(job.id, job, is_new=True)

    def update_job(self, job: Any) -> None:
        self.check(job)
        super().update_job(job)
        self._changes.note(job.id, job)

    def remove_job(self, job_id: str) -> None:
        super().remove_job(job_id)
        self._changes.note(job_id, None)

    def remove_all_jobs(self) -> None:
        for job in self.get_all_jobs():
            self._changes.note(job.id, None)
        super().remove_all_jobs()


class Stores(dict[str, Any]):
    """The job stores of a scheduler by their aliases: each is in memory, whatever the application adds."""

    def __init__(self, changes: Changes) -> None:
        super().__init__()
        self.changes = changes

    def __setitem__(self, alias: str, store: object) -> None:
        is_writing = not isinstance(store, MemoryJobStore)
        super().__setitem__(alias, Store(self.changes, is_writing=is_writing))

    def setdefault(self, alias: str, store: Any = None) -> Any:
        if alias not in self:
            super().__setitem__(alias, Store(self.changes, is_writing=False))
        return self[alias]


class Pending(list[tuple[Any, str, bool]]):
    """The jobs of a scheduler that is not started, with the aliases of their stores.

    A scheduler would refuse some of them at its start, which may never come in a test. They are refused at once.
    """

    def __init__(self, stores: Stores) -> None:
        super().__init__()
        self._stores = stores
        self._ids: set[tuple[str, str]] = set()

    def append(self, entry: tuple[Any, str, bool]) -> None:
        """Add a job.

        Raises:
            ConflictingIdError: when the store has a job with its id, which it does not replace.
            Exception: when the store cannot write the job down.
        """
        job, alias, replace = entry
        store = self._stores.get(alias)
        if store is not None:
            store.check(job)
        is_taken = store is not None and store.has(job.id)
        is_new = (alias, job.id) not in self._ids
        if not is_new:
            is_taken = is_taken or self._stores.changes.is_known(job.id)
        if is_taken and not replace:
            raise ConflictingIdError(job.id)
        if not is_new:
            self._stores.changes.overtake(job.id)
            place = next(n for n, each in enumerate(self) if _id_of(each) == (alias, job.id))
            super().__delitem__(place)
        self.put(job, alias, replace)
        self._stores.changes.note(job.id, job, is_new=is_new)

    def put(self, job: Any, alias: str, replace: bool) -> None:
        """Add a job that was there before the harness."""
        super().append((job, alias, replace))
        self._ids.add((alias, job.id))

    def __delitem__(self, place: Any) -> None:
        job = self[place][0]
        self._ids.discard(_id_of(self[place]))
        super().__delitem__(place)
        self._stores.changes.note(job.id, None)


def _id_of(entry: tuple[Any, str, bool]) -> tuple[str, str]:
    job, alias, _ = entry
    return alias, job.id
