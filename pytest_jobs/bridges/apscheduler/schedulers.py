"""The schedulers of the process, and what one of them keeps while a harness is open."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from apscheduler.events import EVENT_JOB_REMOVED, JobEvent
from apscheduler.job import Job
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.base import STATE_STOPPED, BaseScheduler
from apscheduler.util import get_callable_name, obj_to_ref

from ..applications import Applications
from .stores import Change, Changes, Pending, Stores


class Schedulers(Applications[BaseScheduler]):
    """The schedulers of the process, in the order in which they are asked for a function."""

    def __init__(self, named: Iterable[Any]) -> None:
        """Begin with the schedulers that `jobs_apps` names."""
        super().__init__(
            named,
            BaseScheduler,
            wanted="a scheduler of apscheduler: name the object with the method add_job",
            otherwise="the schedulers of apscheduler",
        )

    def running(self) -> list[BaseScheduler]:
        """Return the schedulers whose jobs recur in this harness: those of modules only when none is named."""
        used = {id(each): each for each in (*self.named, *self.senders)}
        return list(used.values()) if self.named else self.every()


class Kept:
    """What one scheduler keeps while a harness is open: its state and its jobs. It begins with the real ones."""

    def __init__(self, scheduler: BaseScheduler, original: Callable[[str], Any]) -> None:
        """Copy what a scheduler has, asking for its attributes as they really are."""
        self.state: int = original("state")
        self.changes = Changes()
        self.lock: Any = original("_jobstores_lock")
        #: How often the thread that has the lock has taken it.
        self.depth = 0
        self.stores = Stores(self.changes)
        self.pending = Pending(self.stores)
        with self.unreported():
            self._copy(original)
        self._scheduler = scheduler

    def _copy(self, original: Callable[[str], Any]) -> None:
        for alias, store in original("_jobstores").items():
            self.stores[alias] = store
            # The jobs of a database stay there: reading them would connect.
            for job in store.get_all_jobs() if isinstance(store, MemoryJobStore) else ():
                self.stores[alias].add_job(_copied(job))
        for job, alias, replace in original("_pending_jobs"):
            self.pending.put(_copied(job), alias, replace)
        if self.state != STATE_STOPPED or self.pending:
            self.stores.setdefault("default", None)

    def jobs(self) -> Iterator[Any]:
        """Yield all jobs; each has the attribute `next_run_time`, which is None for one that is paused."""
        yield from self._without_store()
        for store in self.stores.values():
            yield from store.get_all_jobs()

    def _without_store(self) -> Iterator[Any]:
        """Yield the jobs that wait for the scheduler to start. Their time begins when they are first looked at."""
        for job, _, _ in self.pending:
            if not hasattr(job, "next_run_time"):
                now = datetime.now(self._scheduler.timezone)
                job.next_run_time = job.trigger.get_next_fire_time(None, now)
            yield job

    def job(self, job_id: str) -> Any:
        """Return the job with an id; None when there is none any more."""
        # A store has an index of its jobs, and the one that is due stands in front of those without a store.
        for store in self.stores.values():
            if (found := store.lookup_job(job_id)) is not None:
                return found
        return next((job for job in self._without_store() if job.id == job_id), None)

    def advance(self, job: Any, after: datetime) -> None:
        """Set when a job runs next, or remove it when it has run for the last time."""
        following = job.trigger.get_next_fire_time(after, after)
        if following is None:
            alias = self.forget(job.id)
            self._scheduler._dispatch_event(JobEvent(EVENT_JOB_REMOVED, job.id, alias))
            return
        with self.unreported():
            job.next_run_time = following
            for store in self.stores.values():
                if store.lookup_job(job.id) is not None:
                    store.update_job(job)
                    return

    def forget(self, job_id: str) -> str | None:
        """Remove a job without a word to anyone, and return the alias of its store."""
        with self.unreported():
            for alias, store in self.stores.items():
                if store.lookup_job(job_id) is not None:
                    store.remove_job(job_id)
                    return alias
            for place, (job, alias, _) in enumerate(self.pending):
                if job.id == job_id:
                    del self.pending[place]
                    return alias
        return None

    @contextmanager
    def unreported(self) -> Generator[None, None, None]:
        """Change jobs without reporting it."""
        with self.lock:
            before = len(self.changes)
            try:
                yield
            finally:
                for change in self.changes.take(before):
                    self.changes.end(change)

    def end(self, change: Change) -> None:
        """End a change after its report, and undo it if a fault, or the death of the worker, came before."""
        self.changes.end(change)
        if change.is_new and not change.is_known and self.job(change.job_id) is change.job:
            self.forget(change.job_id)


class Reporting:
    """Stands in for the lock under which a scheduler changes its jobs: they are reported when it is released.

    Whatever method has changed them, and however the application came by the method. A report may perform a job,
    in another thread too, so it does not come earlier.
    """

    def __init__(self, kept: Kept, report: Callable[[Change], None]) -> None:
        self._kept = kept
        self._report = report

    def __enter__(self) -> None:
        self._kept.lock.acquire()
        self._kept.depth += 1

    def __exit__(self, kind: type[BaseException] | None, *raised: object) -> None:
        self._kept.depth -= 1
        changes = [] if self._kept.depth else self._kept.changes.take()
        try:
            self._kept.lock.release()
            if kind is None or issubclass(kind, Exception):
                for change in changes:
                    self._report(change)
                    change.is_told = True
        finally:
            for change in changes:
                self._kept.end(change)


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
