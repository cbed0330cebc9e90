"""The bridge of Celery."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from datetime import timedelta
from operator import attrgetter
from typing import Any, Final

import celery
from celery import Celery
from celery.app.amqp import AMQP
from celery.app.base import PendingConfiguration
from celery.app.task import Task, extract_exec_options
from celery.app.utils import Settings
from celery.backends.base import Backend
from celery.canvas import Signature
from celery.exceptions import Retry
from celery.utils import time as celery_time
from kombu.exceptions import OperationalError
from kombu.utils.functional import maybe_list

from ...errors import AmbiguousJobError, DeclarationError, NotPerformedError, UnknownJobError
from ..asking import word_asked_by
from ..toolkit import (
    FIRST,
    RETRY,
    Binder,
    CountedAttempts,
    Delivery,
    DeliverySemantics,
    Due,
    JobRecord,
    Origin,
    PinnedRandom,
    Probe,
    RetryPolicy,
    Seam,
    Steps,
    current_attempt,
    to_ns,
)
from .apps import Applications, Producer, Producers, app_text, describe, memory_connection, tasks_of
from .attempt import TaskAttempt, TaskPatches, pin_joining
from .beat import Beat, row_firings_between
from .messages import TaskMessage, following, steps_after
from .results import NoResults, ResultStore, has_results

_PROBE: Final = Probe(
    "celery",
    "celery._state:_get_active_apps()",
    "celery._state:_tls",
    "celery._state:get_current_app()",
    "celery.app.amqp:AMQP.Connection",
    "celery.app.amqp:AMQP.create_task_message",
    "celery.app.amqp:AMQP.producer_pool",
    "celery.app.amqp:AMQP.publisher_pool",
    "celery.app.amqp:AMQP.send_task_message",
    "celery.app.backends:by_url(_, _)",
    "celery.app.base:Celery.backend",
    "celery.app.base:Celery.connection_or_acquire(_, _)",
    "celery.app.base:Celery.default_connection",
    "celery.app.base:Celery.default_producer",
    "celery.app.base:Celery.now(_)",
    "celery.app.base:Celery.pool",
    "celery.app.base:Celery.producer_or_acquire(_, _)",
    "celery.app.base:Celery.send_task(_, _, _, _)",
    "celery.app.base:PendingConfiguration",
    "celery.app.task:Task.apply_async(_, _, _)",
    "celery.app.task:Task.backend",
    "celery.app.utils:Settings",
    "celery.backends.base:DisabledBackend(app=)",
    "celery.backends.base:KeyValueStoreBackend(_, url=)",
    "celery.result:_set_task_join_will_block(_)",
    "celery.result:task_join_will_block()",
    "celery.utils.time:random",
    "kombu.message:Message(body=, content_type=, headers=, properties=, delivery_info=, accept=)",
    "kombu.serialization:dumps(_, _)",
    tested=((5, 3), (5, 7)),
)

#: The time that Celery last computed an instant from, so that a countdown of 60 is a wait of 60 s.
_computed_from: ContextVar[int | None] = ContextVar("pytest_jobs_celery_now", default=None)
#: What Celery computed longer ago than this, in nanoseconds, it computed for something else.
_RECENT_NS: Final = 1_000_000_000


class Store(dict[Celery, dict[Any, Any]]):
    """What the result backend of each application keeps, and what workers do."""

    def __init__(self) -> None:
        #: The ids that were revoked: a message that comes later is discarded too.
        self.revoked: set[str] = set()


def _computed_before(now_ns: int) -> int:
    """Return the time that Celery computed the instant of a message from; now, where it was given the instant."""
    computed_ns = _computed_from.get()
    is_recent = computed_ns is not None and 0 <= now_ns - computed_ns < _RECENT_NS
    return computed_ns if computed_ns is not None and is_recent else now_ns


class CeleryBridge(CountedAttempts[Task, TaskMessage, Store]):
    """Brings the tasks of all Celery applications of the process into the harness, instead of their brokers."""

    name = "celery"
    tells_when_asked = True
    capabilities = frozenset(
        ("eta", "priority", "headers", "retry", "discard", "serialise", "cron", "chains")
    )
    attempt_class = TaskAttempt
    asks_by = (Task.retry, Retry)

    def __init__(self, applications: Sequence[Celery] = ()) -> None:
        """Prepare a bridge.

        Args:
            applications: the apps that `jobs_apps` names. They go before others that have a task of the same name.
        """
        _PROBE.check(celery.__version__)
        super().__init__()
        self.version = celery.__version__
        self._apps = Applications(applications)
        self._beat = Beat()
        self._reset()

    def __str__(self) -> str:
        return str(self._apps)

    def described(self) -> str:
        """Return which applications there are, and which of their settings no longer matter."""
        return describe(self._apps.named)

    def new_store(self) -> Store:
        return Store()

    def uninstall(self) -> None:
        super().uninstall()
        self._apps.forget()
        self._beat.forget()
        for pool in self._pools.values():
            pool.force_close_all()
        self._reset()

    def _reset(self) -> None:
        self._tasks = TaskPatches(self.patches, self._results)
        #: For each application what stands in for its servers; made when it is asked for.
        self._producers: dict[Celery, Producers] = {}
        self._pools: dict[Celery, Any] = {}
        self._backends: dict[Celery, Backend] = {}
        self._stores: dict[Celery, ResultStore] = {}
        #: Names of tasks that were sent, of other services' tasks too.
        self._named: set[str] = set()

    # Instead of the broker

    def patch(self, seam: Seam) -> None:
        """Stand in for the servers of every application, whenever it is made.

        An overlay also wins over what an application has cached: its pools, its sender and its backend.
        """
        app_of = attrgetter("app")
        seam.set(celery_time, "random", PinnedRandom(vars(celery_time)["random"]))
        pin_joining(seam)
        for name in ("producer_pool", "publisher_pool"):
            seam.overlay(AMQP, name, CeleryBridge._pool_of_producers, application=app_of)
        seam.overlay(AMQP, "send_task_message", CeleryBridge._sender, application=app_of)
        seam.overlay(AMQP, "Connection", CeleryBridge._connecting, application=app_of)
        for name in ("producer_or_acquire", "default_producer"):
            seam.replace(Celery, name, CeleryBridge._acquired_producer)
        for name in ("connection_or_acquire", "default_connection"):
            seam.replace(Celery, name, CeleryBridge._acquired_connection)
        seam.overlay(Celery, "pool", CeleryBridge._pool_of_connections)
        seam.overlay(Celery, "backend", CeleryBridge._result_backend)
        seam.wrap(Celery, "now", CeleryBridge._now)
        for settings in (Settings, PendingConfiguration):
            seam.overlay(settings, "task_always_eager", CeleryBridge._always_eager)

    def _pool_of_producers(self, original: object, amqp: AMQP) -> Producers:
        return self._producers_of(amqp.app)

    def _producers_of(self, app: Celery) -> Producers:
        if app not in self._producers:

            def publish(body: Any, **options: Any) -> None:
                self._publish(app, body, **options)

            self._producers[app] = Producers(publish)
        return self._producers[app]

    def _sender(self, original: Callable[[], Callable[..., Any]], amqp: AMQP) -> Callable[..., Any]:
        """Return the function that sends a task. It uses our producer, whichever one the caller passes."""
        send, producer = original(), self._producers_of(amqp.app).producer

        def send_task_message(given: object, *args: Any, **options: Any) -> Any:
            return send(producer, *args, **options)

        return send_task_message

    def _acquired_producer(self, app: Celery, producer: object = None) -> Producer:
        return self._producers_of(app).producer

    def _acquired_connection(
        self, app: Celery, connection: object = None, *args: Any, **kwargs: Any
    ) -> AbstractContextManager[Any]:
        acquired: AbstractContextManager[Any] = app.pool.acquire()
        return acquired

    def _connecting(self, original: object, amqp: object) -> Callable[..., Any]:
        return memory_connection

    def _pool_of_connections(self, original: object, app: Celery) -> Any:
        if app not in self._pools:
            self._pools[app] = memory_connection().Pool(limit=None)
        return self._pools[app]

    def _always_eager(self, original: object, settings: object) -> bool:
        """Return False: a task is recorded, and `jobs_mode = inline` performs it by itself."""
        return False

    def _result_backend(self, original: object, app: Celery) -> Backend:
        if app not in self._backends:
            self._backends[app] = (
                self._results(app) if has_results(app) else NoResults(app, self._why_no_results)
            )
        return self._backends[app]

    def _why_no_results(self, app: Celery) -> str:
        names = sorted(self._named)
        return next(filter(None, (self._apps.taken_over(name, app) for name in names)), "")

    def _results(self, app: Celery) -> ResultStore:
        if app not in self._stores:
            self._stores[app] = ResultStore(
                app, lambda: self.store.setdefault(app, {}), self.not_performed
            )
        return self._stores[app]

    def not_performed(self, job_id: str) -> NotPerformedError:
        pending = self.pending_with(job_id)
        if pending is None:
            why = f"No task with the id {job_id} is pending here"
        elif pending.attempt == 1:
            why = f"{pending!r} has not been performed"
        else:
            why = f"{pending!r} is due"
        return NotPerformedError(
            f"{why}, and its result was asked for. Nothing performs it while the caller waits: call "
            "jobs.drain() or jobs.perform(record) first."
        )

    def _now(self, now: Callable[[], Any], app: Celery) -> Any:
        moment = now()
        _computed_from.set(to_ns(moment, "now"))
        return moment

    def _publish(
        self,
        app: Celery,
        body: Any,
        *,
        headers: dict[str, Any] | None = None,
        exchange: Any = None,
        routing_key: str | None = None,
        serializer: str | None = None,
        compression: str | None = None,
        declare: Sequence[Any] | None = None,
        **properties: Any,
    ) -> None:
        """Report the message of a task. Other messages are dropped, except `revoke`, which withdraws a task."""
        sink = self.sink
        if not headers or "task" not in headers:
            if isinstance(body, Mapping) and body.get("method") == "revoke":
                self._revoke(app, body["arguments"]["task_id"])
            return
        self._apps.note(app)
        now_ns = sink.now_ns()
        message = TaskMessage(
            app,
            body,
            headers,
            serializer=serializer,
            compression=compression,
            declare=declare,
            exchange=exchange,
            routing_key=routing_key,
            properties=properties,
            enqueued_ns=now_ns if headers.get("eta") is None else _computed_before(now_ns),
        )
        if message.name not in self._named:
            self._named.add(message.name)
            if message.name in tasks_of(app):
                self._tasks.keep_results(app.tasks[message.name], app)
        origin: Origin = FIRST
        attempt = current_attempt.get()
        if isinstance(attempt, TaskAttempt) and attempt.message.job_id == message.job_id:
            if message.attempt > 1 and message.name == attempt.message.name:
                origin = RETRY
            else:
                # A task may put another one in its own place, under its id.
                attempt.replaced = True
        self.report(message, origin)

    def _revoke(self, app: Celery, task_ids: str | Sequence[str] | None) -> None:
        # A worker does the same: `None`, the id of a task that was never sent, is no task.
        ids = list(maybe_list(task_ids) or ())
        self.store.revoked.update(ids)
        withdrawn = [record for record in map(self.pending_with, ids) if record is not None]
        for record in withdrawn:
            self.sink.removed(record)
        if app in self._stores:
            for record in withdrawn:
                self._stores[app].mark_as_revoked(record.job_id, "revoked", store_result=True)

    # Tasks and messages

    def identify(self, job: object) -> str | None:
        """Return the name of a task, of a signature, or a name that is registered or was sent."""
        if isinstance(job, Task):
            return str(job.name)
        if isinstance(job, Signature):
            return None if job.subtask_type else str(job.task)
        if isinstance(job, str) and (job in self._named or self._apps.knowing(job)):
            return job
        return None

    def matcher(self, job: object) -> Callable[[JobRecord], bool]:
        """Return a function that says whether a record is of this very task, and not of a namesake.

        Raises:
            AmbiguousJobError: for a name that two applications use for different tasks.
        """
        if isinstance(job, Task):
            return super().matcher(job)
        owners = [] if isinstance(job, Signature) else self._apps.owners(str(job))
        if len({self._declared(app.tasks[job]) for app in owners}) > 1:
            raise AmbiguousJobError(
                f"{job!r} names a task of {' and another of '.join(map(app_text, owners))}: name the task itself."
            )
        return lambda record: True

    def taken_over(self, record: JobRecord) -> str:
        return self._apps.taken_over(record.name, self.message_of(record).app)

    def find(self, job: object) -> Task | None:
        if isinstance(job, Task):
            return job
        name = self.identify(job) or str(job)
        app = self._apps.knowing(name)
        return None if app is None else app.tasks[name]

    def unknown(self, job: object) -> Exception:
        return DeclarationError(
            f"No task named {self.identify(job) or str(job)!r} is registered in {self._apps}, so its parameters "
            "are not known: compare args= and kwargs= by where=lambda record: ..."
        )

    def name_of(self, task: Task) -> str:
        return str(task.name)

    def body_of(self, task: Task) -> Callable[..., Any]:
        body = self._tasks.body(task)
        function: Callable[..., Any] = getattr(body, "__func__", body)
        return function

    def asks_for_retries(self, job: object) -> str:
        task = self.find(job)
        # Not by `body_of`: the object of the method is the task, whose `retry` the body calls.
        return "" if task is None else word_asked_by(self._tasks.body(task), self.asks_by)

    def _declared(self, task: Task) -> Callable[..., Any]:
        """Return the function that the project wrote: `pydantic=True` wraps it anew for each application."""
        function: Callable[..., Any] = inspect.unwrap(self.body_of(task))
        # `--jobs-audit` sees the method of a bound task, and each look at it makes another one.
        return getattr(function, "__func__", function)

    def is_of(self, message: TaskMessage, task: Task) -> bool:
        found = self.task_of(message)
        return found is None or self._declared(found) is self._declared(task)

    def binder_of(self, task: Task) -> Binder:
        # The bound method, whose `self` no caller passes.
        return Binder(self._tasks.body(task), label=str(task.name))

    def task_of(self, message: TaskMessage) -> Task | None:
        app = self._apps.performing(message.name, message.app)
        return None if app is None else app.tasks[message.name]

    def decoded(self, message: TaskMessage) -> tuple[tuple[Any, ...], dict[str, Any]]:
        args, kwargs, _ = message.decoded()
        return args, kwargs

    def refusal(self, why: str) -> Exception:
        error: Exception = OperationalError(why)
        return error

    def semantics_of(self, task: Task) -> DeliverySemantics:
        """Return what a worker does by the settings of a task.

        When a pool process is killed, its job is lost. There are two exceptions: `retry_on_worker_lost` retries
        it while it has retries left, and `acks_late` with `reject_on_worker_lost` puts it back. When a whole
        worker is gone, the broker delivers again what was not acknowledged.
        """
        late = bool(task.acks_late)
        if getattr(task, "retry_on_worker_lost", False):
            on_kill = task.max_retries != 0
        else:
            on_kill = late and bool(task.reject_on_worker_lost)
        return DeliverySemantics(
            acknowledged="after" if late else "before",
            redelivered_on_raise=False,
            redelivered_on_kill=on_kill,
            redelivered_on_outage=late,
        )

    def policy_of(self, task: Task) -> RetryPolicy | None:
        """Return the schedule of a task with `autoretry_for`; None for one that retries by itself."""
        options: Mapping[str, Any] = getattr(task, "retry_kwargs", {})
        if not getattr(task, "autoretry_for", ()) or "eta" in options:
            return None
        most = options.get("max_retries", task.max_retries)
        backoff = float(getattr(task, "retry_backoff", False))
        factor = int(max(1.0, backoff))
        longest = int(getattr(task, "retry_backoff_max", 600))

        def wait(attempt: int) -> timedelta:
            if backoff:
                return timedelta(seconds=min(longest, factor * 2 ** (attempt - 1)))
            return timedelta(seconds=options.get("countdown", task.default_retry_delay))

        return RetryPolicy(None if most is None else most + 1, wait)

    def follow_ups(self, record: JobRecord) -> set[str]:
        return following(self.message_of(record))

    def steps_after(self, record: JobRecord) -> Steps:
        """Return what is enqueued when a record has been performed, and then."""
        return steps_after(self.message_of(record))

    def batch_of(self, record: JobRecord) -> str | None:
        """Return the id of the group, or of the header of a chord, that a record is part of."""
        batch: str | None = self.message_of(record).headers.get("group")
        return batch

    def known_names(self) -> set[str]:
        return self._apps.names()

    def queue_of(self, task: Task) -> str | None:
        """Return the queue to which the routes of the application send a task."""
        options = extract_exec_options(task)
        found = task.app.amqp.router.route(options, task.name, (), {}, task_type=task).get("queue")
        name: str | None = getattr(found, "name", found)
        return name

    # Enqueueing and performing

    def enqueue(self, job: object, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        if isinstance(job, Task):
            job.apply_async(args, dict(kwargs))
        else:
            name = self.identify(job) or str(job)
            self._apps.sending(name).send_task(name, args, dict(kwargs))

    def firings_between(self, after_ns: int, until_ns: int) -> Iterator[Due]:
        """Yield what celery beat sends in a span."""
        apps = self._apps.with_schedules()
        for at_ns, fire, app in self._beat.firings_between(apps, after_ns, until_ns):
            yield at_ns, fire, *self._apps.far(app)
        yield from row_firings_between(self._apps.sending, after_ns, until_ns)

    def deliver(self, attempt: TaskAttempt) -> Delivery:
        message = attempt.message
        app = self._apps.performing(message.name, message.app)
        if app is None:
            return attempt.failed(
                UnknownJobError(
                    f"No task named {message.name!r} is registered in {self._apps}: import its module "
                    "(`include`, `imports` or `autodiscover_tasks`), or leave it to its own service: "
                    f"jobs.drain(exclude={message.name!r}).{self.nearest(message.name)}"
                )
            )
        task = app.tasks[message.name]
        self._tasks.prepare(task, app)
        delivery = attempt.make(task, app)
        if attempt.requeued:
            self.redeliver(attempt.record)
        if delivery.error is not None and (sender := self.taken_over(attempt.record)):
            delivery.error.add_note(sender)
        return delivery
