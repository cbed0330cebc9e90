"""The bridge of Celery."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import celery
from celery import Celery
from celery.app.task import Task
from celery.canvas import Signature
from celery.utils import time as celery_time

from ...core.foundation.signature import Binder
from ...errors import (
    AmbiguousJobError,
    BridgeError,
    DeclarationError,
    NoHarnessError,
    UnknownJobError,
)
from ...harness.records.bridge import (
    Around,
    DeliverySemantics,
    RetryPolicy,
    Sink,
    Steps,
    WrittenPayload,
)
from ...harness.records.delivery import Delivery
from ...harness.records.instants import to_ns
from ...harness.records.patches import Patches
from ...harness.records.record import FIRST, REDELIVERY, RETRY, JobRecord
from ...harness.records.versions import KnownVersions
from .apps import Applications, changing, retry_policy_of, semantics_of, title
from .attempt import Draws, TaskPatches, make_attempt, origin_of
from .messages import Producers, TaskMessage, following, memory_connection, steps_after
from .payloads import message_from, written_message
from .results import ResultStore, has_results, revoke, why_no_result

_VERSIONS: Final = KnownVersions("celery", (5, 5), (5, 7))

#: The time that Celery last computed an instant from, so that a countdown of 60 is a wait of 60 s.
_computed_from: ContextVar[int | None] = ContextVar("pytest_jobs_celery_now", default=None)


def bridge(applications: Sequence[Any]) -> CeleryBridge:
    """Return a new bridge to applications."""
    return CeleryBridge(applications)


class CeleryBridge:
    """Brings the tasks of Celery applications into the harness, in the place of their broker."""

    name = "celery"
    capabilities = frozenset(
        ("eta", "priority", "headers", "retry", "discard", "serialise", "chains")
    )

    def __init__(self, applications: Sequence[Celery]) -> None:
        """Prepare a bridge.

        Args:
            applications: the Celery apps.

        Raises:
            UnknownVersionError: when the installed Celery is not one of those known.
        """
        _VERSIONS.check(celery.__version__)
        self._apps = Applications(applications)
        self._patches = Patches()
        self._tasks = TaskPatches(self._patches, self._store)
        self._stores: dict[Celery, ResultStore] = {}
        self._binders: dict[str, Binder] = {}
        self._named: set[str] = set()
        self._sink: Sink | None = None

    def install(self, sink: Sink, draw: Callable[[], float]) -> None:
        """Take the place of the broker and of the result backend of every application."""
        if self._sink is not None:
            raise BridgeError(
                f"The bridge to {self._apps} is installed already: a bridge is in one harness at a time. Make "
                "a second one for the second harness."
            )
        self._sink = sink
        try:
            for app in self._apps:
                self._patch_broker(app)
                if has_results(app):
                    self._patch_results(app)
            self._patch_jitter(draw)
        except BaseException:
            self.uninstall()
            raise

    def uninstall(self) -> None:
        """Give everything back as it was."""
        self._sink = None
        self._tasks = TaskPatches(self._patches, self._store)
        self._stores = {}
        self._named = set()
        self._patches.restore()

    @contextmanager
    def sandbox(self, sink: Sink) -> Generator[None, None, None]:
        """Report to another sink for a block, with no results yet."""
        before = self._installed()
        kept = {store: store.kept for store in self._stores.values()}
        self._sink = sink
        for store in kept:
            store.kept = {}
        try:
            yield
        finally:
            self._sink = before
            for store, results in kept.items():
                store.kept = results

    # Knowing tasks

    def identify(self, job: object) -> str | None:
        """Return the name of a task, of a signature, or a name that is registered or was sent."""
        if isinstance(job, Task):
            name = str(job.name)
            return name if job.app in self._apps or self._apps.owners(name) else None
        if isinstance(job, Signature):
            return None if job.subtask_type else str(job.task)
        if isinstance(job, str) and (job in self._named or self._apps.owners(job)):
            return job
        return None

    def matcher(self, job: object) -> Callable[[JobRecord], bool]:
        """Return what says whether a record is of this very task, and not of another app's namesake.

        Raises:
            AmbiguousJobError: for a name that two applications use for different tasks.
        """
        if isinstance(job, Task):
            body = self._tasks.body(job)
            return lambda record: self._same_body(_message(record), body)
        owners = [] if isinstance(job, Signature) else self._apps.owners(str(job))
        if len({self._tasks.body(app.tasks[job]) for app in owners}) > 1:
            raise AmbiguousJobError(
                f"{job!r} names a task of {' and another of '.join(map(title, owners))}: name the task itself."
            )
        return lambda record: True

    def job_of(self, record: JobRecord) -> Any:
        """Return the task, or its name when no application here has it."""
        message = _message(record)
        app = self._apps.performing(message.name, message.app)
        return message.name if app is None else app.tasks[message.name]

    def resolve(self, job: object) -> Callable[..., Any]:
        """Return the function that runs inside the retry wrapper."""
        body = self._tasks.body(self._task(job))
        found: Callable[..., Any] = getattr(body, "__func__", body)
        return found

    def delivery_semantics(self, job: object) -> DeliverySemantics:
        """Return what a worker does by the settings of the task."""
        return semantics_of(self._task(job))

    def retry_policy(self, job: object) -> RetryPolicy | None:
        """Return the schedule of a task with `autoretry_for`; None for one that retries by itself."""
        return retry_policy_of(self._task(job))

    # Reading arguments

    def arguments_of(self, record: JobRecord) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Decode the arguments of a message."""
        args, kwargs, _ = _message(record).decoded()
        return args, kwargs

    def follow_ups(self, record: JobRecord) -> set[str]:
        """Return the names of the next steps of a chain, of callbacks, and of the body of a chord."""
        return following(_message(record))

    def steps_after(self, record: JobRecord) -> Steps:
        """Return what is enqueued when a record has been performed, and then."""
        return steps_after(_message(record))

    def batch_of(self, record: JobRecord) -> str | None:
        """Return the id of the group, or of the header of a chord, that a record is part of."""
        batch: str | None = _message(record).headers.get("group")
        return batch

    def signature(self, job: object) -> Binder:
        """Return what binds arguments to the parameters of the task.

        Raises:
            DeclarationError: when no application here has the task.
        """
        task = self._task(job)
        name = str(task.name)
        binder = self._binders.get(name)
        if binder is None:
            binder = self._binders[name] = Binder(self._tasks.body(task), label=name)
        return binder

    # Enqueueing and performing

    def rank(self, priority: int | None) -> int:
        """Return 0: what a priority means depends on the broker."""
        return 0

    def is_coroutine(self, record: JobRecord) -> bool:
        """Return False: Celery runs functions."""
        return False

    def enqueue(self, job: object, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Call `apply_async`."""
        if isinstance(job, Task):
            job.apply_async(args, dict(kwargs))
        else:
            next(iter(self._apps)).send_task(self.identify(job), args, dict(kwargs))

    def perform(self, record: JobRecord, *, now_ns: int, around: Around) -> Delivery:
        """Make one delivery as a worker does."""
        message = _message(record)
        app = self._apps.performing(message.name, message.app)
        if app is None:
            error = UnknownJobError(
                f"No task named {message.name!r} is registered in {self._apps}: import its module (`include`, "
                f"`imports` or `autodiscover_tasks`), or leave it to its own service: "
                f"jobs.drain(exclude={message.name!r})."
            )
            return Delivery(record, now_ns, "failed", error=error, handled=False)
        task = app.tasks[message.name]
        self._tasks.prepare(task, app)
        delivery, requeued = make_attempt(record, message, task, app, now_ns, around)
        if requeued:
            self.redeliver(record)
        return delivery

    def redeliver(self, record: JobRecord) -> JobRecord:
        """Report the same message once more."""
        again = JobRecord(self, _message(record), record.payload, REDELIVERY)
        self._installed().added(again)
        return again

    def as_attempt(self, record: JobRecord, attempt: int) -> JobRecord:
        """Return the record of another attempt, which Celery counts in retries."""
        other = _message(record).as_attempt(attempt)
        return JobRecord(self, other, other, RETRY)

    def written(self, record: JobRecord) -> WrittenPayload:
        """Return the arguments of a message, where they are JSON."""
        return written_message(_message(record))

    def record_from(self, data: Mapping[str, Any]) -> JobRecord:
        """Report a message with such arguments, its headers as Celery writes them now."""
        sink = self._installed()
        message = message_from(self._apps, data, sink.now_ns())
        sink.added(record := JobRecord(self, message, message, FIRST))
        return record

    def result_of(self, record: JobRecord) -> object:
        """Return what the last delivery of the task returned."""
        return self._installed().result_of(record)

    # Standing in for the broker

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
        """Take in a message; what is none of a task goes nowhere, but a revocation is heeded."""
        sink = self._installed()
        if not headers or "task" not in headers:
            if isinstance(body, Mapping) and body.get("method") == "revoke":
                self._revoke(app, body["arguments"]["task_id"])
            return
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
            enqueued_ns=now_ns if headers.get("eta") is None else _computed_from.get() or now_ns,
        )
        if message.name not in self._named:
            self._named.add(message.name)
            if message.name in app.tasks:
                self._tasks.keep_results(app.tasks[message.name], app)
        sink.added(JobRecord(self, message, message, origin_of(message)))

    def _revoke(self, app: Celery, task_ids: str | Sequence[str]) -> None:
        ids = [task_ids] if isinstance(task_ids, str) else list(task_ids)
        sink = self._installed()
        withdrawn = [record for record in map(sink.pending_with, ids) if record is not None]
        for record in withdrawn:
            sink.removed(record)
        store = self._stores.get(app)
        if store is not None:
            revoke(store, [record.job_id for record in withdrawn])

    def _patch_broker(self, app: Celery) -> None:
        def publish(body: Any, **options: Any) -> None:
            self._publish(app, body, **options)

        def now() -> Any:
            moment = compute_now()
            _computed_from.set(to_ns(moment, "now"))
            return moment

        compute_now = app.now
        if app.conf.task_always_eager:
            self._patches.undo_by(changing(app, "task_always_eager", value=False))
        self._patches.set(app, "now", now)
        self._patches.set(app, "_pool", None)
        self._patches.set(app.amqp, "Connection", memory_connection)
        self._patches.set(app.amqp, "_producer_pool", Producers(app, publish))

    def _patch_results(self, app: Celery) -> None:
        self._patches.set(app, "_backend_cache", self._store(app))

    def _patch_jitter(self, draw: Callable[[], float]) -> None:
        self._patches.set(celery_time, "random", Draws(draw, vars(celery_time)["random"]))

    def _store(self, app: Celery) -> ResultStore:
        if app not in self._stores:
            self._stores[app] = ResultStore(
                app, lambda job_id: why_no_result(self._installed().pending_with(job_id))
            )
        return self._stores[app]

    # Finding tasks

    def _same_body(self, message: TaskMessage, body: Callable[..., Any]) -> bool:
        app = self._apps.performing(message.name, message.app)
        if app is None:
            return True
        other = self._tasks.body(app.tasks[message.name])
        return getattr(other, "__func__", other) is getattr(body, "__func__", body)

    def _task(self, job: object) -> Task:
        if isinstance(job, Task):
            return job
        name = self.identify(job) or str(job)
        owners = self._apps.owners(name)
        if not owners:
            raise DeclarationError(
                f"No task named {name!r} is registered in {self._apps}, so its parameters are not known: "
                "compare args= and kwargs= by where=lambda record: ..."
            )
        return owners[0].tasks[name]

    def _installed(self) -> Sink:
        if self._sink is None:
            raise NoHarnessError
        return self._sink


def _message(record: JobRecord) -> TaskMessage:
    message: Any = record.payload
    return message  # type: ignore[no-any-return]
