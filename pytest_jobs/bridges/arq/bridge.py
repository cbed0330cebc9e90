"""The bridge of arq."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import replace
from functools import partial
from time import time_ns
from typing import Any, Final
from uuid import uuid4

from arq.connections import ArqRedis
from arq.constants import (
    abort_jobs_ss,
    job_key_prefix,
    result_key_prefix,
    retry_key_prefix,
)
from arq.jobs import Job, deserialize_job_raw, serialize_job
from arq.utils import timestamp_ms, to_unix_ms
from arq.version import VERSION
from arq.worker import Retry, RetryJob
from redis.exceptions import ConnectionError as RedisConnectionError

from ...errors import (
    BridgeError,
    CriterionError,
    NotPerformedError,
    UnknownJobError,
)
from ..applications import ApplicationBridge
from ..lives import Lives, Started
from ..toolkit import (
    FIRST,
    REDELIVERY,
    Binder,
    Delivery,
    DeliverySemantics,
    Due,
    JobRecord,
    Message,
    Origin,
    Probe,
    Seam,
    current_attempt,
    times_between,
    to_datetime,
)
from .server import Member, Server, ServerPipeline
from .settings import AllSettings, Task, WorkerSettings
from .worker import HarnessWorker, TaskAttempt

_MS: Final = 1_000_000
#: The arguments of `enqueue_job` that are not arguments of the function.
_OPTIONS: Final = frozenset(
    ("_job_id", "_queue_name", "_defer_until", "_defer_by", "_expires", "_job_try")
)
_PROBE: Final = Probe(
    "arq",
    "arq.connections:ArqRedis.enqueue_job(_, _, _job_id=, _queue_name=, _defer_until=, _defer_by=)",
    "arq.connections:ArqRedis.pipeline(_, transaction=)",
    "arq.connections:ArqRedis.execute_command(_, _)",
    "arq.cron:CronJob.calculate_next(_, _)",
    "arq.jobs:Job.abort(_, timeout=)",
    "arq.jobs:Job.result(_, timeout=)",
    "arq.jobs:deserialize_job_raw(_, deserializer=)",
    "arq.jobs:deserialize_result(_, deserializer=)",
    "arq.jobs:serialize_job(_, _, _, _, _, serializer=)",
    "arq.worker:Retry",
    "arq.worker:Worker.run_job(_, _, _)",
    "arq.worker:Worker.finish_job(_, _, _, _, _, _, _, _)",
    "arq.worker:Worker.finish_failed_job(_, _, _)",
    "arq.worker:get_kwargs(_)",
    "redis.asyncio.client:Pipeline.immediate_execute_command(_, _)",
    tested=((0, 25), (0, 28)),
)


class SentJob(Message):
    """One job as `enqueue_job` writes it to the server."""

    __slots__ = ("client", "data", "has_own_id", "score")

    def __init__(
        self, client: ArqRedis, job_id: str, data: bytes, queue: str, score: float, now_ns: int
    ) -> None:
        """Describe a job by its member of a sorted set: the score is in milliseconds since the epoch."""
        self.client, self.data, self.score = client, data, score
        self.has_own_id = False
        name, _, _, job_try, enqueued_ms = deserialize_job_raw(
            data, deserializer=client.job_deserializer
        )
        is_later = score > enqueued_ms
        super().__init__(
            name,
            job_id,
            # The wait counts from the time that arq has read.
            enqueued_ms * _MS if is_later else now_ns,
            queue=queue,
            attempt=job_try or 1,
            due_ns=int(score) * _MS if is_later else None,
        )

    def retried(self, attempt: int, score: float, defer_ms: int, now_ns: int) -> SentJob:
        """Return the job as it waits for another attempt."""
        other = copy(self)
        other.attempt, other.score = attempt, score
        other.enqueued_ns, other.due_ns = now_ns, None
        if defer_ms:
            other.enqueued_ns, other.due_ns = (int(score) - defer_ms) * _MS, int(score) * _MS
        return other

    def decoded(self, deserializer: Any = None) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Decode the arguments anew."""
        deserializer = deserializer or self.client.job_deserializer
        _, args, kwargs, _, _ = deserialize_job_raw(self.data, deserializer=deserializer)
        return tuple(args), kwargs


class Store:
    """What the Redis server would keep, and the workers that have started."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.workers: Started[HarnessWorker] = Started()
        #: The jobs that were not enqueued since there was one of their id.
        self.kept_out: list[tuple[JobRecord, str]] = []
        #: The ids that the application has chosen, and the last record of each. It has no number until it is in
        #: the ledger: a check may kill the worker before that, and deliver its job again meanwhile.
        self.chosen: dict[str, JobRecord | None] = {}
        #: The cron jobs that came when their worker started, by their ids.
        self.begun: dict[int, Any] = {}

    def forget(self, job_id: str, queue: str) -> None:
        """Remove a job that was not enqueued after all."""
        self.server.do("DEL", job_key_prefix + job_id)
        self.server.do("ZREM", queue, job_id)

    def load(self, message: SentJob) -> None:
        """Keep a job as the server does when a worker takes it: a redelivery may find it gone."""
        server, job_id = self.server, message.job_id
        server.put(job_key_prefix + job_id, message.data, message.expires_ns)
        server.put(retry_key_prefix + job_id, b"%d" % (message.attempt - 1))
        server.do("ZADD", message.queue, message.score, job_id)


class WorkerClient(ArqRedis):  # type: ignore[misc]
    """The client of a worker. It never connects, so `on_shutdown` may use it after the harness has closed."""

    def __init__(self, server: Server, settings: WorkerSettings) -> None:
        options = settings.options
        super().__init__(
            job_serializer=options.get("job_serializer"),
            job_deserializer=options.get("job_deserializer"),
            default_queue_name=settings.queue or "arq:queue",
        )
        self._server = server

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> ServerPipeline:
        return ServerPipeline(self._server, self, transaction)

    async def execute_command(self, *command: Any, **options: Any) -> Any:
        answer = self._server.do(*command)
        self._server.say(self)
        return answer


class ArqBridge(ApplicationBridge[AllSettings, Task, SentJob, Store]):
    """Brings the functions of all arq workers into the harness, instead of their Redis server."""

    name = "arq"
    tells_when_asked = True
    capabilities = frozenset(("eta", "retry", "async", "serialise", "unique", "cron"))
    attempt_class = TaskAttempt
    asks_by = (Retry, RetryJob)
    in_loop = True

    def __init__(self, settings: Sequence[Any] = ()) -> None:
        """Prepare a bridge.

        Args:
            settings: the worker settings that are asked first for a function that a test names by its name.
        """
        _PROBE.check(VERSION)
        super().__init__(VERSION, AllSettings(settings))
        self._lives = Lives()

    def new_store(self) -> Store:
        # `on_shutdown` may come after the harness has closed.
        return Store(
            Server(lambda: time_ns() if self._sink is None else self._sink.now_ns(), self._changed)
        )

    def uninstall(self) -> None:
        super().uninstall()
        self._lives.clear()

    # Instead of the server

    def patch(self, seam: Seam) -> None:
        seam.replace(ArqRedis, "pipeline", ArqBridge._pipeline)
        seam.replace(ArqRedis, "execute_command", ArqBridge._execute)
        for name in ("pubsub", "monitor"):
            seam.replace(ArqRedis, name, partial(ArqBridge._refuse, command=name.upper()))
        seam.wrap(ArqRedis, "enqueue_job", ArqBridge._enqueued)
        seam.wrap(Job, "result", ArqBridge._result)
        seam.wrap(Job, "abort", ArqBridge._abort)

    def _pipeline(
        self, client: ArqRedis, transaction: bool = True, shard_hint: str | None = None
    ) -> ServerPipeline:
        return ServerPipeline(self._kept().server, client, transaction)

    async def _execute(self, client: ArqRedis, *command: Any, **options: Any) -> Any:
        server = self._kept().server
        answer = server.do(*command)
        server.say(client)
        return answer

    def _refuse(self, client: ArqRedis, *args: Any, command: str, **options: Any) -> Any:
        return self._kept().server.do(command)

    async def _enqueued(
        self,
        enqueue: Callable[..., Coroutine[Any, Any, Job | None]],
        client: ArqRedis,
        function: str,
        *args: Any,
        **options: Any,
    ) -> Job | None:
        store, own_id = self._kept(), options.get("_job_id")
        queue = options.get("_queue_name") or client.default_queue_name
        if own_id is not None:
            before = store.chosen.setdefault(own_id, None)
            if before is not None and before.sequence < 0:
                # The worker that enqueued it was killed before it had.
                store.forget(own_id, queue)
        job = await enqueue(function, *args, **options)
        if job is None:
            self.sent_names.add(function)
            self._note_kept_out(client, function, args, options, queue)
        return job

    def _changed(self, client: ArqRedis, gone: list[Member], new: list[Member]) -> None:
        """Withdraw the jobs that a queue has no longer, and report those that it has now."""
        if self._sink is None:
            return
        attempt = current_attempt.get()
        # The worker moves and removes what it performs.
        own = attempt.message.job_id if isinstance(attempt, TaskAttempt) else None
        for _, job_id, _ in gone:
            record = self.pending_with(job_id) if job_id != own else None
            if record is not None:
                self.sink.removed(record)
        moved = {job_id for _, job_id, _ in gone}
        for queue, job_id, score in new:
            data = self.store.server.do("GET", job_key_prefix + job_id)
            if data is not None and job_id != own and queue != abort_jobs_ss:
                sent = SentJob(client, job_id, data, queue, score, self.sink.now_ns())
                self._appeared(sent, REDELIVERY if job_id in moved else FIRST)

    def _appeared(self, sent: SentJob, origin: Origin) -> None:
        store, job_id = self.store, sent.job_id
        self.sent_names.add(sent.name)
        sent.expires_ns = store.server.expires_ns(job_key_prefix + job_id)
        sent.has_own_id = job_id in store.chosen
        record = self.new_record(sent, origin)
        if sent.has_own_id:
            store.chosen[job_id] = record
        try:
            self.sink.added(record)
        except BaseException:
            if record.sequence < 0:
                store.forget(job_id, sent.queue or "")
            raise

    def _note_kept_out(
        self,
        client: ArqRedis,
        function: str,
        args: tuple[Any, ...],
        options: Mapping[str, Any],
        queue: str,
    ) -> None:
        """Note a job that arq did not enqueue, since there is one of its id, or a result."""
        job_id, now_ms = options["_job_id"], timestamp_ms()
        kwargs = {name: value for name, value in options.items() if name not in _OPTIONS}
        data = serialize_job(function, args, kwargs, None, now_ms, serializer=client.job_serializer)
        sent = SentJob(client, job_id, data, queue, now_ms, self.sink.now_ns())
        self._kept().kept_out.append((self.new_record(sent, FIRST), job_id))

    async def _result(self, wait: Callable[..., Any], job: Job, *args: Any, **options: Any) -> Any:
        """Return a result at once, or raise: arq would wait for ever for a job that nobody performs."""
        has_result = self._kept().server.value(result_key_prefix + job.job_id) is not None
        if not has_result and self.pending_with(job.job_id) is not None:
            raise self.not_performed(job.job_id)
        return await wait(*args, **options)

    async def _abort(self, abort: Callable[..., Any], job: Job, **options: Any) -> bool:
        """Abort a job as the worker does when it takes the job: `abort` would wait for that."""
        record = self.pending_with(job.job_id)
        if record is not None:
            message = self.message_of(record)
            task = self.task_of(message)
            if task is None or not task.settings.options.get("allow_abort_jobs"):
                raise NotPerformedError(
                    f"{record!r} is pending, and {task.settings if task else 'no worker settings'} does not say "
                    "allow_abort_jobs = True: a worker performs the job all the same, and abort() would wait for "
                    "that. Say it there, or do not abort."
                )
            self.store.load(message)
            server = self.store.server
            server.do("ZADD", abort_jobs_ss, timestamp_ms(), job.job_id)
            worker = await self._worker(task.settings)
            attempt = TaskAttempt(self, record, message, self.sink.now_ns(), lambda call: call())
            await worker.receive(attempt, task, 1)
            self.sink.removed(record)
        aborted: bool = await abort(**options)
        self._kept().server.do("ZREM", abort_jobs_ss, job.job_id)
        return aborted

    # Functions and jobs

    def find(self, job: object) -> Task | None:
        """Return a function of any worker."""
        if isinstance(job, Task):
            return job
        return (
            self.applications.named_task(job)
            if isinstance(job, str)
            else self.applications.task_of(job)
        )

    def queue_of(self, task: Task) -> str | None:
        return task.settings.queue

    def unknown(self, job: object) -> Exception:
        return CriterionError(
            f"{job!r} is not among the functions of {self}: add it to `functions` of the worker settings, and "
            "import the module that defines them."
        )

    def name_of(self, task: Task) -> str:
        return task.name

    def body_of(self, task: Task) -> Callable[..., Any]:
        return task.body

    def binder_of(self, task: Task) -> Binder:
        # The first argument is the `ctx` of the worker.
        return Binder(task.body, label=task.name, skip=1)

    def task_of(self, message: SentJob) -> Task | None:
        return self.applications.named_task(message.name, message.queue)

    def job_of(self, record: JobRecord) -> object:
        """Return the coroutine function, which is what a project has; its name when it is not known here."""
        task = self.task_of(self.message_of(record))
        return record.name if task is None else task.body

    def payload_of(self, message: SentJob) -> object:
        return message.data

    def decoded(self, message: SentJob) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return message.decoded()

    def refusal(self, why: str) -> Exception:
        return RedisConnectionError(why)

    def semantics_of(self, task: Task) -> DeliverySemantics:
        """Say that a job stays in the queue while it runs, and that each run counts for `max_tries`."""
        is_again = self._most_attempts(task) > 1
        return DeliverySemantics("after", False, is_again, is_again)

    def _most_attempts(self, task: Task) -> int:
        own = task.function.max_tries
        most: int = task.settings.options.get("max_tries", 5) if own is None else own
        return most

    def redeliver(self, record: JobRecord) -> JobRecord:
        """Report the same job again, one that does not expire: a test decides when it comes again."""
        message = copy(self.message_of(record))
        message.expires_ns = None
        return self.report(message, REDELIVERY)

    def retried(self, message: SentJob, attempt: int) -> SentJob:
        return message.retried(attempt, message.score, 0, message.enqueued_ns)

    # Jobs that are kept out

    def locks(self, now_ns: int) -> Sequence[Any]:
        """Return none: the id of a job is taken while it is queued, or has a result."""
        return ()

    def kept_out(self) -> Sequence[tuple[JobRecord, str]]:
        """Return the jobs that `enqueue_job` did not enqueue, since there was one with their `_job_id`."""
        return self.store.kept_out

    def redrive(self, record: JobRecord) -> JobRecord:
        """Enqueue a dead job anew, under an id of its own: its result takes its first one."""
        message = copy(self.message_of(record))
        message.job_id, message.attempt = uuid4().hex, 1
        message.enqueued_ns, message.due_ns, message.score = (
            self.sink.now_ns(),
            None,
            timestamp_ms(),
        )
        message.expires_ns = None
        return self.report(message, FIRST)

    # Cron jobs

    def firings_between(self, after_ns: int, until_ns: int) -> Iterator[Due]:
        """Yield the cron jobs that workers enqueue in a span. A worker starts when time first passes."""
        begun = self._kept().begun
        for settings in self.applications.every():
            far = [] if settings in self.applications.named else [settings.given]
            for cron_job in settings.cron_jobs:
                if cron_job.run_at_startup and after_ns < until_ns and id(cron_job) not in begun:
                    begun[id(cron_job)] = cron_job
                    yield after_ns + 1, partial(self._fire, settings, cron_job, after_ns), *far
                following = partial(_next_run, cron_job, settings.options.get("timezone"))
                for at_ns in times_between(following, after_ns, until_ns):
                    yield at_ns, partial(self._fire, settings, cron_job, at_ns), *far

    def _fire(self, settings: WorkerSettings, cron_job: Any, at_ns: int) -> None:
        """Enqueue a cron job as `Worker.run_cron` does."""
        client = WorkerClient(self._kept().server, settings)
        job_id = cron_job.job_id
        if job_id is None and cron_job.unique:
            job_id = f"{cron_job.name}:{to_unix_ms(to_datetime(at_ns))}"
        enqueueing = client.enqueue_job(cron_job.name, _job_id=job_id, _queue_name=settings.queue)
        with suppress(StopIteration):
            # The stand-in for the server never waits, so this runs to the end.
            enqueueing.send(None)

    # Enqueueing and performing

    def send(
        self, task: Task, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Coroutine[Any, Any, Job | None]:
        client = WorkerClient(self._kept().server, task.settings)
        enqueueing: Coroutine[Any, Any, Job | None] = client.enqueue_job(task.name, *args, **kwargs)
        return enqueueing

    async def deliver(self, attempt: TaskAttempt) -> Delivery:
        """Make one delivery through arq's worker."""
        message: SentJob = attempt.message
        task = self.task_of(message)
        if task is None:
            raise UnknownJobError(
                f"No worker settings have a function named {message.name!r}, so a worker fails the job: add the "
                f"function to `functions`, and import the module of the settings.{self.nearest(message.name)}"
            )
        store = self._kept()
        store.load(message)
        worker = await self._worker(task.settings)
        await worker.receive(attempt, task, int(message.score))
        _raise_own_cancellation(attempt)
        if not attempt.is_finished:
            return await self._sent_again(attempt, task, worker)
        if attempt.was_called:
            return _ended(attempt, task)
        error = attempt.refusal
        if isinstance(error, asyncio.CancelledError):
            return Delivery(attempt.record, attempt.now_ns, "cancelled", error=error)
        is_last = message.attempt > self._most_attempts(task)
        return attempt.failed(
            error or BridgeError(f"arq dropped {attempt.record!r}."),
            "exhausted" if is_last else "failed",
        )

    async def _sent_again(
        self, attempt: TaskAttempt, task: Task, worker: HarnessWorker
    ) -> Delivery:
        """Return what became of a job that the worker has left in its queue."""
        message, error = attempt.message, attempt.raised
        if error is not None and message.attempt >= self._most_attempts(task):
            # The worker that takes it the next time does not run it, and says so in its result.
            await worker.receive(attempt, task, int(message.score))
            return attempt.failed(error, "exhausted")
        server = self._kept().server
        score = server.do("ZSCORE", message.queue, message.job_id)
        asked_ms = (error.defer_score if isinstance(error, Retry) else None) or 0
        # No worker takes a job while the server knows it as one that is in progress.
        wait_ms = max(asked_ms, attempt.kept_ms)
        due_ms = score + wait_ms - asked_ms
        again = message.retried(message.attempt + 1, due_ms, wait_ms, self.sink.now_ns())
        self.report(again)
        return attempt.retried(error, is_exact=True)

    async def _worker(self, settings: WorkerSettings) -> HarnessWorker:
        """Return the worker with some settings on the running event loop, started."""
        store = self._kept()

        def life() -> AsyncGenerator[HarnessWorker, None]:
            return HarnessWorker.of(settings, WorkerClient(store.server, settings)).life()

        return await self._lives.started(store.workers, id(settings.given), life)


def _next_run(cron_job: Any, timezone: Any, after: Any) -> Any:
    """Return the next time of a cron job after another."""
    # A copy, since the application's own one keeps when it is due next.
    other = replace(cron_job)
    other.calculate_next(after.astimezone(timezone))
    return other.next_run


def _raise_own_cancellation(attempt: TaskAttempt) -> None:
    """Raise the cancellation of the task that performs: the worker takes it for one of the job."""
    performing = asyncio.current_task()
    is_cancelled = performing is not None and performing.cancelling() > 0
    if is_cancelled and isinstance(attempt.raised, asyncio.CancelledError):
        raise attempt.raised


def _ended(attempt: TaskAttempt, task: Task) -> Delivery:
    error = attempt.raised
    if error is None:
        return attempt.performed(attempt.result)
    if isinstance(error, asyncio.CancelledError):
        # `wait_for` cancels a function that runs too long.
        seconds = task.function.timeout_s or task.settings.options.get("job_timeout", 300)
        timeout = TimeoutError(f"{task.name} ran longer than its timeout, {seconds} s.")
        timeout.__cause__ = error
        return attempt.failed(timeout)
    return attempt.failed(error)
