"""The bridge of Django tasks: `django.tasks`, and `django_tasks`, its backport."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from django.utils.module_loading import import_string

from ...core.foundation.signature import Binder
from ...errors import ApplicationError, BridgeError, CriterionError, NoHarnessError
from ...harness.records.bridge import Around, DeliverySemantics, RetryPolicy, Sink, WrittenPayload
from ...harness.records.delivery import Delivery
from ...harness.records.record import FIRST, REDELIVERY, JobRecord
from ...harness.time.waiting import in_running_loop
from .attempt import Attempt, SharedConnections
from .families import Family, families
from .results import ResultStore, StoredTask, enqueued_task, set_on, written_task
from .seam import Seam, seam_of

#: Backends that run a task at most once. The worker of the database backends commits that a task is
#: running before it runs it, and nobody looks for tasks that stay so; RQ takes a job from the queue
#: first and marks it as failed when its worker has gone; Immediate runs in the process that enqueues.
_AT_MOST_ONCE: Final = frozenset(
    (
        "django.tasks.backends.dummy.DummyBackend",
        "django.tasks.backends.immediate.ImmediateBackend",
        "django_tasks.backends.database.backend.DatabaseBackend",
        "django_tasks.backends.dummy.DummyBackend",
        "django_tasks.backends.immediate.ImmediateBackend",
        "django_tasks.backends.rq.RQBackend",
        "django_tasks_db.backend.DatabaseBackend",
        "django_tasks_rq.backend.RQBackend",
    )
)


def semantics_of(backend_class: type) -> DeliverySemantics:
    """Return what the worker of a backend does with a task whose run fails.

    A backend that is not known here is taken to deliver at least once, which a task must then
    survive. Django itself never runs again a task that raised.
    """
    at_most_once = any(
        f"{base.__module__}.{base.__qualname__}" in _AT_MOST_ONCE for base in backend_class.__mro__
    )
    return DeliverySemantics(
        acknowledged="before" if at_most_once else "after",
        redelivered_on_raise=False,
        redelivered_on_kill=not at_most_once,
        redelivered_on_outage=not at_most_once,
    )


def bridge(applications: Sequence[Any]) -> DjangoBridge:
    """Return a new bridge; Django has one application, which its settings describe.

    Raises:
        ApplicationError: when the settings cannot be read, or there is nothing that has tasks.
        UnknownVersionError: when the installed version is not known.
    """
    _check_settings()
    return DjangoBridge()


class DjangoBridge:
    """Brings Django tasks into the harness, in the place of the backends that `TASKS` configures."""

    name = "django"
    capabilities = frozenset(("eta", "priority", "async", "serialise"))

    def __init__(self) -> None:
        """Prepare a bridge.

        Raises:
            ApplicationError: when neither Django 6 nor its backport is installed.
            UnknownVersionError: when the installed version is not known.
        """
        self._families = families()
        if not self._families:
            raise ApplicationError(
                "This Django has no tasks of its own: they came with Django 6.0. Upgrade Django, or install the "
                "backport: pip install django-tasks."
            )
        self._task_classes = tuple(family.task_class for family in self._families)
        self._binders: dict[Callable[..., Any], Binder] = {}
        self._store = ResultStore()
        self._sink: Sink | None = None
        self._seam: Seam | None = None

    def install(self, sink: Sink, draw: Callable[[], float]) -> None:
        """Take the place of every backend that is configured, or will be."""
        if self._seam is not None:
            raise BridgeError(
                "This bridge to Django is installed already: a bridge is in one harness at a time. Make a second "
                "DjangoBridge() for the second harness."
            )
        seam = seam_of(self._families)
        seam.enter(self)
        self._seam, self._sink, self._store = seam, sink, ResultStore()

    def uninstall(self) -> None:
        """Give the place back."""
        seam, self._seam, self._sink = self._seam, None, None
        if seam is not None:
            seam.leave(self)

    @contextmanager
    def sandbox(self, sink: Sink) -> Generator[None, None, None]:
        """Report to another sink for a block, with a store of results of its own."""
        before = self._installed(), self._store
        self._sink, self._store = sink, ResultStore()
        try:
            yield
        finally:
            self._sink, self._store = before

    # What the backends are asked

    def enqueued(
        self, backend: Any, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Any:
        """Take in a task, and return its TaskResult: in the place of `enqueue` of a backend.

        Raises:
            Exception: what the backend raises for a task that it does not support, and what Django
                raises for arguments that JSON does not have.
        """
        sink = self._installed()
        backend.validate_task(task)
        family = self._family_of(task)
        # A backend may have ids of its own kind, and a UUID is one of each kind.
        result = family.new_result(task, str(uuid.uuid4()), args, kwargs)
        set_on(result, enqueued_at=timezone.now(), backend=backend.alias)
        stored = StoredTask(family, result, sink.now_ns())
        self._store.add(stored)
        try:
            family.signals.task_enqueued.send(type(backend), task_result=result)
        finally:
            # Last, since inline mode performs it at once, and in any case, since a backend has it.
            sink.added(JobRecord(self, stored, stored, FIRST))
        return result

    def result(self, result_id: str) -> Any:
        """Return a TaskResult; None when the task was not enqueued here."""
        return self._store.result(result_id)

    def save_metadata(self, result_id: str, metadata: Mapping[str, Any]) -> bool:
        """Keep the metadata of a task; say whether it was enqueued here."""
        return self._store.save_metadata(result_id, metadata)

    # Knowing jobs

    def identify(self, job: object) -> str | None:
        """Return the path of a Task, also of one that `using` made, or such a path itself."""
        task = self._find(job)
        return None if task is None else task.module_path

    def matcher(self, job: object) -> Callable[[JobRecord], bool]:
        """Return what says whether a record is of this very function."""
        if isinstance(job, str):
            return lambda record: True
        function = self._known(job).func
        return lambda record: _stored(record).task.func is function

    def job_of(self, record: JobRecord) -> object:
        """Return the Task as its module has it; where it is not there, as it was enqueued."""
        task = _stored(record).task
        found = self._find(record.name)
        return found if found is not None and found.func is task.func else task

    def resolve(self, job: object) -> Callable[..., Any]:
        """Return the function of a Task."""
        function: Callable[..., Any] = self._known(job).func
        return function

    def delivery_semantics(self, job: object) -> DeliverySemantics:
        """Return what the worker of the task's backend does."""
        return semantics_of(type(self._known(job).get_backend()))

    def retry_policy(self, job: object) -> RetryPolicy | None:
        """Return None: Django tasks declare no retries."""
        self._known(job)
        return None

    # Reading arguments

    def arguments_of(self, record: JobRecord) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Decode the arguments of a task."""
        args, kwargs = _stored(record).decoded()
        return tuple(args), kwargs

    def follow_ups(self, record: JobRecord) -> tuple[str, ...]:
        """Return nothing: a task enqueues the next one itself."""
        return ()

    def signature(self, job: object) -> Binder:
        """Return what binds arguments to the parameters of the function, without its context."""
        task = self._known(job)
        binder = self._binders.get(task.func)
        if binder is None:
            skip = 1 if task.takes_context else 0
            binder = self._binders[task.func] = Binder(task.func, label=task.name, skip=skip)
        return binder

    # Enqueueing and performing

    def rank(self, priority: int | None) -> int:
        """Return the priority with its sign changed: Django's higher number goes first."""
        return -(priority or 0)

    def is_coroutine(self, record: JobRecord) -> bool:
        """Say whether the function of the task is a coroutine function."""
        return _stored(record).is_coroutine

    def enqueue(self, job: object, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Call `enqueue` of the Task."""
        self._known(job).enqueue(*args, **kwargs)

    def perform(
        self, record: JobRecord, *, now_ns: int, around: Around
    ) -> Delivery | Awaitable[Delivery]:
        """Make one delivery, as a worker does."""
        if self.is_coroutine(record):
            shared = None if in_running_loop() else SharedConnections()
            return self._awaited(record, now_ns, around, shared)
        attempt = Attempt(self._store, _stored(record))
        try:
            attempt.start()
            value = attempt.returned(around(attempt.body(is_coroutine=False)))
        except Exception as error:
            attempt.fail(error)
            return Delivery(record, now_ns, "failed", error=error, handled=False)
        attempt.succeed()
        return Delivery(record, now_ns, "performed", value)

    async def _awaited(
        self, record: JobRecord, now_ns: int, around: Around, shared: SharedConnections | None
    ) -> Delivery:
        """Do the same with a coroutine; receivers of signals run off the loop, as they may use the ORM."""
        attempt = Attempt(self._store, _stored(record))
        with nullcontext() if shared is None else shared.in_force():
            try:
                await sync_to_async(attempt.start)()
                value = attempt.returned(await around(attempt.body(is_coroutine=True)))
            except Exception as error:
                await sync_to_async(attempt.fail)(error)
                return Delivery(record, now_ns, "failed", error=error, handled=False)
            await sync_to_async(attempt.succeed)()
        return Delivery(record, now_ns, "performed", value)

    def redeliver(self, record: JobRecord) -> JobRecord:
        """Report the same task once more."""
        again = JobRecord(self, _stored(record), record.payload, REDELIVERY)
        self._installed().added(again)
        return again

    def written(self, record: JobRecord) -> WrittenPayload:
        """Return the path of a task, its options and its arguments."""
        return written_task(_stored(record))

    def record_from(self, data: Mapping[str, Any]) -> JobRecord:
        """Report a task with these, due at once.

        Raises:
            UnknownJobError: when there is no task at the path.
        """
        sink = self._installed()
        task = enqueued_task(self._find, data)
        family = self._family_of(task)
        result = family.new_result(task, "recorded", data["args"], data["kwargs"])
        set_on(result, enqueued_at=timezone.now())
        stored = StoredTask(family, result, sink.now_ns())
        self._store.add(stored)
        sink.added(record := JobRecord(self, stored, stored, FIRST))
        return record

    def result_of(self, record: JobRecord) -> object:
        """Return what the last delivery of the task returned."""
        return self._installed().result_of(record)

    def _installed(self) -> Sink:
        if self._sink is None:
            raise NoHarnessError
        return self._sink

    def _family_of(self, task: object) -> Family:
        return next(family for family in self._families if isinstance(task, family.task_class))

    def _find(self, job: object) -> Any:
        if isinstance(job, str):
            try:
                job = import_string(job)
            except ImportError:
                return None
        # The class itself is asked, since a mock answers to anything.
        return job if issubclass(type(job), self._task_classes) else None

    def _known(self, job: object) -> Any:
        task = self._find(job)
        if task is None:
            raise CriterionError(f"{job!r} is no Django task: name what `@task` made.")
        return task


def _stored(record: JobRecord) -> StoredTask:
    stored: Any = record.payload
    return stored  # type: ignore[no-any-return]


def _check_settings() -> None:
    try:
        tasks = getattr(settings, "TASKS", None)
    except (ImproperlyConfigured, ImportError) as error:
        raise ApplicationError(
            f"The settings of Django cannot be read ({error}): set DJANGO_SETTINGS_MODULE, or install "
            'pytest-django and write `DJANGO_SETTINGS_MODULE = "proj.settings"` into the configuration of pytest.'
        ) from error
    if tasks == {}:
        raise ApplicationError(
            "TASKS in the settings of Django is empty, so no task can be enqueued: name a backend there, as in "
            'TASKS = {"default": {"BACKEND": "django.tasks.backends.dummy.DummyBackend"}}, or leave TASKS out.'
        )
