"""The schedulers of the process, and what one of them keeps while a harness is open."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

from apscheduler.job import Job
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.base import STATE_STOPPED, BaseScheduler
from apscheduler.util import get_callable_name, obj_to_ref

from ...errors import ApplicationError
from ..applications import Applications


class Schedulers(Applications[BaseScheduler]):
    """The schedulers of the process, in the order in which they are asked for a function."""

    def __init__(self, named: Iterable[Any]) -> None:
        """Begin with the schedulers that `jobs_apps` names.

        Raises:
            ApplicationError: when one of them is not a scheduler.
        """
        super().__init__(map(_checked, named), lambda kinds: BaseScheduler in kinds)

    def running(self) -> list[BaseScheduler]:
        """Return the schedulers whose jobs recur in this harness: those of modules only when none is named."""
        named, senders, _ = self.ranked()
        used = {id(each): each for each in (*named, *senders)}
        return list(used.values()) if named else self.every()

    def __str__(self) -> str:
        return super().__str__() or "the schedulers of apscheduler"


def _checked(scheduler: Any) -> BaseScheduler:
    if not isinstance(scheduler, BaseScheduler):
        raise ApplicationError(
            f"{scheduler!r} is not a scheduler of apscheduler: name the object with the method add_job."
        )
    return scheduler


class Kept:
    """What one scheduler keeps while a harness is open: its state and its jobs. It begins with the real ones."""

    def __init__(self, scheduler: BaseScheduler, original: Callable[[str], Any]) -> None:
        """Copy what a scheduler has.

        Args:
            scheduler: the scheduler.
            original: returns an attribute of the scheduler as it really is.
        """
        self.state: int = original("state")
        self.stores = Stores()
        self.pending: list[tuple[Any, str, bool]] = [
            (_copied(job), alias, replace) for job, alias, replace in original("_pending_jobs")
        ]
        for alias, store in original("_jobstores").items():
            self.stores[alias] = store
            # The jobs of a database stay there: reading them would connect.
            for job in store.get_all_jobs() if isinstance(store, MemoryJobStore) else ():
                self.stores[alias].add_job(_copied(job))
        if self.state != STATE_STOPPED or self.pending:
            self.stores.setdefault("default", None)
        self._scheduler = scheduler

    def jobs(self) -> Iterator[Any]:
        """Yield all jobs; each has the attribute `next_run_time`, which is None for one that is paused."""
        for job, _, _ in self.pending:
            if not hasattr(job, "next_run_time"):
                now = datetime.now(self._scheduler.timezone)
                job.next_run_time = job.trigger.get_next_fire_time(None, now)
            yield job
        for store in self.stores.values():
            yield from store.get_all_jobs()

    def job(self, job_id: str) -> Any:
        """Return the job with an id; None when there is none any more."""
        # A store has an index of its jobs, and the one that is due stands in front of those without a store.
        for store in self.stores.values():
            if (found := store.lookup_job(job_id)) is not None:
                return found
        return next((job for job, _, _ in self.pending if job.id == job_id), None)

    def advance(self, job: Any, after: datetime) -> None:
        """Set when a job runs next, or remove it when it has run for the last time."""
        following = job.trigger.get_next_fire_time(after, after)
        store = next((each for each in self.stores.values() if each.lookup_job(job.id)), None)
        if following is not None:
            job.next_run_time = following
            if store is not None:
                store.update_job(job)
        elif store is not None:
            store.remove_job(job.id)
        else:
            places = (place for place, each in enumerate(self.pending) if each[0] is job)
            del self.pending[next(places)]


class Stores(dict[str, Any]):
    """The job stores of a scheduler by their aliases: each is in memory, whatever the application adds."""

    def __init__(self) -> None:
        super().__init__()
        #: The aliases of the stores that write jobs down.
        self.writing: set[str] = set()

    def __setitem__(self, alias: str, store: object) -> None:
        if not isinstance(store, MemoryJobStore):
            self.writing.add(alias)
        super().__setitem__(alias, MemoryJobStore())

    def setdefault(self, alias: str, store: Any = None) -> Any:
        if alias not in self:
            super().__setitem__(alias, MemoryJobStore())
        return self[alias]


def _copied(job: Any) -> Any:
    """Copy a job, which need not be one that can be pickled."""
    other = object.__new__(Job)
    for name in Job.__slots__:
        if name != "__weakref__" and hasattr(job, name):
            setattr(other, name, getattr(job, name))
    return other


def name_of(function: Any) -> str:
    """Return the reference of a function, as in `package.module:function`, or else its name."""
    try:
        return str(obj_to_ref(function))
    except ValueError:
        return str(get_callable_name(function))
