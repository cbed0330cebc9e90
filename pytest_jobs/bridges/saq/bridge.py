"""The bridge of SAQ, with what its servers would keep."""

from __future__ import annotations

import asyncio
import inspect
import random
from collections.abc import (
    AsyncIterator,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextvars import ContextVar
from functools import partial
from typing import Any, Final

import saq
import saq.utils
from croniter import croniter
from saq import Job, Queue, Status
from saq.job import TERMINAL_STATUSES

from ...errors import (
    BridgeError,
    CriterionError,
    UnknownJobError,
)
from ...harness.time.waiting import off_the_loop
from ..applications import ApplicationBridge, Applications
from ..lives import Lives, Started
from ..toolkit import (
    Binder,
    Delivery,
    DeliverySemantics,
    Due,
    JobRecord,
    PinnedRandom,
    Probe,
    Seam,
    current_attempt,
    duration_ns,
    times_between,
)
from .messages import SaqMessage, due_ns_of
from .workers import HarnessWorker, Registered, SaqAttempt, Workers


class Entry:
    """One job, as a server keeps it under its key."""

    __slots__ = ("data", "is_reported", "record", "status")

    def __init__(self, data: Any, status: Status, record: JobRecord | None = None) -> None:
        self.data = data
        self.status = status
        #: The record, while the job waits.
        self.record = record
        #: Whether the enqueue has ended. A worker that is killed before it has leaves nothing under the key.
        self.is_reported = True

    @property
    def is_over(self) -> bool:
        return self.status in TERMINAL_STATUSES


class Store:
    """The jobs of all queues, by the name of the queue and the key of the job."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], Entry] = {}
        #: When jobs that are over are forgotten, by the same keys.
        self._expiring: dict[tuple[str, str], int] = {}
        #: The workers that have started.
        self.workers: Started[HarnessWorker] = Started()

    def find(self, queue: Queue, key: str) -> Entry | None:
        return self._entries.get((queue.name, key))

    def of(self, queue: Queue) -> Iterator[Entry]:
        """Yield what is kept for a queue."""
        return (entry for (name, _), entry in list(self._entries.items()) if name == queue.name)

    def put(self, queue: Queue, job: Job) -> Entry:
        """Keep a job as it is now.

        Raises:
            Exception: when the queue cannot write it.
        """
        data = queue.serialize(job)
        entry = self._entries.get((queue.name, job.key))
        if entry is None:
            entry = self._entries[queue.name, job.key] = Entry(data, job.status)
        entry.data, entry.status = data, job.status
        self._expiring.pop((queue.name, job.key), None)
        return entry

    def expire(self, queue: Queue, key: str, at_ns: int) -> None:
        """Forget a job at a time."""
        self._expiring[queue.name, key] = at_ns

    def forget_expired(self, now_ns: int) -> None:
        for key in [key for key, at_ns in self._expiring.items() if at_ns <= now_ns]:
            del self._expiring[key]
            self._entries.pop(key, None)

    def drop(self, queue: Queue, key: str) -> None:
        self._entries.pop((queue.name, key), None)


_PROBE: Final = Probe(
    "saq",
    "saq:Job.next_retry_delay(_)",
    "saq:Job.refresh(_, until_complete=)",
    "saq:Queue.enqueue(_, _)",
    "saq:Queue._enqueue(_, _)",
    "saq:Queue._finish(_, _, _, result=, error=)",
    "saq:Queue._retry(_, _, _)",
    "saq:Queue._update(_, _)",
    "saq:Queue.abort(_, _, _, ttl=)",
    "saq:Queue.dequeue(_)",
    "saq:Queue.listen(_, _, _, timeout=)",
    "saq:Queue.map(_, _, _)",
    "saq:Queue.serialize(_, _)",
    "saq:Queue.deserialize(_, _)",
    "saq:Worker.process(_)",
    "saq:Worker._after_process(_, _)",
    "saq.worker:ensure_coroutine_function_many(_, _)",
    "saq.utils:exponential_backoff(attempts=, base_delay=, max_delay=, jitter=)",
    "saq.utils:random",
    tested=((0, 22), (0, 26)),
)

#: Whether the library is waiting for jobs to end.
_waiting: ContextVar[bool] = ContextVar("pytest_jobs_saq_waiting", default=False)


class SaqBridge(ApplicationBridge[Applications[Queue], Registered, SaqMessage, Store]):
    """Brings the jobs of all queues of SAQ into the harness, instead of Redis and PostgreSQL."""

    name = "saq"
    tells_when_asked = True
    capabilities = frozenset(("eta", "priority", "headers", "retry", "async", "serialise", "cron"))
    attempt_class = SaqAttempt
    elsewhere = "is in no settings of a worker here", "has the settings"
    order = 1
    in_loop = True
    names_arguments = True

    def __init__(
        self,
        queues: Sequence[Any] = (),
        *,
        settings: Sequence[Mapping[str, Any]] = (),
        context: Mapping[str, Any] | None = None,
    ) -> None:
        """Prepare a bridge.

        Args:
            queues: queues. Whatever queue a job is enqueued in, the job is recorded.
            settings: settings of workers, beside those at the top of modules.
            context: what jobs get as their context in place of what `startup` puts there, which does not run then.
        """
        _PROBE.check(saq.__version__)
        known: Applications[Queue] = Applications(
            queues,
            Queue,
            wanted="a queue of SAQ: name the queue, and import the settings of its worker",
            otherwise="the workers of saq",
        )
        super().__init__(saq.__version__, known)
        self._workers = Workers(settings, context)
        #: With which options each function was enqueued last. SAQ knows them of a job alone.
        self._options: dict[str, dict[str, Any]] = {}
        #: The queues that have counted something since the bridge was installed.
        self._counting: list[Queue] = []
        self._lives = Lives()

    def new_store(self) -> Store:
        return Store()

    # Instead of the servers

    def patch(self, seam: Seam) -> None:
        seam.replace_sending(Queue, "_enqueue", SaqBridge._enqueued)
        for name, method in _IN_MEMORY.items():
            seam.replace_below(Queue, name, method)
        seam.replace(Queue, "listen", SaqBridge._listen)
        seam.replace_below(Queue, "listen", SaqBridge._listen)
        seam.wrap(Queue, "map", SaqBridge._map)
        seam.set(saq.utils, "random", PinnedRandom(random).random)

    async def _connect(self, queue: Queue) -> None:
        await Queue.connect(queue)

    async def _nothing(self, queue: Queue, *args: Any, **kwargs: Any) -> None:
        """There is no server."""

    async def _none(self, queue: Queue, *args: Any, **kwargs: Any) -> list[str]:
        """Return no keys: nothing is scheduled or swept but by the harness."""
        return []

    async def _enqueued(self, queue: Queue, job: Job) -> Job | None:
        store, now_ns = self._kept(), self.sink.now_ns()
        entry = store.find(queue, job.key)
        if entry is not None and self._is_taken(entry, job.key):
            return None
        data = queue.serialize(job)
        self.sent_names.add(job.function)
        self._options[job.function] = {name: getattr(job, name) for name in _OPTIONS}
        self.applications.note(queue)
        self._report(queue, job, SaqMessage(queue, job, data, now_ns, due_ns_of(job, now_ns)))
        return job

    def _report(self, queue: Queue, job: Job, message: SaqMessage) -> None:
        entry = self._kept().put(queue, job)
        # First, since inline mode performs it at once.
        entry.record = record = self.new_record(message)
        entry.is_reported = False
        try:
            self.sink.added(record)
        except BaseException:
            if entry.record is record and self.pending_with(job.key) is None:
                self._kept().drop(queue, job.key)
            raise
        finally:
            entry.is_reported = True

    def _is_taken(self, entry: Entry, key: str) -> bool:
        """Return whether a job that has a key keeps others with this key out."""
        is_there = entry.is_reported or self.pending_with(key) is not None
        return is_there and not entry.is_over

    def _counts(self, queue: Queue) -> None:
        """Let a queue have the numbers again that it has before it counts."""
        if all(queue is not each for each in self._counting):
            self._counting.append(queue)
            before = {name: getattr(queue, name) for name in _COUNTS}
            self.patches.undo_by(lambda: vars(queue).update(before))

    def uninstall(self) -> None:
        super().uninstall()
        self._counting.clear()
        self._lives.clear()

    async def _retry(self, queue: Queue, job: Job, error: str | None) -> None:
        self._counts(queue)
        attempt = self._attempt_of(job)
        if attempt is not None and attempt.ending is not None:
            return
        delay, now_ns = job.next_retry_delay(), self.sink.now_ns()
        if attempt is not None and attempt.drawn is not None:
            most = None if job.retry_backoff is True else job.retry_backoff
            attempt.longest = saq.utils.exponential_backoff(
                attempts=job.attempts, base_delay=job.retry_delay, max_delay=most, jitter=False
            )
        data = queue.serialize(job)
        due_ns = now_ns + duration_ns(delay) if delay else None
        self._report(queue, job, SaqMessage(queue, job, data, now_ns, due_ns))

    async def _finish(
        self, queue: Queue, job: Job, status: Status, *, result: Any = None, **kwargs: Any
    ) -> None:
        self._counts(queue)
        attempt = self._attempt_of(job)
        if attempt is not None and attempt.ending is not None:
            return
        self._kept().put(queue, job).record = None
        if job.ttl < 0:
            self._kept().drop(queue, job.key)
        elif job.ttl:
            self._kept().expire(queue, job.key, self.sink.now_ns() + duration_ns(job.ttl))
        if attempt is not None:
            attempt.ended_as, attempt.result = status, result

    def _attempt_of(self, job: Job) -> SaqAttempt | None:
        attempt = current_attempt.get()
        is_own = isinstance(attempt, SaqAttempt) and attempt.message.job_id == job.key
        return attempt if isinstance(attempt, SaqAttempt) and is_own else None

    async def _update(self, queue: Queue, job: Job, status: Any = None, **kwargs: Any) -> None:
        entry = self._kept().find(queue, job.key)
        if not status and entry is not None:
            status = entry.status
        job.status = status or job.status
        self._kept().put(queue, job)

    async def _abort(self, queue: Queue, job: Job, error: str, ttl: float = 5) -> None:
        entry = self._kept().find(queue, job.key)
        job.status, job.error = Status.ABORTING, error
        waiting = None if entry is None else entry.record
        if waiting is not None:
            self.sink.removed(waiting)
        # A queue on Redis finishes what is in its list. A job that is not due is in none, and stays as it is.
        is_later = waiting is not None and (waiting.envelope.due_ns or 0) > self.sink.now_ns()
        if waiting is None or (is_later and _is_of_redis(queue)):
            self._kept().put(queue, job).record = None
        else:
            await queue.finish(job, Status.ABORTED, error=error)

    async def _dequeue(self, queue: Queue, *args: Any, **kwargs: Any) -> Job | None:
        """Return the job that is being delivered. A worker inside the application waits for ever."""
        attempt = current_attempt.get()
        if not isinstance(attempt, SaqAttempt) or attempt.waiting is None:
            await asyncio.Event().wait()
            return None
        job, attempt.waiting = attempt.waiting, None
        return job

    async def _job(self, queue: Queue, job_key: str) -> Job | None:
        entry = self._kept().find(queue, job_key)
        return None if entry is None else _read(queue, entry)

    async def _jobs(self, queue: Queue, job_keys: Iterable[str]) -> list[Job | None]:
        found = [(key, self._kept().find(queue, key)) for key in job_keys]
        for key, entry in found if _waiting.get() else ():
            if entry is not None and not entry.is_over:
                raise self.not_performed(key)
        return [None if entry is None else _read(queue, entry) for _, entry in found]

    async def _iter_jobs(
        self, queue: Queue, statuses: Iterable[Status] = tuple(Status), batch_size: int = 100
    ) -> AsyncIterator[Job]:
        for entry in self._kept().of(queue):
            if entry.status in statuses:
                yield _read(queue, entry)

    async def _count(self, queue: Queue, kind: str) -> int:
        entries = [entry for entry in self._kept().of(queue) if not entry.is_over]
        if kind == "incomplete":
            return len(entries)
        active = [entry for entry in entries if entry.status == Status.ACTIVE]
        if kind == "active":
            return len(active)
        waiting = [each.record for each in entries if each.record is not None]
        return len([each for each in waiting if each.envelope.due_ns is None])

    async def _info(
        self, queue: Queue, jobs: bool = False, offset: int = 0, limit: int = 10
    ) -> dict[str, Any]:
        count = {kind: await queue.count(kind) for kind in ("queued", "active", "incomplete")}
        kept = [_read(queue, entry).to_dict() for entry in self._kept().of(queue)] if jobs else []
        return {
            "workers": {},
            "name": queue.name,
            "queued": count["queued"],
            "active": count["active"],
            "scheduled": count["incomplete"] - count["queued"] - count["active"],
            "jobs": kept[offset : offset + limit],
        }

    async def _listen(
        self, queue: Queue, job_keys: Iterable[str], callback: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Call a callback with what the jobs came to; raise when one is not over: waiting would never end."""
        for key in job_keys:
            entry = self._kept().find(queue, key)
            if entry is None or not entry.is_over:
                raise self.not_performed(key)
            stop = callback(key, entry.status)
            if await stop if inspect.isawaitable(stop) else stop:
                return

    async def _map(
        self, original: Callable[..., Any], queue: Queue, *args: Any, **kwargs: Any
    ) -> Any:
        token = _waiting.set(True)
        try:
            return await original(*args, **kwargs)
        finally:
            _waiting.reset(token)

    def _kept(self) -> Store:
        self.store.forget_expired(self.sink.now_ns())
        return self.store

    # Functions and jobs

    def find(self, job: object) -> Registered | None:
        """Return the function that a worker has: the function itself, or its name."""
        if isinstance(job, str):
            return self._workers.named(job)
        if isinstance(job, Registered):
            return job
        return self._workers.of(job) if inspect.isroutine(job) else None

    def known_names(self) -> set[str]:
        return {name for worker in self._workers.every() for name in worker.registered}

    def queue_of(self, task: Registered) -> str:
        return str(task.worker.queue.name)

    def name_of(self, task: Registered) -> str:
        return task.name

    def body_of(self, task: Registered) -> Callable[..., Any]:
        return task.function

    def binder_of(self, task: Registered) -> Binder:
        # A worker passes the context first.
        return Binder(task.function, label=task.name, skip=1)

    def task_of(self, message: SaqMessage) -> Registered | None:
        return self._workers.named(message.name, message.sender)

    def job_of(self, record: JobRecord) -> object:
        task = self.task_of(self.message_of(record))
        return record.name if task is None else task.function

    def decoded(self, message: SaqMessage) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (), dict(message.read().kwargs or {})

    def payload_of(self, message: SaqMessage) -> object:
        return message.data

    def semantics_of(self, task: Registered) -> DeliverySemantics:
        """Return what happens to a job with the options of the last one, or with the default `retries=1`.

        The sweeper of a worker begins a job again that was begun and is stuck, if it has attempts left. Whatever
        their number, it takes a job that another worker has just taken, and not marked yet, for one that is stuck.
        """
        is_kept = self._options.get(task.name, {}).get("retries", 1) > 1
        return DeliverySemantics(
            acknowledged="after",
            redelivered_on_raise=False,
            redelivered_on_kill=is_kept,
            redelivered_on_outage=is_kept,
        )

    def retried(self, message: SaqMessage, attempt: int) -> SaqMessage:
        """Return the job as it is stored for another attempt."""
        retries = message.read().retries
        if attempt > retries:
            raise CriterionError(
                f"{message.name} was enqueued with retries={retries}, which is how many attempts SAQ makes: "
                f"ask for an attempt up to {retries}, and not for {attempt}."
            )
        return message.as_attempt(attempt)

    def send(
        self, task: Registered, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Coroutine[Any, Any, object]:
        named = dict(zip(self.signature(task).names, args, strict=False))
        sent: Coroutine[Any, Any, object]
        options = self._options.get(task.name, {})
        sent = task.worker.queue.enqueue(Job(task.name, kwargs={**named, **kwargs}, **options))
        return sent

    def firings_between(self, after_ns: int, until_ns: int) -> Iterator[Due]:
        """Yield the cron jobs of the workers at their times. The worker enqueues each some time before."""
        for worker in self._workers.every():
            for cron in worker.cron_jobs:

                def following(after: Any, cron: Any = cron, zone: Any = worker.cron_tz) -> Any:
                    return croniter(cron.cron, after.astimezone(zone)).get_next(type(after))

                for at_ns in times_between(following, after_ns, until_ns):
                    fire = partial(self._fire, worker.queue, cron, at_ns // 1_000_000_000)
                    yield at_ns, fire, *self._workers.far(worker)

    def _fire(self, queue: Queue, cron: Any, scheduled: int) -> None:
        options = {**vars(cron)}
        function, _, unique = options.pop("function"), options.pop("cron"), options.pop("unique")
        name = function.__qualname__
        if unique:
            options["key"] = f"cron:{name}"
        given = {key: value for key, value in options.items() if value is not None}
        with off_the_loop():
            asyncio.run(queue.enqueue(name, scheduled=scheduled, **given))

    # Performing

    async def deliver(self, attempt: SaqAttempt) -> Delivery:
        """Make one delivery through `process` of SAQ's worker."""
        message = attempt.message
        registered = self.task_of(message)
        if registered is None:
            raise UnknownJobError(
                f"No worker here has a function {message.name!r}, so a worker would fail the job with a KeyError: "
                "import the module that has the settings of the worker, or put the function into its `functions`."
                f"{self.nearest(message.name)}"
            )
        store, settled = self._kept(), registered.worker
        worker = await self._lives.started(store.workers, id(settled), settled.life)
        entry = store.find(message.sender, message.job_id)
        kept = None if entry is None else (entry.data, entry.status, entry.record)
        # What `job.update` has changed meanwhile is in the queue.
        is_waiting = entry is not None and entry.record is attempt.record
        job = _read(message.sender, entry) if entry is not None and is_waiting else message.read()
        if entry is not None:
            entry.record, entry.is_reported = None, True
        token = _waiting.set(False)
        try:
            await worker.perform(attempt, job)
        except BaseException:
            # A dead worker leaves the job as it was.
            if entry is not None and kept is not None:
                entry.data, entry.status, entry.record = kept
            raise
        finally:
            _waiting.reset(token)
        delivery = attempt.outcome()
        if delivery is None:
            raise BridgeError(
                f"The worker did nothing with {attempt.record!r}: it neither finished the job nor sent it again."
            )
        return delivery


#: The options of a job that decide what becomes of it when it fails.
_OPTIONS: Final = ("retries", "retry_delay", "retry_backoff", "timeout", "heartbeat")
#: What a queue counts.
_COUNTS: Final = ("complete", "failed", "retried", "aborted")
#: What stands in for the methods of queues.
_IN_MEMORY: Final[Mapping[str, Callable[..., Any]]] = {
    "connect": SaqBridge._connect,
    "disconnect": SaqBridge._nothing,
    "notify": SaqBridge._nothing,
    "write_worker_info": SaqBridge._nothing,
    "finish_abort": SaqBridge._nothing,
    "schedule": SaqBridge._none,
    "sweep": SaqBridge._none,
    "_retry": SaqBridge._retry,
    "_finish": SaqBridge._finish,
    "_update": SaqBridge._update,
    "abort": SaqBridge._abort,
    "dequeue": SaqBridge._dequeue,
    "job": SaqBridge._job,
    "jobs": SaqBridge._jobs,
    "iter_jobs": SaqBridge._iter_jobs,
    "count": SaqBridge._count,
    "info": SaqBridge._info,
}


def _is_of_redis(queue: Queue) -> bool:
    return any(kind.__module__ == "saq.queue.redis" for kind in type(queue).__mro__)


def _read(queue: Queue, entry: Entry) -> Job:
    job = queue.deserialize(entry.data)
    if job is None:
        raise BridgeError("A job of SAQ has no content.")
    return job
