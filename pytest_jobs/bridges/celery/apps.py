"""Celery applications: whose tasks are whose, the stand-in for their broker, and the header line."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from types import ModuleType, SimpleNamespace
from typing import Any, Final, Self

from celery import Celery, _state
from celery.app.task import Task
from celery.local import Proxy
from kombu.connection import Connection
from kombu.utils.url import maybe_sanitize_url

from ...harness.records.attributes import variables_of_modules
from ..applications import Applications as OfLibrary

_NO_MODULE: Final = ModuleType("none")


class Applications(OfLibrary[Celery]):
    """The Celery applications of the process; finds tasks by name.

    Some are nearer than others: those that `jobs_apps` names come first, then those that sent a task in this
    harness, then those at the top of a module. Python never frees the applications that earlier tests made, so
    the others make a name known, and perform nothing.
    """

    def __init__(self, named: Sequence[Any]) -> None:
        # `current_app` and the like are proxies.
        apps = [app._get_current_object() if isinstance(app, Proxy) else app for app in named]
        super().__init__(apps, Celery, wanted="a Celery app", tasks_of=tasks_of)
        #: The applications that have imported what a worker imports when it starts.
        self._complete: list[Celery] = []

    def forget(self) -> None:
        """Forget who has sent something: a new harness begins."""
        super().forget()
        self._complete.clear()

    def owners(self, name: str) -> list[Celery]:
        """Return the applications that perform a task of this name: of the nearest kind that has it.

        When no application has it, the modules are imported that a worker imports when it starts.
        """
        for apps in (self.named, self.senders):
            if owners := [app for app in apps if name in tasks_of(app)]:
                return owners
        at_top = self.at_top()
        if owners := [app for app in at_top if _has(app, name)]:
            return owners
        new = [
            app
            for app in (*self.named, *self.senders, *at_top)
            if not _is_among(app, self._complete)
        ]
        for app in new:
            self._complete.append(app)
            is_near = _is_among(app, self.named) or _is_among(app, self.senders)
            with nullcontext() if is_near else suppress(Exception):
                app.loader.import_default_modules()
        return self.owners(name) if new else []

    def performing(self, name: str, sender: Celery) -> Celery | None:
        """Return the application whose worker performs a task: the one that sent it, if it can."""
        return sender if name in tasks_of(sender) else next(iter(self.owners(name)), None)

    def knowing(self, name: str) -> Celery | None:
        """Return an application that has a task of this name, the nearest one first."""
        near = next((app for app in (*self.named, *self.senders) if name in tasks_of(app)), None)
        far = (app for app in _state._get_active_apps() if _has(app, name))
        return near or next(far, None) or next(iter(self.owners(name)), None)

    def sending(self, name: str) -> Celery:
        """Return the application that a simulation sends a task by, or else the current one."""
        current: Any = _state.get_current_app()
        return next(iter((*self.owners(name), *self.named, *self.senders)), current)

    def names(self) -> set[str]:
        """Return the names of the tasks that are performed here, without those of Celery itself."""
        names = {name for app in (*self.named, *self.senders) for name in tasks_of(app)}
        apps: list[Any] = [*self.at_top()]
        if not apps and not names:
            # A package that others install has shared tasks, and no application of its own. To ask makes one.
            apps.append(_state.get_current_app())
        for app in apps:
            with suppress(Exception):
                names.update(tasks_of(app))
        return {name for name in names if not name.startswith("celery.")}

    def with_schedules(self) -> list[Celery]:
        """Return the applications that may have a schedule for beat, each once."""
        found = [*self.named, *(app for app in self.senders if not _is_among(app, self.named))]
        for app in self.at_top():
            with suppress(Exception):
                tasks_of(app)  # Sets the application up, and with it what it schedules.
                if app.conf.beat_schedule and not _is_among(app, found):
                    found.append(app)
        return found

    def taken_over(self, name: str, app: Celery) -> str:
        """Say that a shared task was sent by an application that was made after that of the project; "" if not."""
        if not _is_shared(tasks_of(app).get(name)):
            return ""
        # Celery itself has a variable for the one that is current.
        at_top = [each for each in named_apps() if not each[0].startswith("celery.")]
        apps = self.named or tuple(each for _, each in at_top)
        first = next((each for each in apps if _has(each, name)), None)
        if first is None or app is first or _is_among(app, self.named):
            return ""
        places = {id(each): f"the Celery app {place}" for place, each in reversed(at_top)}
        other, ours = (places.get(id(each)) or app_text(each) for each in (app, first))
        return (
            f"{name} is a shared task, and was sent by {other}, not by {ours}: it belongs to the app that was "
            "made last. Make the other one with Celery(..., set_as_current=False)."
        )

    def __str__(self) -> str:
        return ", ".join(map(app_text, self.named)) or "any Celery app"


def named_apps() -> Iterator[tuple[str, Celery]]:
    """Yield each application at the top of a module, with its place as `package.module:app`."""
    # The class is asked, since `isinstance` would evaluate the proxies of lazy packages.
    for module, _, name, app in variables_of_modules(lambda kind: Celery in kind.__mro__):
        yield f"{module}:{name}", app


def tasks_of(app: Celery) -> Mapping[str, Task]:
    """Return the tasks of an application by name; none of one that is still to be finalized, by its project."""
    return app.tasks if app.finalized or app.autofinalize else {}


def app_text(app: Celery) -> str:
    """Return what errors call an application."""
    return f"the Celery app {app.main!r}"


def _has(app: Celery, name: str) -> bool:
    """Say whether an application that nobody has named or used has a task; one that cannot be set up has none."""
    try:
        return name in tasks_of(app)
    except Exception:
        return False


def _is_shared(task: Task | None) -> bool:
    """Say whether a task is one of `shared_task`, which finds it in the current application each time."""
    function = None if task is None else inspect.unwrap(task.run)
    module = vars(sys.modules.get(getattr(function, "__module__", ""), _NO_MODULE))
    # A task of an application is evaluated once, by a derived class of the proxy.
    return type(module.get(getattr(function, "__name__", ""))) is Proxy


def _is_among(app: Celery, apps: Sequence[Celery]) -> bool:
    return any(app is other for other in apps)


class Producers:
    """Stands in for the pool of producers of an application. Every message goes to one function."""

    limit = None

    def __init__(self, publish: Callable[..., None]) -> None:
        self.producer = Producer(publish)
        self.connections = SimpleNamespace(connection=self.producer.connection)

    def acquire(self, *args: Any, **kwargs: Any) -> Producer:
        return self.producer

    def force_close_all(self, *args: Any, **kwargs: Any) -> None:
        """There is nothing to close."""


class Producer:
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
    return Connection("memory://localhost")


def describe(named: Sequence[Celery]) -> str:
    """Return which applications there are, and which of their settings no longer matter.

    The line is printed before a test needs the settings. So a configuration that Celery has not loaded is only
    looked at: loading it imports modules of the project.

    Args:
        named: those that `jobs_apps` names, which come first.
    """
    places = _places()
    apps = {**dict.fromkeys(named), **dict.fromkeys(places)}
    if not apps:
        return ""
    first, *others = apps
    parts = [places.get(first) or app_text(first)]
    if others:
        parts[0] += f" and {len(others)} more"
    brokers = [*dict.fromkeys(shown for app in apps for shown in _brokers(app))]
    if len(brokers) == 1:
        parts.append(f"broker {brokers[0]} is not contacted")
    elif brokers:
        rest = brokers[1] if len(brokers) == 2 else f"{len(brokers) - 1} more"
        parts.append(f"brokers {brokers[0]} and {rest} are not contacted")
    if any(_setting(app, "task_always_eager") for app in apps):
        parts.append("task_always_eager is ignored")
    return "; ".join(parts)


def _places() -> dict[Celery, str]:
    """Return the applications of the project by their places, as `celery -A` takes them."""
    places: dict[Celery, str] = {}
    for place, app in named_apps():
        module, _, _ = place.partition(":")
        if module.partition(".")[0] == "celery":
            continue
        # Many modules import the application; the one that makes it has the usual name.
        if app not in places or module.endswith(".celery"):
            places[app] = place
    return places


def _brokers(app: Celery) -> list[str]:
    """Return the URLs of the broker without their passwords; none for one inside the process."""
    url = os.environ.get("CELERY_BROKER_URL") or _setting(app, "broker_url") or ""
    urls = url.split(";") if isinstance(url, str) else list(url)
    return [maybe_sanitize_url(each) for each in urls if each and not each.startswith("memory://")]


def _setting(app: Celery, name: str) -> Any:
    if app.configured:
        return app.conf.get(name)
    # What the application was made with, and `app.conf` was given.
    found = getattr(app, "_preconf", {}).get(name)
    return _of_source(app, name) if found is None else found


def _of_source(app: Celery, name: str) -> Any:
    """Return a setting of the object or the module that Celery will read, if it is imported."""
    source: Any = getattr(app, "_config_source", None)
    if isinstance(source, str):
        module, _, attribute = source.partition(":")
        source = sys.modules.get(module)
        if attribute:
            source = getattr(source, attribute, None)
    if getattr(source, "configured", True) is False:
        # The settings of Django, which nothing has asked for yet.
        return None
    key = f"{app.namespace}_{name}".upper() if app.namespace else name
    return source.get(key) if isinstance(source, dict) else getattr(source, key, None)
