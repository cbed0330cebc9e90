"""The bridge of RQ."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextvars import ContextVar
from datetime import datetime, timedelta
from importlib import import_module
from inspect import iscoroutinefunction
from types import FunctionType
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

import rq
import rq.decorators
import rq.job
import rq.repeat
from redis.exceptions import ConnectionError as RedisConnectionError
from rq.cron import CronScheduler
from rq.exceptions import DeserializationError as UnreadableError
from rq.job import Job, Retry
from rq.queue import Queue
from rq.registry import ScheduledJobRegistry
from rq.utils import as_text, now

from ...errors import BridgeError, CriterionError, DeserializationError
from ...harness.records.attributes import variables_of_modules
from ...harness.time.waiting import off_the_loop
from ..toolkit import (
    AT_LEAST_ONCE,
    AT_MOST_ONCE,
    FIRST,
    REDELIVERY,
    RETRY,
    CountedAttempts,
    Delivery,
    DeliverySemantics,
    Due,
    FunctionJobs,
    JobRecord,
    Member,
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
    reporting_afterwards,
    to_datetime,
    to_ns,
)
from .attempt import HarnessWorker, RqAttempt
from .messages import SentJob, name_of
from .schedules import CronSchedulers, RqScheduler

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
    "rq.job:now",
    "rq.worker:SimpleWorker(_, connection=, job_class=, serializer=, prepare_for_work=)",
    "rq.worker:SimpleWorker._set_connection(_, _)",
    "rq.worker:SimpleWorker.execute_job(_, _, _)",
    "rq.worker:SimpleWorker.handle_exception(_, _, _)",
    "rq.worker:SimpleWorker.handle_execution_ended(_, _, _, _)",
    tested=((2, 8), (3, 0)),
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
#: What the keys of queues and of their schedules begin with.
_QUEUES: Final = Queue.redis_queue_namespace_prefix.encode()
_SCHEDULES: Final = ScheduledJobRegistry.key_template.format("").encode()
_FAKED_VERSION: Final = (7, 0, 0)
_SECOND_NS: Final = 1_000_000_000

#: The time from which `enqueue_in` counts.
_counted_from: ContextVar[int | None] = ContextVar("pytest_jobs_rq_counted_from", default=None)


class Servers(RedisServers):
    """The servers, whose queues and schedules say which jobs wait."""

    def __init__(self, bridge: RqBridge) -> None:
        super().__init__()
        self._bridge = bridge
        #: The queues and the schedulers that have asked for their connection, by the keys of what they keep.
        self.owners: dict[bytes, Any] = {}
        #: What an enqueue said of a job that no key says, by the id of the job.
        self.asked: dict[str, Asked] = {}
        #: By the id of a job, where it waits, and its record. The record has no number until it is in the ledger:
        #: a check may kill the worker before that, and deliver its job again meanwhile.
        self.waiting: dict[str, list[tuple[bytes, JobRecord]]] = {}
        #: The hash of each job that was reported.
        self.reported: dict[str, Mapping[bytes, bytes]] = {}
        #: The pipelines of the application's own clients, in which jobs wait, each with that of a stand-in.
        self.pipelines: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
        #: The ids that came before their jobs, by the keys of these.
        self.early: dict[bytes, Member] = {}

    def watches(self, key: bytes) -> bool:
        if key.endswith(b":intermediate"):
            return False  # Where a worker keeps what it has taken.
        return key.startswith((_QUEUES, _SCHEDULES)) or key in self.owners or key in self.early

    def is_in_use(self) -> bool:
        return self._bridge.observes(self)

    def changed(self, gone: list[Member], new: list[Member]) -> None:
        for member in gone:
            self._bridge.left(member)
        records = [self._bridge.appeared(self.early.pop(each.key, each)) for each in new]
        self._bridge.sink.added_together([each for each in records if each is not None])

    def beside(self, pipeline: Any) -> Any:
        """Return the pipeline of a stand-in that is executed, or emptied, when another pipeline is."""
        own = self.pipelines.get(pipeline)
        if own is None:
            own = self.pipelines[pipeline] = self.client(pipeline).pipeline()
            execute, reset = pipeline.execute, pipeline.reset

            def execute_both(*args: Any, **kwargs: Any) -> Any:
                own.execute()
                return execute(*args, **kwargs)

            def reset_both() -> None:
                own.reset()
                reset()

            pipeline.execute, pipeline.reset = execute_both, reset_both
        return own


class Asked(NamedTuple):
    """What an enqueue said of a job."""

    queue: Queue
    job: Job
    #: The time, which a schedule keeps in whole seconds.
    due_ns: int | None = None
    at_front: bool = False
    is_unique: bool = False


class RqBridge(CountedAttempts[Any, SentJob, Servers], FunctionJobs[SentJob, Servers]):
    """Brings the jobs of all queues of RQ into the harness, instead of their servers."""

    name = "rq"
    tells_when_asked = True
    capabilities = frozenset(("eta", "headers", "retry", "async", "cron", "chains"))
    attempt_class = RqAttempt
    asks_by = (Retry,)
    #: A job that was enqueued `at_front` has -1.
    order = 1

    def __init__(self, applications: Sequence[Any] = ()) -> None:
        """Prepare a bridge.

        Args:
            applications: queues, and cron schedulers that no module has at its top. The first queue is where a
                test enqueues a function that nothing else says the queue of, and with it every function of a
                module is a job.

        Raises:
            BridgeError: when fakeredis is not installed.
        """
        _PROBE.check(rq.__version__)
        check_fakeredis("RQ", "rq")
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
        return Servers(self)

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
        seam.wrap(Job, "_execute", RqBridge._execute)
        seam.wrap(Job, "latest_result", RqBridge._latest_result)
        # Since RQ 2.10.
        if hasattr(Job, "send_webhooks"):
            seam.replace(Job, "send_webhooks", RqBridge._send_no_webhooks)
        seam.replace(_found("rq.worker.base:BaseWorker"), "work", RqBridge._refuse_to_work)
        for module in (rq.job, rq.repeat):
            if hasattr(module, "now"):
                seam.set(module, "now", _noted_now)
        seam.wrap(CronScheduler, "register", RqBridge._cron_registered)

    def _patch_connections(self, seam: Seam) -> None:
        for path in _CONNECTED:
            if (owner := _found(path)) is not None:
                seam.overlay(owner, "connection", RqBridge._connection)
        for path in _HANDED:
            owner_path, _, name = path.rpartition(".")
            if (owner := _found(owner_path)) is not None:
                _hand_stand_ins(seam, owner, name)

    def _connection(self, original: Callable[[], Any], owner: Any) -> Any:
        if isinstance(owner, Queue):
            self.store.owners[owner.key.encode()] = owner
            self.store.owners[_SCHEDULES + owner.name.encode()] = owner
        elif hasattr(owner, "scheduled_jobs_key"):
            self.store.owners[owner.scheduled_jobs_key.encode()] = owner
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
        self._ask(Asked(queue, job, None, bool(at_front), bool(options.get("unique"))))
        made: Job = original(job, pipeline=self._ours(pipeline), at_front=at_front, **options)
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
        aware = moment.astimezone() if moment.tzinfo is None else moment
        due_ns = to_ns(aware, "the time")
        self._ask(Asked(queue, job, due_ns, is_unique=bool(options.get("unique"))))
        # RQ 2 schedules before it saves what the job is now.
        with reporting_afterwards(queue.connection):
            made: Job = original(job, moment, pipeline=self._ours(pipeline), **options)
        return made

    def _ask(self, asked: Asked) -> None:
        """Note what an enqueue says; forget a unique job of its id that was never recorded."""
        queue, job = asked.queue, asked.job
        waiting = self.store.waiting.get(job.id, ())
        if asked.is_unique and any(record.sequence < 0 for _, record in waiting):
            queue.connection.delete(job.key)
            queue.connection.lrem(queue.key, 0, job.id)
            queue.connection.zrem(queue.scheduled_job_registry.key, job.id)
        self.store.asked[job.id] = asked

    def _ours(self, pipeline: Any) -> Any:
        """Return a pipeline of a stand-in, which may be executed with one of a real server."""
        is_ours = pipeline is None or is_stand_in(pipeline)
        return pipeline if is_ours else self.store.beside(pipeline)

    # What is new in the store

    def observes(self, servers: Servers) -> bool:
        """Say whether servers are those of the harness or sandbox that is open."""
        return self._sink is not None and self.store is servers

    def appeared(self, member: Member) -> JobRecord | None:
        """Return the record of a job that a queue or a schedule has now, whatever method put it there."""
        store, said = self.store, self.store.asked.get(member.value)
        queue = said.queue if said else self._queue_of(member)
        key = queue.job_class.key_for(member.value)
        if not member.client.exists(key):
            store.early[key.encode()] = member
            return None
        store.asked.pop(member.value, None)
        fetch = queue.job_class.fetch
        asked = said or Asked(queue, fetch(member.value, queue.connection, queue.serializer))
        if self._scheduler.note(store.owners.get(member.key), asked.job):
            return None
        message, origin = self._sent(asked, member.score)
        if said is None and store.reported.get(member.value) == message.data:
            origin = REDELIVERY  # It was moved, or put there once more.
        if origin is FIRST:
            self._last[message.name] = message
        store.reported[member.value] = message.data
        self._overwrite(message)
        record = self.new_record(message, origin)
        store.waiting.setdefault(member.value, []).append((member.key, record))
        return record

    def _sent(self, asked: Asked, score: float | None) -> tuple[SentJob, Origin]:
        """Return a job as it was sent, and whether it is a retry."""
        job, due_ns = asked.job, None
        if score is not None:
            due_ns = asked.due_ns or int(score) * _SECOND_NS
        origin: Origin = FIRST
        attempt, number = current_attempt.get(), 1
        now_ns = _counted_from.get() or self.sink.now_ns()
        if isinstance(attempt, RqAttempt) and attempt.message.job_id == job.id:
            now_ns = attempt.read_ns or now_ns
            if attempt.is_repeated:
                number, origin = attempt.message.attempt + 1, RETRY
        if due_ns is not None and due_ns <= now_ns:
            due_ns = None
        at_front = asked.at_front or bool(job.enqueue_at_front)
        message = SentJob(asked.queue, job, now_ns, due_ns, attempt=number, at_front=at_front)
        message.has_own_id = asked.is_unique
        return message, origin

    def _queue_of(self, member: Member) -> Queue:
        """Return the queue of a job that no enqueue has named."""
        owner = self.store.owners.get(member.key)
        if isinstance(owner, Queue):
            return owner
        origin = member.client.hget(Job.key_for(member.value), "origin")
        return Queue(as_text(origin or b""), connection=member.client)

    def _overwrite(self, message: SentJob) -> None:
        """Let each job that waits under an id be the one that has taken its place on the server."""
        waiting = self.store.waiting.get(message.job_id, [])
        for place, (key, record) in enumerate(waiting):
            before = self.message_of(record)
            if before.data[b"data"] != message.data[b"data"]:
                self.sink.removed(record)
                waiting[place] = key, self.report(before.overwritten(message), REDELIVERY)

    def left(self, member: Member) -> None:
        """Withdraw a job that a queue or a schedule has no longer, unless its delivery takes it from there."""
        store, attempt, taken = self.store, current_attempt.get(), None
        if isinstance(attempt, RqAttempt) and attempt.message.job_id == member.value:
            # Once its function has run, the worker takes nothing more.
            taken = None if attempt.has_run else attempt.record
        waiting = store.waiting.get(member.value, [])
        here = [each for each in waiting if each[0] == member.key and taken in (None, each[1])]
        if here:
            waiting.remove(here[0])
            if taken is None and here[0][1].sequence >= 0:
                self.sink.removed(here[0][1])
        early = [key for key, each in store.early.items() if each[:3] == member[:3]]
        for key in early:
            del store.early[key]

    # Schedules

    def _cron_registered(self, original: Any, scheduler: Any, *args: Any, **kwargs: Any) -> Any:
        self._cron.note(scheduler)
        return original(*args, **kwargs)

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
        return bool(self._queues) or _declared(function) is not None or super().marks(function)

    def task_of(self, message: SentJob) -> Callable[..., Any] | None:
        return function_at(message.name)

    def known_names(self) -> Collection[str]:
        """Return the names of functions that were enqueued, are under `@job`, or in a cron scheduler."""
        variables = variables_of_modules(lambda kind: kind is FunctionType)
        marked = {path_of(each) for *_, each in variables if _declared(each) is not None}
        return {*super().known_names(), *marked, *self._cron.names()}

    def queue_of(self, task: Callable[..., Any]) -> str | None:
        queue = getattr(_declared(task), "queue", None)
        return getattr(queue, "name", queue)

    def decoded(self, message: SentJob) -> tuple[tuple[Any, ...], dict[str, Any]]:
        try:
            job = message.job()
            return tuple(job.args), dict(job.kwargs)
        except UnreadableError as error:
            raise DeserializationError(
                f"{message!r} cannot be read by the serializer of its queue: {error}."
            ) from error

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

    def refusal(self, why: str) -> Exception:
        return RedisConnectionError(why)

    def semantics_of(self, task: Callable[..., Any]) -> DeliverySemantics:
        """Return what a worker that lives, or the next one, does with the job of one that was killed.

        It counts as one that failed: a `Retry` sends it again, and without one it is a failed job.
        """
        return AT_MOST_ONCE if self._retry_of(task) is None else AT_LEAST_ONCE

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
        """Make one delivery through RQ's worker."""
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
        kept = {} if message.is_taken else client.hgetall(key)
        message.take(kept)
        with client.pipeline() as pipeline:
            if not kept:
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
