"""The bridge of RQ."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from functools import partial
from importlib import import_module
from inspect import iscoroutinefunction
from typing import Any, Final

import rq
import rq.decorators
import rq.job
import rq.repeat
from rq.cron import CronScheduler
from rq.exceptions import DeserializationError as UnreadableError, DuplicateJobError
from rq.job import Job, Retry
from rq.queue import Queue
from rq.utils import as_text, now

from ...errors import ApplicationError, BridgeError, CriterionError, DeserializationError
from ...harness.time.waiting import off_the_loop
from ..toolkit import (
    FIRST,
    RETRY,
    CountedAttempts,
    Delivery,
    DeliverySemantics,
    Due,
    FunctionJobs,
    JobRecord,
    Origin,
    Probe,
    RedisServers,
    RetryPolicy,
    Seam,
    check_fakeredis,
    current_attempt,
    function_at,
    is_stand_in,
    path_of,
    to_datetime,
    to_ns,
)
from .attempt import HarnessWorker, RqAttempt
from .messages import SentJob, name_of
from .schedules import CronSchedulers, RqScheduler, due_time

_PROBE: Final = Probe(
    "rq",
    "rq:Queue(_, connection=)",
    "rq:Queue._enqueue_job(_, _, pipeline=, at_front=)",
    "rq:Queue.enqueue_call(_, _, args=, kwargs=, retry=)",
    "rq:Queue.enqueue_in(_, _, _)",
    "rq:Queue.enqueue_many(_, _, pipeline=)",
    "rq:Queue.get_redis_server_version(_)",
    "rq:Queue.schedule_job(_, _, _, pipeline=)",
    "rq.job:Job._execute(_)",
    "rq.job:Job.restore(_, _)",
    "rq.job:Job.send_webhooks",
    "rq.job:now",
    "rq.worker:SimpleWorker(_, connection=, job_class=, serializer=, prepare_for_work=)",
    "rq.worker:SimpleWorker._set_connection(_, _)",
    "rq.worker:SimpleWorker.execute_job(_, _, _)",
    "rq.worker:SimpleWorker.handle_exception(_, _, _)",
    "rq.worker:SimpleWorker.handle_execution_ended(_, _, _, _)",
    tested=((2, 10), (3, 0)),
)

#: Classes of RQ and of rq-scheduler whose objects keep a connection. A version may lack some of them.
_CONNECTED: Final = (
    "rq.cron:CronScheduler",
    "rq.executions:Execution",
    "rq.executions:ExecutionRegistry",
    "rq.group:Group",
    "rq.intermediate_queue:IntermediateQueue",
    "rq.job:Job",
    "rq.queue:Queue",
    "rq.rate_limit:RateLimitRegistry",
    "rq.registry:BaseRegistry",
    "rq.results:Result",
    "rq.worker.base:BaseWorker",
    "rq_scheduler:Scheduler",
)
#: Class methods that use the connection they are given.
_HANDED: Final = (
    "rq.cron:CronScheduler.all",
    "rq.cron:CronScheduler.fetch",
    "rq.group:Group.all",
    "rq.group:Group.fetch",
    "rq.job:Job.exists",
    "rq.job:Job.fetch_many",
    "rq.queue:Queue.all",
    "rq.worker.base:BaseWorker.all",
    "rq.worker.base:BaseWorker.all_keys",
    "rq.worker.base:BaseWorker.count",
)
#: Where rq-scheduler keeps the jobs that wait for their time.
_OF_RQ_SCHEDULER: Final = "rq:scheduler:scheduled_jobs"
_FAKED_VERSION: Final = (7, 0, 0)

#: The time from which `enqueue_in` counts.
_counted_from: ContextVar[int | None] = ContextVar("pytest_jobs_rq_counted_from", default=None)


def bridge(applications: Sequence[Any]) -> RqBridge:
    """Return a new bridge to all queues.

    Args:
        applications: queues, and cron schedulers.
    """
    return RqBridge(applications)


class Servers(RedisServers):
    """The servers, and what the harness has not recorded yet of what they have."""

    def __init__(self) -> None:
        super().__init__()
        #: Ids of unique jobs that a server has and the harness is about to record. A check may kill the worker
        #: between the two, and deliver its job again meanwhile.
        self.unreported: set[str] = set()


class RqBridge(CountedAttempts[Any, SentJob, Servers], FunctionJobs[SentJob, Servers]):
    """Brings the jobs of all queues of RQ into the harness, instead of their servers."""

    name = "rq"
    capabilities = frozenset(("eta", "headers", "retry", "async", "cron", "chains"))
    encoding = "pickles"
    attempt_class = RqAttempt
    asks_by = (Retry,)

    def __init__(self, applications: Sequence[Any] = ()) -> None:
        """Prepare a bridge.

        Args:
            applications: queues, and cron schedulers that no module has at its top. The first queue is where a
                test enqueues a function that nothing else says the queue of, and with it every function of a
                module is a job.

        Raises:
            UnknownVersionError: when the installed RQ lacks what the bridge relies on.
            BridgeError: when fakeredis is not installed.
            ApplicationError: when one of them is neither.
        """
        _PROBE.check(rq.__version__)
        check_fakeredis("RQ", "rq")
        for each in applications:
            if not isinstance(each, Queue | CronScheduler):
                raise ApplicationError(f"{each!r} is not a Queue or a CronScheduler of RQ.")
        super().__init__()
        self.version = rq.__version__
        self._queues = [each for each in applications if isinstance(each, Queue)]
        self._cron = CronSchedulers(each for each in applications if not isinstance(each, Queue))
        self._scheduler = RqScheduler()
        #: The last job of each function, whose options a test's own enqueue has too.
        self._last: dict[str, SentJob] = {}

    def described(self) -> str:
        return "every queue, on servers of fakeredis"

    def new_store(self) -> Servers:
        return Servers()

    # Instead of the servers

    def patch(self, seam: Seam) -> None:
        self._patch_connections(seam)
        seam.overlay(Queue, "_is_async", RqBridge._always)
        seam.replace(Queue, "get_redis_server_version", RqBridge._server_version)
        seam.wrap(Queue, "enqueue_in", RqBridge._enqueue_in)
        for name in ("enqueue_many", "enqueue_job"):
            seam.wrap(Queue, name, RqBridge._with_pipeline)
        seam.wrap(Queue, "_enqueue_job", RqBridge._enqueued)
        seam.wrap(Queue, "schedule_job", RqBridge._scheduled)
        for name in ("empty", "remove"):
            seam.wrap(Queue, name, RqBridge._emptied)
        for name in ("cancel", "delete"):
            seam.wrap(Job, name, RqBridge._cancelled)
        limits = _found("rq.rate_limit:RateLimitRegistry")
        for name in ("acquire_and_enqueue", "release_and_enqueue", "release_stale_and_enqueue"):
            if limits is not None:
                seam.wrap(limits, name, RqBridge._let_through)
        seam.wrap(Job, "_execute", RqBridge._execute)
        seam.wrap(Job, "latest_result", RqBridge._latest_result)
        seam.replace(Job, "send_webhooks", RqBridge._send_no_webhooks)
        seam.replace(_found("rq.worker.base:BaseWorker"), "work", RqBridge._refuse_to_work)
        for module in (rq.job, rq.repeat):
            if hasattr(module, "now"):
                seam.set(module, "now", _noted_now)
        seam.wrap(CronScheduler, "register", RqBridge._cron_registered)
        scheduler = RqScheduler.library()
        if scheduler is not None:
            for name in ("enqueue_at", "enqueue_in", "schedule", "cron"):
                seam.wrap(scheduler, name, RqBridge._scheduled_elsewhere)
            seam.wrap(scheduler, "cancel", RqBridge._unscheduled)

    def _patch_connections(self, seam: Seam) -> None:
        for path in _CONNECTED:
            if (owner := _found(path)) is not None:
                seam.overlay(owner, "connection", RqBridge._connection)
        for path in _HANDED:
            owner_path, _, name = path.rpartition(".")
            if (owner := _found(owner_path)) is not None:
                _hand_stand_ins(seam, owner, name)

    def _connection(self, original: Callable[[], Any], owner: object) -> Any:
        return self.stand_in(original())

    def stand_in(self, connection: Any) -> Any:
        """Return the client in the place of another; a pipeline, in which commands wait, stays itself."""
        if connection is None or hasattr(connection, "command_stack"):
            return connection
        self.sink  # noqa: B018 - raises where no harness is open
        return self.store.client(connection)

    def _always(self, original: Callable[[], bool], queue: Queue) -> bool:
        """Return True: `is_async=False` would perform a job at its enqueue, and never retry it."""
        return True

    def _server_version(self, queue: Queue) -> tuple[int, int, int]:
        # Not asked for, since the queue would keep the version of the stand-in.
        return _FAKED_VERSION

    def _refuse_to_work(self, worker: Any, *args: Any, **kwargs: Any) -> None:
        raise BridgeError(
            f"{type(worker).__name__}.work() was called under the harness, which keeps the jobs until a verb "
            "performs them: write jobs.drain(), or say jobs_ignore = rq to work on the real queue."
        )

    def _send_no_webhooks(self, job: Job, *args: Any, **kwargs: Any) -> None:
        """Send nothing: no server may be told of a test."""

    # What is enqueued

    def _enqueue_in(
        self, original: Any, queue: Queue, delta: timedelta, *args: Any, **kwargs: Any
    ) -> Job:
        begun_ns = _whole_microseconds(self.sink.now_ns())
        token = _counted_from.set(begun_ns)
        try:
            job: Job = queue.enqueue_at(to_datetime(begun_ns) + delta, *args, **kwargs)
            return job
        finally:
            _counted_from.reset(token)

    def _with_pipeline(
        self, original: Any, queue: Queue, what: Any, pipeline: Any = None, **options: Any
    ) -> Any:
        return original(what, pipeline=self._ours(pipeline), **options)

    def _enqueued(
        self,
        original: Any,
        queue: Queue,
        job: Job,
        pipeline: Any = None,
        at_front: bool = False,
        **options: Any,
    ) -> Job:
        pipeline, is_unique = self._ours(pipeline), bool(options.get("unique"))
        with self._once(queue, job, is_unique=is_unique):
            made: Job = original(job, pipeline=pipeline, at_front=at_front, **options)
            sent = partial(self._sent, queue, made, at_front=bool(at_front), due_ns=None)
            # A script of the server enqueues a unique job, whatever the pipeline.
            _when_executed(None if is_unique else pipeline, lambda _: sent(is_unique=is_unique))
        return made

    def _scheduled(
        self,
        original: Any,
        queue: Queue,
        job: Job,
        moment: datetime,
        pipeline: Any = None,
        **options: Any,
    ) -> Job:
        pipeline, is_unique = self._ours(pipeline), bool(options.get("unique"))
        aware = moment.astimezone() if moment.tzinfo is None else moment
        with self._once(queue, job, is_unique=is_unique):
            made: Job = original(job, moment, pipeline=pipeline, **options)
            sent = partial(self._sent, queue, made, due_ns=to_ns(aware, "the time"))
            _when_executed(None if is_unique else pipeline, lambda _: sent(is_unique=is_unique))
        return made

    @contextmanager
    def _once(self, queue: Queue, job: Job, *, is_unique: bool) -> Generator[None, None, None]:
        """Let a job be enqueued in a block; forget the one of its id that was never recorded, if it is unique."""
        if not is_unique:
            yield
            return
        unreported = self.store.unreported
        if job.id in unreported and self.pending_with(job.id) is None:
            _forget(queue, job)
        unreported.add(job.id)
        try:
            yield
        except DuplicateJobError:
            unreported.discard(job.id)
            raise
        unreported.discard(job.id)

    def _let_through(
        self, original: Any, registry: Any, *args: Any, pipeline: Any = None, **kwargs: Any
    ) -> Any:
        """Report the jobs that a rate limit lets through: a script puts them into their queues."""
        if pipeline is None:
            promoted: list[str] = original(*args, **kwargs)
            self._promoted(registry, promoted)
            return promoted
        waiting = original(*args, pipeline=pipeline, **kwargs)
        place = len(pipeline.command_stack) - 1
        _when_executed(pipeline, lambda answers: self._promoted(registry, answers[place]))
        return waiting

    def _promoted(self, registry: Any, job_ids: Iterable[Any]) -> None:
        for job_id in map(as_text, job_ids):
            job = Job.fetch(job_id, connection=registry.connection)
            queue = Queue(job.origin, connection=registry.connection)
            self._sent(queue, job, due_ns=None, at_front=bool(job.enqueue_at_front))

    def _ours(self, pipeline: Any) -> Any:
        """Return a pipeline of a stand-in; for one of a real server None, so that nothing waits in it."""
        return pipeline if pipeline is None or is_stand_in(pipeline) else None

    def _sent(
        self,
        queue: Queue,
        job: Job,
        *,
        due_ns: int | None,
        at_front: bool = False,
        is_unique: bool = False,
    ) -> None:
        attempt = current_attempt.get()
        is_own = isinstance(attempt, RqAttempt) and attempt.message.job_id == job.id
        now_ns, number = _counted_from.get() or self.sink.now_ns(), 1
        origin: Origin = FIRST
        if isinstance(attempt, RqAttempt) and is_own:
            now_ns = attempt.read_ns or now_ns
            if attempt.is_repeated:
                number, origin = attempt.message.attempt + 1, RETRY
        elif (before := self.pending_with(job.id)) is not None and before.due_at is not None:
            # RQ's scheduler, or the project, moves a scheduled job to its queue.
            self.sink.removed(before)
        if due_ns is not None and due_ns <= now_ns:
            due_ns = None
        message = SentJob(queue, job, now_ns, due_ns, attempt=number, at_front=at_front)
        if origin is FIRST:
            self._last[message.name] = message
        message.has_own_id = is_unique
        self.report(message, origin)

    def _emptied(self, original: Any, queue: Queue, *args: Any, **kwargs: Any) -> Any:
        before = set(queue.job_ids)
        answer = original(*args, **kwargs)
        for job_id in before.difference(queue.job_ids):
            self._withdraw(job_id)
        return answer

    def _cancelled(self, original: Any, job: Job, *args: Any, **kwargs: Any) -> Any:
        answer = original(*args, **kwargs)
        self._withdraw(job.id)
        return answer

    def _withdraw(self, job_id: str) -> None:
        attempt = current_attempt.get()
        if isinstance(attempt, RqAttempt) and attempt.message.job_id == job_id:
            return  # The worker cleans up what it has performed.
        while (record := self.pending_with(job_id)) is not None:
            self.sink.removed(record)

    # Schedules

    def _cron_registered(self, original: Any, scheduler: Any, *args: Any, **kwargs: Any) -> Any:
        self._cron.note(scheduler)
        return original(*args, **kwargs)

    def _scheduled_elsewhere(self, original: Any, scheduler: Any, *args: Any, **kwargs: Any) -> Job:
        job: Job = original(*args, **kwargs)
        if not self._scheduler.note(scheduler, job):
            queue = scheduler.get_queue_for_job(job)
            due_ns = to_ns(due_time(scheduler, job), "the time")
            self._sent(queue, job, due_ns=due_ns, at_front=bool(job.enqueue_at_front))
        return job

    def _unscheduled(self, original: Any, scheduler: Any, job: Any) -> Any:
        answer = original(job)
        self._withdraw(getattr(job, "id", job))
        return answer

    def firings_between(self, after_ns: int, until_ns: int) -> Iterable[Due]:
        """Yield what RQ's cron scheduler and rq-scheduler enqueue in a span."""
        yield from self._cron.firings_between(after_ns, until_ns)
        yield from self._scheduler.firings_between(after_ns, until_ns)

    # Jobs and messages

    def find(self, job: object) -> Callable[..., Any] | None:
        if isinstance(job, str) and job in self._last:
            return self.task_of(self._last[job])
        return super().find(job)

    def marks(self, function: Callable[..., Any]) -> bool:
        """Say whether a function is under `@job`, or a queue is named in `jobs_apps`."""
        return bool(self._queues) or _declared(function) is not None

    def task_of(self, message: SentJob) -> Callable[..., Any] | None:
        return function_at(message.name)

    def decoded(self, message: SentJob) -> tuple[tuple[Any, ...], dict[str, Any]]:
        try:
            job = message.job()
            return tuple(job.args), dict(job.kwargs)
        except UnreadableError as error:
            raise DeserializationError(
                f"{message!r} cannot be read by the serializer of its queue: {error}."
            ) from error

    def rank(self, priority: int | None) -> int:
        """Return the priority: a job that was enqueued `at_front` has -1."""
        return priority or 0

    def is_coroutine(self, record: JobRecord) -> bool:
        return iscoroutinefunction(self.task_of(self.message_of(record)))

    def follow_ups(self, record: JobRecord) -> Collection[str]:
        message = self.message_of(record)
        job = message.job()
        dependents = Job.fetch_many(sorted(job.dependent_ids), connection=job.connection)
        return [name_of(each) for each in dependents if each is not None]

    def retried(self, message: SentJob, attempt: int) -> SentJob:
        left = message.number(b"retries_left")
        if left is None:
            return message.as_attempt(attempt, number_of_retries=attempt - 1)
        left += message.attempt - attempt
        if left < 0:
            raise CriterionError(
                f"{message.name} has no attempt {attempt}: its Retry allows {attempt + left} attempts."
            )
        return message.as_attempt(attempt, retries_left=left)

    def semantics_of(self, task: Callable[..., Any]) -> DeliverySemantics:
        """Return what a worker that lives, or the next one, does with the job of one that was killed.

        It counts as one that failed: a `Retry` sends it again, and without one it is a failed job.
        """
        is_retried = self._retry_of(task) is not None
        return DeliverySemantics(
            acknowledged="after" if is_retried else "before",
            redelivered_on_raise=False,
            redelivered_on_kill=is_retried,
            redelivered_on_outage=is_retried,
        )

    def policy_of(self, task: Callable[..., Any]) -> RetryPolicy | None:
        retry = self._retry_of(task)
        if retry is None:
            return None
        intervals = retry.intervals or [0]

        def wait(attempt: int) -> timedelta:
            left = retry.max - attempt + 1
            return timedelta(seconds=intervals[max(len(intervals) - left, 0)])

        return RetryPolicy(retry.max + 1, wait)

    def _retry_of(self, task: Callable[..., Any]) -> Retry | None:
        """Return the `Retry` of a function under `@job`, or of its last job."""
        declared = _declared(task)
        if declared is not None:
            retry: Retry | None = declared.retry
            return retry
        last = self._last.get(path_of(task))
        left = None if last is None else last.number(b"retries_left")
        if last is None or not left:
            return None
        return Retry(left, last.job().retry_intervals or 0)

    # Enqueueing and performing

    def send(
        self, task: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        """Enqueue a function as it declares, or with the options of its last job."""
        if _declared(task) is not None:
            vars(task)["delay"](*args, **kwargs)
            return
        last = self._last.get(path_of(task))
        if last is None:
            self._queue().enqueue_call(task, args, dict(kwargs))
            return
        job = last.job()
        last.sender.enqueue_call(
            task,
            args,
            dict(kwargs),
            timeout=None if job.timeout is None else int(job.timeout),
            result_ttl=job.result_ttl,
            failure_ttl=job.failure_ttl,
            meta=dict(job.meta),
            at_front=last.priority is not None,
            retry=self._retry_of(task),
            on_success=job.success_callback,
            on_failure=job.failure_callback,
        )

    def _queue(self) -> Queue:
        if self._queues:
            return self._queues[0]
        from redis import Redis

        return Queue("default", connection=Redis())

    def deliver(self, attempt: RqAttempt) -> Delivery | Awaitable[Delivery]:
        """Make one delivery through RQ's worker.

        Raises:
            BaseException: an error of the job that does not derive from Exception.
        """
        if self.is_coroutine(attempt.record):
            return self._delivered_in_a_loop(attempt)
        return self._delivered(attempt)

    async def _delivered_in_a_loop(self, attempt: RqAttempt) -> Delivery:
        """Deliver a coroutine function, for which RQ makes a loop of its own."""
        with off_the_loop():
            return self._delivered(attempt)

    def _delivered(self, attempt: RqAttempt) -> Delivery:
        message = attempt.message
        expires_ns = message.expires_ns
        if expires_ns is not None and expires_ns <= attempt.now_ns:
            return Delivery(attempt.record, attempt.now_ns, "discarded")
        queue, client = message.sender, message.sender.connection
        key = queue.job_class.key_for(message.job_id)
        with client.pipeline() as pipeline:
            pipeline.delete(key)
            pipeline.hset(key, mapping=dict(message.data))
            pipeline.lrem(queue.key, 1, message.job_id)
            pipeline.zrem(queue.scheduled_job_registry.key, message.job_id)
            pipeline.zrem(queue.failed_job_registry.key, message.job_id)
            if message.due_ns is not None:
                pipeline.zrem(_OF_RQ_SCHEDULER, message.job_id)
            pipeline.execute()
        worker = HarnessWorker(
            attempt,
            [queue],
            connection=client,
            job_class=queue.job_class,
            serializer=queue.serializer,
            prepare_for_work=False,
        )
        job = queue.fetch_job(message.job_id)
        if job is None:
            raise BridgeError(f"{message!r} is gone from the server that stands in.")
        worker.execute_job(job, queue)
        return attempt.delivery()

    def _execute(self, original: Callable[[], Any], job: Job) -> Any:
        attempt = current_attempt.get()
        if isinstance(attempt, RqAttempt) and attempt.message.job_id == job.id:
            return attempt.run(original, job)
        return original()

    def _latest_result(self, original: Any, job: Job, timeout: float = 0, **options: Any) -> Any:
        result = original(**options)
        if result is None and timeout:
            raise self.not_performed(job.id)
        return result


def _found(path: str) -> Any:
    """Return a class; None when its package is not installed, or this version does not have it."""
    module, _, name = path.partition(":")
    try:
        return getattr(import_module(module), name, None)
    except ImportError:
        return None


def _hand_stand_ins(seam: Seam, owner: type, name: str) -> None:
    """Let a class method use the stand-in of the connection that it is given."""
    method = vars(owner).get(name)
    if not isinstance(method, classmethod):
        return
    genuine: Callable[..., Any] = method.__func__

    def handed(cls: type, *args: Any, **kwargs: Any) -> Any:
        bridge = seam.bridge_of(cls)
        if bridge is not None:
            args = tuple(_stood_in(bridge, each) for each in args)
            kwargs = {key: _stood_in(bridge, each) for key, each in kwargs.items()}
        return genuine(cls, *args, **kwargs)

    seam.set(owner, name, classmethod(handed))


def _stood_in(bridge: RqBridge, given: Any) -> Any:
    return bridge.stand_in(given) if hasattr(given, "connection_pool") else given


def _forget(queue: Queue, job: Job) -> None:
    """Remove a job that was not enqueued after all from its server."""
    queue.connection.delete(job.key)
    queue.connection.lrem(queue.key, 0, job.id)
    queue.connection.zrem(queue.scheduled_job_registry.key, job.id)


def _when_executed(pipeline: Any, report: Callable[[Any], None]) -> None:
    """Report at once, or when a pipeline has sent what waits in it, with the answers to its commands."""
    if pipeline is None:
        report(None)
        return
    waiting: list[Callable[[Any], None]] | None = vars(pipeline).get("pytest_jobs_waiting")
    if waiting is None:
        waiting = pipeline.pytest_jobs_waiting = []
        pipeline.execute = partial(_execute, pipeline.execute, waiting)
        pipeline.reset = partial(_reset, pipeline.reset, waiting)
    waiting.append(report)


def _execute(execute: Callable[..., Any], waiting: list[Any], *args: Any, **kwargs: Any) -> Any:
    reports = waiting.copy()
    waiting.clear()
    answers = execute(*args, **kwargs)
    for report in reports:
        report(answers)
    return answers


def _reset(reset: Callable[[], Any], waiting: list[Any]) -> Any:
    waiting.clear()
    return reset()


def _noted_now() -> datetime:
    """Return the time, and note it for the wait that RQ may count from it."""
    attempt = current_attempt.get()
    if not isinstance(attempt, RqAttempt):
        return now()
    attempt.read_ns = _whole_microseconds(attempt.bridge.sink.now_ns())
    return to_datetime(attempt.read_ns)


def _whole_microseconds(ns: int) -> int:
    return ns - ns % 1000


def _declared(function: Callable[..., Any]) -> Any:
    """Return what `@job` keeps of a function; None for one that is not under it."""
    cells = getattr(getattr(function, "delay", None), "__closure__", None) or ()
    values = (cell.cell_contents for cell in cells)
    return next((value for value in values if isinstance(value, rq.decorators.job)), None)
