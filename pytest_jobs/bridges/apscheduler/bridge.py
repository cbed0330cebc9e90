"""The bridge of APScheduler."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from inspect import isroutine
from types import FunctionType, MethodType
from typing import Any, Final

import apscheduler
from apscheduler.events import (
    EVENT_ALL_JOBS_REMOVED,
    EVENT_JOB_MAX_INSTANCES,
    EVENT_SCHEDULER_PAUSED,
    EVENT_SCHEDULER_RESUMED,
    EVENT_SCHEDULER_SHUTDOWN,
    EVENT_SCHEDULER_STARTED,
    JobSubmissionEvent,
    SchedulerEvent,
)
from apscheduler.jobstores.base import BaseJobStore, ConflictingIdError
from apscheduler.schedulers import SchedulerAlreadyRunningError, SchedulerNotRunningError
from apscheduler.schedulers.base import STATE_PAUSED, STATE_RUNNING, STATE_STOPPED, BaseScheduler
from apscheduler.triggers import base as triggers, interval
from apscheduler.triggers.date import DateTrigger
from apscheduler.util import obj_to_ref, ref_to_obj

from ...errors import UnknownJobError
from ..toolkit import (
    AT_MOST_ONCE,
    FIRST,
    Delivery,
    DeliverySemantics,
    Due,
    JobRecord,
    LibraryBridge,
    Probe,
    Seam,
    to_ns,
)
from .schedulers import Kept, Reporting, Schedulers, name_of
from .stores import Change, Pending
from .submission import Run, RunAttempt, snapshot

_PROBE: Final = Probe(
    "apscheduler",
    "apscheduler.events:EVENT_JOB_MAX_INSTANCES",
    "apscheduler.executors.asyncio:run_coroutine_job(_, _, _, _)",
    "apscheduler.executors.base:run_job(_, _, _, _)",
    "apscheduler.job:Job.__slots__",
    "apscheduler.schedulers.base:BaseScheduler.add_job(_, _, args=, kwargs=, id=)",
    "apscheduler.schedulers.base:BaseScheduler.configure(_)",
    "apscheduler.schedulers.base:BaseScheduler.modify_job(_, _)",
    "apscheduler.schedulers.base:BaseScheduler.remove_all_jobs(_)",
    "apscheduler.schedulers.base:BaseScheduler._dispatch_event(_, _)",
    "apscheduler.schedulers.base:BaseScheduler._real_add_job(_, _, _, _)",
    "apscheduler.triggers.base:random",
    "apscheduler.util:iscoroutinefunction_partial(_)",
    tested=((3, 8), (3, 11)),
)


class Store:
    """What schedulers keep, and the records of jobs that run once."""

    def __init__(self) -> None:
        self.kept: dict[BaseScheduler, Kept] = {}
        #: Pending records by the scheduler and the id of the job.
        self.records: dict[tuple[BaseScheduler, str], JobRecord] = {}
        #: How many runs of a job are being made.
        self.running: dict[tuple[BaseScheduler, str], int] = {}


class APSchedulerBridge(LibraryBridge[Any, Run, Store]):
    """Brings the jobs of all schedulers into the harness, instead of their threads and their databases."""

    name = "apscheduler"
    capabilities = frozenset(("eta", "discard", "async", "serialise", "cron"))
    attempt_class = RunAttempt

    def __init__(self, schedulers: Sequence[BaseScheduler] = ()) -> None:
        """Prepare a bridge.

        Args:
            schedulers: the schedulers that are asked first for a function. Whatever scheduler is given a job, the
                job is recorded.
        """
        _PROBE.check(apscheduler.version)
        super().__init__()
        self.version = str(apscheduler.version)
        self._schedulers = Schedulers(schedulers)
        #: The functions that were scheduled in this harness, by their names.
        self._functions: dict[str, Any] = {}
        #: The schedulers that read their configuration, which belongs to the application.
        self._configuring: list[BaseScheduler] = []

    def title(self) -> str:
        named = self._schedulers.named
        return f"The apscheduler bridge to {self}" if named else "The apscheduler bridge"

    def __str__(self) -> str:
        return str(self._schedulers)

    def described(self) -> str:
        return self._schedulers.described()

    def new_store(self) -> Store:
        return Store()

    # Instead of threads and databases

    def patch(self, seam: Seam) -> None:
        for attribute in ("state", "_jobstores", "_jobstores_lock", "_pending_jobs"):
            seam.overlay(BaseScheduler, attribute, _overlaying(attribute))
        for name in ("start", "shutdown", "wakeup"):
            method = getattr(APSchedulerBridge, f"_{name}")
            seam.replace(BaseScheduler, name, method)
            seam.replace_below(BaseScheduler, name, method)
        for name in ("pause", "resume"):
            seam.replace(BaseScheduler, name, getattr(APSchedulerBridge, f"_{name}"))
        for name in ("configure", "modify_job", "remove_all_jobs", "import_jobs"):
            if hasattr(BaseScheduler, name):
                seam.wrap(BaseScheduler, name, getattr(APSchedulerBridge, f"_{name}"))
        seam.replace_below(BaseJobStore, "start", APSchedulerBridge._store_starts)
        for module in (triggers, interval):
            if hasattr(module, "random"):
                seam.set(module, "random", _DrawnJitter(seam))

    def overlaid(
        self, scheduler: BaseScheduler, attribute: str, original: Callable[[], Any]
    ) -> Any:
        """Return the state or the jobs of a scheduler, as they are in this harness."""
        if any(scheduler is each for each in self._configuring) or "_pending_jobs" not in vars(
            scheduler
        ):
            return original()
        kept = self._kept(scheduler)
        return {
            "state": kept.state,
            "_jobstores": kept.stores,
            "_jobstores_lock": Reporting(kept, partial(self._changed, scheduler)),
            "_pending_jobs": kept.pending,
        }[attribute]

    def _kept(self, scheduler: BaseScheduler) -> Kept:
        kept = self.store.kept.get(scheduler)
        if kept is None:
            kept = Kept(scheduler, vars(scheduler).__getitem__)
            self.store.kept[scheduler] = kept
        return kept

    def _configure(self, original: Any, scheduler: BaseScheduler, *args: Any, **kwargs: Any) -> Any:
        self._configuring.append(scheduler)
        try:
            return original(*args, **kwargs)
        finally:
            self._configuring.remove(scheduler)

    def _start(self, scheduler: BaseScheduler, paused: bool = False) -> None:
        """Start without a thread: the jobs are performed by the test. A blocking scheduler does not block."""
        kept = self._kept(scheduler)
        if kept.state != STATE_STOPPED:
            raise SchedulerAlreadyRunningError
        self._schedulers.note(scheduler)
        kept.stores.setdefault("default")
        kept.state = STATE_PAUSED if paused else STATE_RUNNING
        with scheduler._jobstores_lock:
            pending, kept.pending = kept.pending, Pending(kept.stores)
            for job, alias, replace in pending:
                with kept.changes.known(job):
                    scheduler._real_add_job(job, alias, replace)
        scheduler._dispatch_event(SchedulerEvent(EVENT_SCHEDULER_STARTED))

    def _shutdown(self, scheduler: BaseScheduler, wait: bool = True) -> None:
        """Stop: jobs that are in memory are gone, as in production."""
        self._change(scheduler, STATE_STOPPED, EVENT_SCHEDULER_SHUTDOWN)
        with scheduler._jobstores_lock:
            for store in self._kept(scheduler).stores.values():
                if not store.is_writing:
                    store.remove_all_jobs()

    def _pause(self, scheduler: BaseScheduler) -> None:
        self._change(scheduler, STATE_PAUSED, EVENT_SCHEDULER_PAUSED)

    def _resume(self, scheduler: BaseScheduler) -> None:
        self._change(scheduler, STATE_RUNNING, EVENT_SCHEDULER_RESUMED)

    def _change(self, scheduler: BaseScheduler, state: int, event: int) -> None:
        kept = self._kept(scheduler)
        if kept.state == STATE_STOPPED:
            raise SchedulerNotRunningError
        if kept.state != state:
            kept.state = state
            scheduler._dispatch_event(SchedulerEvent(event))

    def _wakeup(self, scheduler: BaseScheduler) -> None:
        """Do nothing: the test says when jobs run."""

    def _store_starts(self, store: BaseJobStore, *args: Any) -> None:
        """Do not connect."""

    def _modify_job(
        self, original: Any, scheduler: BaseScheduler, *args: Any, **changes: Any
    ) -> Any:
        with scheduler._jobstores_lock:
            job = original(*args, **changes)
            kept = self._kept(scheduler)
            if kept.state == STATE_STOPPED:
                # No store is told.
                kept.changes.note(job.id, job)
        return job

    def _remove_all_jobs(
        self, original: Any, scheduler: BaseScheduler, jobstore: str | None = None
    ) -> None:
        kept = self._kept(scheduler)
        if kept.state != STATE_STOPPED:
            original(jobstore)
            return
        # The original would give the scheduler another list, and keep it after the harness.
        with scheduler._jobstores_lock:
            for place in reversed(range(len(kept.pending))):
                if not jobstore or kept.pending[place][1] == jobstore:
                    del kept.pending[place]
        scheduler._dispatch_event(SchedulerEvent(EVENT_ALL_JOBS_REMOVED, jobstore))

    def _import_jobs(
        self, original: Any, scheduler: BaseScheduler, *args: Any, **kwargs: Any
    ) -> None:
        # The original takes no lock.
        with scheduler._jobstores_lock:
            original(*args, **kwargs)

    def _changed(self, scheduler: BaseScheduler, change: Change) -> None:
        """Report a job that was added, changed or removed, and runs once. One that recurs comes when it fires."""
        job = change.job
        self._withdraw(scheduler, change.job_id)
        if job is None:
            return
        self._schedulers.note(scheduler)
        self._functions[name_of(job.func)] = job.func
        if not isinstance(job.trigger, DateTrigger):
            return
        run_time = getattr(job, "next_run_time", job.trigger.run_date)
        if run_time is None:
            return
        run = Run(scheduler, job, run_time, job.id, self.sink.now_ns())
        record = change.record = self.store.records[scheduler, job.id] = self.new_record(run, FIRST)
        self.sink.added(record)
        if change.is_overtaken and record.state == "pending":
            self.sink.removed(record)
            raise ConflictingIdError(job.id)

    def _withdraw(self, scheduler: BaseScheduler, job_id: str) -> None:
        record = self.store.records.pop((scheduler, job_id), None)
        if record is not None and record.state == "pending" and record.sequence >= 0:
            self.sink.removed(record)

    # What recurs

    def firings_between(self, after_ns: int, until_ns: int) -> Iterator[Due]:
        """Yield when the schedulers run the jobs that recur, and those that were added before the harness."""
        for scheduler in self._schedulers.running():
            kept = self._kept(scheduler)
            for job in list(kept.jobs()):
                if kept.state == STATE_PAUSED or (scheduler, job.id) in self.store.records:
                    continue
                run_time = job.next_run_time
                while run_time is not None and (at_ns := to_ns(run_time, "run time")) <= until_ns:
                    # A run that was missed comes at once.
                    fire = partial(self._fire, scheduler, job.id, run_time)
                    yield max(at_ns, after_ns + 1), fire, *self._schedulers.far(scheduler)
                    run_time = job.trigger.get_next_fire_time(run_time, run_time)

    def _fire(self, scheduler: BaseScheduler, job_id: str, run_time: datetime) -> None:
        """Submit a run, unless the job was changed since or has been submitted for a later time already."""
        kept = self._kept(scheduler)
        job = kept.job(job_id)
        if job is None or kept.state == STATE_PAUSED or job.next_run_time is None:
            return
        now_ns = self.sink.now_ns()
        run_times = []
        following = job.next_run_time
        jitter = timedelta(seconds=getattr(job.trigger, "jitter", None) or 0)
        if jitter and abs(following - run_time) <= jitter:
            # The trigger has drawn another time since.
            following = run_time
        while following is not None and to_ns(following, "run time") <= now_ns:
            run_times.append(following)
            following = job.trigger.get_next_fire_time(following, following)
        if not run_times:
            return
        kept.advance(job, run_times[-1])
        if job.coalesce if hasattr(job, "coalesce") else scheduler._job_defaults["coalesce"]:
            run_times = run_times[-1:]
        most: Any = getattr(job, "max_instances", scheduler._job_defaults["max_instances"])
        if self.store.running.get((scheduler, job_id), 0) >= most:
            scheduler._dispatch_event(
                JobSubmissionEvent(EVENT_JOB_MAX_INSTANCES, job_id, "default", run_times)
            )
            return
        self._functions[name_of(job.func)] = job.func
        for each in run_times:
            run_id = f"{job_id} at {each.isoformat()}"
            self.report(Run(scheduler, job, each, run_id, now_ns), FIRST)

    # Functions and runs

    def find(self, job: object) -> Any:
        """Return a function of a module, or one that a scheduler has; also by its reference `module:function`."""
        if isinstance(job, str):
            with suppress(LookupError, ValueError):
                return self._functions.get(job) or ref_to_obj(job)
            return None
        if self._is_scheduled(job):
            return job
        with suppress(ValueError, AttributeError, TypeError, LookupError):
            return job if isroutine(job) and ref_to_obj(obj_to_ref(job)) is job else None
        return None

    def identify(self, job: object) -> str | None:
        """Return the name of a function that a scheduler has or had. Elsewhere a function is no job."""
        found = self.find(job)
        return name_of(found) if found is not None and self._is_scheduled(found) else None

    def adopt(self, job: object) -> str | None:
        """Return the name of a function of a module, where only a job can be meant."""
        found = self.find(job)
        return name_of(found) if isinstance(found, FunctionType | MethodType) else None

    def _is_scheduled(self, job: object) -> bool:
        functions = [*self._functions.values(), *self._scheduled_functions()]
        return callable(job) and any(job == each for each in functions)

    def _scheduled_functions(self) -> Iterator[Any]:
        for scheduler in self._schedulers.every():
            yield from (job.func for job in self._kept(scheduler).jobs())

    def known_names(self) -> set[str]:
        return {*self._functions, *map(name_of, self._scheduled_functions())}

    def name_of(self, task: Any) -> str:
        return name_of(task)

    def body_of(self, task: Any) -> Callable[..., Any]:
        function: Callable[..., Any] = task
        return function

    def task_of(self, message: Run) -> Any:
        return message.job.func

    def decoded(self, message: Run) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return message.arguments()

    def semantics_of(self, task: Any) -> DeliverySemantics:
        """Return that nothing comes again: a run is taken out of the job store before the function is called."""
        return AT_MOST_ONCE

    # Adding and performing

    def is_coroutine(self, record: JobRecord) -> bool:
        message = self.message_of(record)
        return message.is_coroutine and message.is_awaited

    def send(self, task: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        every = self._schedulers.every()
        having = (s for s in every if any(job.func == task for job in self._kept(s).jobs()))
        scheduler = next(having, every[0] if every else None)
        if scheduler is None:
            raise UnknownJobError(
                f"No scheduler is known here, so {name_of(task)} cannot be added."
            )
        # A store in memory shares them with the function, which may change them: another history has its own.
        args, kwargs = snapshot(args, dict(kwargs))()
        scheduler.add_job(task, args=args, kwargs=kwargs)

    def deliver(self, attempt: RunAttempt) -> Delivery | Awaitable[Delivery]:
        message = attempt.message
        key = message.scheduler, message.job.id
        if self.store.records.pop(key, None) is not None:
            kept = self._kept(message.scheduler)
            job = kept.job(message.job.id)
            if job is not None:
                kept.advance(job, message.run_time)
        if self.is_coroutine(attempt.record):
            return self._awaited(attempt, key)
        with self._running(key):
            return attempt.run()

    async def _awaited(self, attempt: RunAttempt, key: tuple[BaseScheduler, str]) -> Delivery:
        with self._running(key):
            return await attempt.run_coroutine()

    @contextmanager
    def _running(self, key: tuple[BaseScheduler, str]) -> Generator[None, None, None]:
        """Count a run, so that a scheduler does not exceed `max_instances`."""
        running = self.store.running
        running[key] = running.get(key, 0) + 1
        try:
            yield
        finally:
            running[key] -= 1


class _DrawnJitter:
    """Stands in for `random` where a trigger draws its jitter: `jobs_jitter` decides it in a harness."""

    def __init__(self, seam: Seam) -> None:
        self._seam = seam

    def uniform(self, a: float, b: float) -> float:
        bridge: APSchedulerBridge | None = self._seam.bridge_of(None)
        drawn = random.random() if bridge is None else bridge.draw()  # noqa: S311 - the jitter of a schedule
        return a + drawn * (b - a)


def _overlaying(attribute: str) -> Callable[..., Any]:
    """Return the method of the bridge that computes an attribute of schedulers."""

    def overlaid(
        bridge: APSchedulerBridge, original: Callable[[], Any], scheduler: BaseScheduler
    ) -> Any:
        return bridge.overlaid(scheduler, attribute, original)

    return overlaid
