"""The bridge of Django tasks: `django.tasks`, and `django_tasks`, its backport."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Final

import django
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand
from django.utils import timezone
from django.utils.module_loading import import_string

from ...errors import ApplicationError, BridgeError, CriterionError
from ...harness.records.attributes import variables_of_modules
from ...harness.time.waiting import in_running_loop
from ..toolkit import (
    AT_LEAST_ONCE,
    AT_MOST_ONCE,
    FIRST,
    JOB_ERRORS,
    Binder,
    Delivery,
    DeliverySemantics,
    JobRecord,
    LibraryBridge,
    OpenTransaction,
    Seam,
    transaction_on,
)
from .attempt import SharedConnections, TaskAttempt
from .families import Family, families
from .results import ResultStore, StoredTask, set_on
from .tables import OF_ROWS, as_column, connection_of

#: Backends without a table that run a task at most once. RQ takes a job from the queue first, and marks it as
#: failed when its worker is gone. Immediate runs in the process that enqueues.
_AT_MOST_ONCE: Final = frozenset(
    (
        "django.tasks.backends.dummy.DummyBackend",
        "django.tasks.backends.immediate.ImmediateBackend",
        "django_tasks.backends.dummy.DummyBackend",
        "django_tasks.backends.immediate.ImmediateBackend",
        "django_tasks.backends.rq.RQBackend",
        "django_tasks_rq.backend.RQBackend",
    )
)


def semantics_of(backend_class: type) -> DeliverySemantics:
    """Return what the worker of a backend does with a task whose run fails.

    A backend that is not in the list may deliver more than once, which a task must then survive.
    Django itself never runs again a task that raised.
    """
    at_most_once = any(
        base.__module__ in OF_ROWS or f"{base.__module__}.{base.__qualname__}" in _AT_MOST_ONCE
        for base in backend_class.__mro__
    )
    return AT_MOST_ONCE if at_most_once else AT_LEAST_ONCE


def bridge(applications: Sequence[Any]) -> DjangoBridge:
    """Return a new bridge; Django has one application, which its settings describe.

    Args:
        applications: empty when nobody has asked for Django: then its settings may be read later or never.

    Raises:
        ApplicationError: when somebody asked and the settings cannot be read, or when nothing has tasks.
        UnknownVersionError: when the installed version lacks what the bridge relies on.
    """
    if applications:
        _check_settings()
    return DjangoBridge()


class DjangoBridge(LibraryBridge[Any, StoredTask, ResultStore]):
    """Brings Django tasks into the harness, whatever backends `TASKS` configures."""

    name = "django"
    capabilities = frozenset(("eta", "priority", "async", "serialise"))
    another = "DjangoBridge()"
    #: Each coroutine job has an event loop of its own.
    loop_each = True
    attempt_class = TaskAttempt
    order = -1

    def __init__(self) -> None:
        super().__init__()
        self._families = families()
        if not self._families:
            raise ApplicationError(
                "This Django has no tasks of its own: they came with Django 6.0. Upgrade Django, or install the "
                "backport: pip install django-tasks."
            )
        self._task_classes = tuple(family.task_class for family in self._families)
        self.version = " with ".join(
            (django.__version__, *filter(None, (f.backport for f in self._families)))
        )

    def title(self) -> str:
        return "This bridge to Django"

    def new_store(self) -> ResultStore:
        return ResultStore()

    # Instead of the backends

    def patch(self, seam: Seam) -> None:
        """Patch the classes of the backends, whenever they are made, and whatever settings name them.

        Classes are patched, and not the backends that `task_backends` returns. That covers an application which
        keeps a backend in a variable, and the backends that each thread gets for itself.
        """
        for family in self._families:
            backend_class = family.backend_class
            seam.replace_sending(backend_class, "enqueue", DjangoBridge.enqueued)
            seam.replace_sending(backend_class, "aenqueue", DjangoBridge._aenqueued)
            seam.replace_below(backend_class, "get_result", DjangoBridge._result)
            seam.replace_below(backend_class, "aget_result", DjangoBridge._aresult)
            if hasattr(backend_class, "save_metadata"):
                seam.replace_below(backend_class, "save_metadata", DjangoBridge._save_metadata)
                seam.replace_below(backend_class, "asave_metadata", DjangoBridge._asave_metadata)

        seam.wrap(BaseCommand, "execute", DjangoBridge._command)

    def _command(
        self, original: Callable[..., Any], command: BaseCommand, *args: Any, **options: Any
    ) -> Any:
        package, _, name = type(command).__module__.partition(".management.commands.")
        if name == "db_worker" and f"{package}.backend" in OF_ROWS:
            raise BridgeError(
                "The command db_worker was called under the harness, which keeps the tasks until a verb performs "
                "them: write jobs.drain(), or say jobs_ignore = django to work on the real table."
            )
        return original(*args, **options)

    def described(self) -> str:
        # Settings that nobody has read yet stay unread: reading them may import half of the project.
        if not settings.configured:
            return ""
        backends = self._families[0].handler.configure_settings(None)
        if not isinstance(backends, dict) or not backends:
            return ""
        alias = next(iter(backends))
        name = str(backends[alias].get("BACKEND", "")).rpartition(".")[2]
        more = len(backends) - 1
        return f"TASKS {alias} ({name}) " + (
            f"and {more} more are not used" if more else "is not used"
        )

    def enqueued(
        self, backend: Any, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Any:
        """Report a task, and return its TaskResult.

        Raises:
            Exception: what the backend raises for a task that it does not support, and what Django
                raises for arguments that cannot be JSON.
        """
        now_ns = self.sink.now_ns()
        backend.validate_task(task)
        family = self._family_of(task)
        result = family.new_result(task, _new_id(), args, kwargs)
        set_on(result, enqueued_at=timezone.now(), backend=backend.alias)
        stored = StoredTask(family, result, now_ns, type(backend))
        connection = connection_of(stored.sender)
        if connection is not None:
            stored.arguments = as_column(connection, stored.arguments)
        self.store.add(stored)
        try:
            family.signals.task_enqueued.send(stored.sender, task_result=result)
        finally:
            # Last, since inline mode performs it at once. After an error too: a real backend has the task by then.
            self.report(stored, FIRST)
        return result

    async def _aenqueued(
        self, backend: Any, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Any:
        enqueue = sync_to_async(backend.enqueue, thread_sensitive=True)
        return await enqueue(task=task, args=args, kwargs=kwargs)

    def _result(self, backend: Any, result_id: str) -> Any:
        for bridge in reversed(self.seam.bridges):
            result = bridge.store.result(result_id)
            if result is not None:
                return result
        raise self._no_such_result(backend, result_id)

    async def _aresult(self, backend: Any, result_id: str) -> Any:
        return self._result(backend, result_id)

    def _save_metadata(self, backend: Any, result_id: str, metadata: Mapping[str, Any]) -> None:
        stores = [bridge.store for bridge in reversed(self.seam.bridges)]
        if not any(store.save_metadata(result_id, metadata) for store in stores):
            raise self._no_such_result(backend, result_id)

    async def _asave_metadata(
        self, backend: Any, result_id: str, metadata: Mapping[str, Any]
    ) -> None:
        self._save_metadata(backend, result_id, metadata)

    def _no_such_result(self, backend: Any, result_id: str) -> Exception:
        of_backend = [f for f in self._families if isinstance(backend, f.backend_class)]
        return (of_backend or self._families)[0].no_such_result(result_id)

    # Tasks and messages

    def find(self, job: object) -> Any:
        if isinstance(job, str):
            try:
                job = import_string(job)
            except ImportError:
                return None
        # A mock with a spec passes `isinstance`, so its real class is compared.
        return job if issubclass(type(job), self._task_classes) else None

    def unknown(self, job: object) -> Exception:
        return CriterionError(f"{job!r} is not a Django task: name what `@task` made.")

    def known_names(self) -> set[str]:
        """Return the names of the tasks at the top of modules: Django itself has no list of them."""
        wanted = variables_of_modules(lambda kind: issubclass(kind, self._task_classes))
        return {self.name_of(task) for *_, task in wanted}

    def queue_of(self, task: Any) -> str:
        return str(task.queue_name)

    def name_of(self, task: Any) -> str:
        name: str = task.module_path
        return name

    def body_of(self, task: Any) -> Callable[..., Any]:
        function: Callable[..., Any] = task.func
        return function

    def binder_of(self, task: Any) -> Binder:
        return Binder(task.func, label=task.name, skip=1 if task.takes_context else 0)

    def task_of(self, message: StoredTask) -> Any:
        """Return the Task of the module; when the module has it no longer, the one that was enqueued."""
        found = self.find(message.name)
        return found if found is not None and found.func is message.task.func else message.task

    def is_of(self, message: StoredTask, task: Any) -> bool:
        return message.task.func is task.func

    def decoded(self, message: StoredTask) -> tuple[tuple[Any, ...], dict[str, Any]]:
        args, kwargs = message.decoded()
        return tuple(args), kwargs

    def is_coroutine(self, record: JobRecord) -> bool:
        return self.message_of(record).is_coroutine

    def semantics_of(self, task: Any) -> DeliverySemantics:
        return semantics_of(type(task.get_backend()))

    def send(self, task: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        task.enqueue(*args, **kwargs)

    def _family_of(self, task: object) -> Family:
        for family in self._families[1:]:
            if isinstance(task, family.task_class):
                return family
        return self._families[0]

    def transaction_of(self, record: JobRecord) -> OpenTransaction | None:
        """Return that of the database in which the backend makes a row."""
        connection = connection_of(self.message_of(record).sender)
        return None if connection is None else transaction_on(connection)

    def forget(self, message: StoredTask, store: ResultStore) -> None:
        store.remove(message.job_id)

    # Performing

    def deliver(self, attempt: TaskAttempt) -> Delivery | Awaitable[Delivery]:
        if attempt.message.is_coroutine:
            # Asked here, since inside the coroutine a loop always runs.
            shared = None if in_running_loop() else SharedConnections()
            return self._delivered_by_loop(attempt, shared)
        try:
            attempt.start()
            value = attempt.returned(attempt.around(attempt.body()))
            attempt.succeed()
        except JOB_ERRORS as error:
            attempt.fail(error)
            return attempt.failed(error)
        return attempt.performed(value)

    async def _delivered_by_loop(
        self, attempt: TaskAttempt, shared: SharedConnections | None
    ) -> Delivery:
        """Deliver a coroutine task. Receivers of signals run off the loop, since they may use the ORM."""
        with nullcontext() if shared is None else shared.in_force():
            try:
                await sync_to_async(attempt.start)()
                value = attempt.returned(await attempt.around(attempt.body()))
                await sync_to_async(attempt.succeed)()
            except JOB_ERRORS as error:
                await sync_to_async(attempt.fail)(error)
                return attempt.failed(error)
        return attempt.performed(value)


def _new_id() -> str:
    """Return a random UUID as text: a backend may have ids of its own kind, and a UUID is one of each kind.

    `uuid.uuid4` makes an object first, which takes four times as long.
    """
    text = os.urandom(16).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:]}"


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
