"""Celery applications: whose tasks are whose, what tasks declare, and what stands in for the broker."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, Self

from celery import Celery
from celery.app.task import Task
from celery.local import Proxy
from kombu.connection import Connection

from ...errors import BridgeError
from ..toolkit import DeliverySemantics, RetryPolicy


class Applications:
    """Finds tasks by name, in the applications that are bridged together."""

    __slots__ = ("_apps", "_complete")

    def __init__(self, apps: Sequence[Any]) -> None:
        # `current_app` and the like are proxies.
        self._apps = [app._get_current_object() if isinstance(app, Proxy) else app for app in apps]
        self._complete = False

    def __iter__(self) -> Iterator[Celery]:
        """Go through the applications."""
        return iter(self._apps)

    def __contains__(self, app: object) -> bool:
        """Say whether an application is one of them."""
        return any(app is other for other in self._apps)

    def owners(self, name: str) -> list[Celery]:
        """Return the applications that have a task of this name.

        What a worker imports when it starts is imported the first time that a name is missing.
        """
        owners = [app for app in self._apps if name in app.tasks]
        if owners or self._complete:
            return owners
        self._complete = True
        for app in self._apps:
            app.loader.import_default_modules()
        return self.owners(name)

    def performing(self, name: str, sender: Celery) -> Celery | None:
        """Return the application whose worker performs a task: the one that sent it, if it can."""
        owners = self.owners(name)
        return sender if sender in owners else next(iter(owners), None)

    def __str__(self) -> str:
        return ", ".join(map(app_text, self._apps))


def app_text(app: Celery) -> str:
    """Return what a message calls an application."""
    return f"the Celery app {app.main!r}"


def semantics_of(task: Task) -> DeliverySemantics:
    """Return what a worker does by the settings of a task.

    A killed pool process is a lost job unless the task is retried when its worker is lost, or is
    acknowledged late and rejected then; a task without retries left is neither, if it asks for the
    former. A worker that is gone as a whole leaves what it has not acknowledged.
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


def retry_policy_of(task: Task) -> RetryPolicy | None:
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


def changing(app: Celery, setting: str, *, value: object) -> Callable[[], None]:
    """Change a setting, and return what changes it back."""
    configuration: Any = app.conf
    changes = configuration.changes
    before = dict(changes)
    app.conf[setting] = value

    def restore() -> None:
        changes.clear()
        changes.update(before)

    return restore


class Producers:
    """Stands in for the pool of producers of an application: every message goes to one function."""

    limit = None

    def __init__(self, app: Celery, publish: Callable[..., None]) -> None:
        self._app = app
        self._producer = _Producer(publish)
        self.connections = SimpleNamespace(connection=self._producer.connection)

    def acquire(self, *args: Any, **kwargs: Any) -> _Producer:
        """Lend the producer.

        Raises:
            BridgeError: when the task would run eagerly, past the harness.
        """
        if self._app.conf.task_always_eager:
            raise BridgeError(
                "task_always_eager was turned on while a harness is open: the task would run at once, in the "
                "caller, past the harness. Leave it off: jobs_mode = inline performs each task by itself."
            )
        return self._producer

    def force_close_all(self, *args: Any, **kwargs: Any) -> None:
        """Have nothing to close."""


class _Producer:
    """What a task is published with; as a context manager it gives itself."""

    serializer = None
    channel = None

    def __init__(self, publish: Callable[..., None]) -> None:
        self.publish = publish
        self.connection = memory_connection()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Stay open."""

    def revive(self, channel: Any) -> None:
        """Have no channel."""

    def maybe_declare(self, *args: Any, **kwargs: Any) -> None:
        """Declare nothing."""

    def release(self) -> None:
        """Be kept."""

    close = release


def memory_connection(*args: Any, **kwargs: Any) -> Connection:
    """Return a connection to a broker inside this process, whatever is asked for."""
    return Connection("memory://")
