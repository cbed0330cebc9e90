"""Celery applications: whose tasks are whose, and the stand-in for their broker."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any, Self

from celery import Celery
from celery.local import Proxy
from kombu.connection import Connection

from ...errors import BridgeError


class Applications:
    """The applications of one bridge; finds tasks by name."""

    __slots__ = ("_apps", "_complete")

    def __init__(self, apps: Sequence[Any]) -> None:
        # `current_app` and the like are proxies.
        self._apps = [app._get_current_object() if isinstance(app, Proxy) else app for app in apps]
        self._complete = False

    def __iter__(self) -> Iterator[Celery]:
        return iter(self._apps)

    def __contains__(self, app: object) -> bool:
        return any(app is other for other in self._apps)

    def owners(self, name: str) -> list[Celery]:
        """Return the applications that have a task of this name.

        The first time that a name is missing, the modules are imported that a worker imports when it starts.
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
    """Return what errors call an application."""
    return f"the Celery app {app.main!r}"


def changing(app: Celery, setting: str, *, value: object) -> Callable[[], None]:
    """Change a setting, and return a function that changes it back."""
    configuration: Any = app.conf
    changes = configuration.changes
    before = dict(changes)
    app.conf[setting] = value

    def restore() -> None:
        changes.clear()
        changes.update(before)

    return restore


class Producers:
    """Stands in for the pool of producers of an application. Every message goes to one function."""

    limit = None

    def __init__(self, app: Celery, publish: Callable[..., None]) -> None:
        self._app = app
        self._producer = _Producer(publish)
        self.connections = SimpleNamespace(connection=self._producer.connection)

    def acquire(self, *args: Any, **kwargs: Any) -> _Producer:
        """Return the producer.

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
        """There is nothing to close."""


class _Producer:
    """What Celery publishes a task with. As a context manager it returns itself."""

    serializer = None
    channel = None

    def __init__(self, publish: Callable[..., None]) -> None:
        self.publish = publish
        self.connection = memory_connection()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """It stays open."""

    def revive(self, channel: Any) -> None:
        """There is no channel."""

    def maybe_declare(self, *args: Any, **kwargs: Any) -> None:
        """There is nothing to declare it to."""

    def release(self) -> None:
        """There is no pool to return to."""

    close = release


def memory_connection(*args: Any, **kwargs: Any) -> Connection:
    """Return a connection to a broker inside this process, whatever URL is asked for."""
    return Connection("memory://")
