"""Lifecycle hooks, by which plugins see every job of the core."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from inspect import getattr_static, isfunction
from typing import Any

import pluggy

from ...errors import DeclarationError
from .base import JobBase
from .payload import Execution, Payload

_PROJECT = "pytest_jobs"
_HOOKS = ("job_enqueued", "job_not_enqueued", "job_started", "job_finished")

_hookspec = pluggy.HookspecMarker(_PROJECT)
#: Marks the functions of a lifecycle plugin.
hookimpl = pluggy.HookimplMarker(_PROJECT)


class LifecycleSpecs:
    """What a lifecycle plugin can implement."""

    @_hookspec
    def job_enqueued(self, job: JobBase, payload: Payload) -> None:
        """An adapter has taken the payload, of a retry too: `job.attempt` is then the one that failed."""

    @_hookspec
    def job_not_enqueued(self, job: JobBase) -> None:
        """The job goes nowhere: `job.enqueue_error` is a `Halt`, a `RolledBackError`, or the adapter's error.

        It is None where another job keeps it out, whose id is `job.dropped_for`.
        """

    @_hookspec
    def job_started(self, job: JobBase) -> None:
        """A delivery of the job begins; its arguments have been read."""

    @_hookspec
    def job_finished(self, job: JobBase, execution: Execution) -> None:
        """A delivery has come to its end, whatever the end is."""


class LifecycleHooks(pluggy.PluginManager):
    """The registered lifecycle plugins.

    Each hook is an attribute that is None while no plugin implements it: to call a hook without
    plugins costs more than to enqueue a job.
    """

    job_enqueued: Callable[..., Any] | None = None
    job_not_enqueued: Callable[..., Any] | None = None
    job_started: Callable[..., Any] | None = None
    job_finished: Callable[..., Any] | None = None

    def __init__(self) -> None:
        super().__init__(_PROJECT)
        self.add_hookspecs(LifecycleSpecs)

    def register(self, plugin: object, name: str | None = None) -> str | None:
        """Add a plugin: any object with functions marked by `hookimpl`.

        Raises:
            DeclarationError: when it implements no hook, has a function for a hook that does not exist, or
                is a class whose methods need an instance.
        """
        if isinstance(plugin, type) and any(
            isfunction(getattr_static(plugin, hook, None)) for hook in _HOOKS
        ):
            raise DeclarationError(
                f"hooks.register({plugin.__qualname__}) is given the class, and takes what is made of it: write "
                f"hooks.register({plugin.__qualname__}(...))."
            )
        registered = super().register(plugin, name)
        implemented = {caller.name for caller in self.get_hookcallers(plugin) or ()}
        unknown = sorted(implemented.difference(_HOOKS))
        if unknown or not implemented:
            super().unregister(plugin)
        if unknown:
            raise DeclarationError(
                f"hooks.register({plugin!r}) is given a function {unknown[0]!r}, which nothing calls: name it as "
                f"what it is to hear of, of {', '.join(_HOOKS)}."
            )
        if not implemented:
            raise DeclarationError(
                f"hooks.register({plugin!r}) is given what would hear of nothing: mark its functions with "
                f"@hookimpl, and name them as what they are to hear of, of {', '.join(_HOOKS)}."
            )
        self._refresh()
        return registered

    def unregister(self, plugin: object | None = None, name: str | None = None) -> Any:
        """Remove a plugin."""
        removed = super().unregister(plugin, name)
        self._refresh()
        return removed

    @contextmanager
    def using(self, plugin: object) -> Generator[None, None, None]:
        """Have a plugin registered for a block."""
        self.register(plugin)
        try:
            yield
        finally:
            self.unregister(plugin)

    def _refresh(self) -> None:
        for name in _HOOKS:
            caller = getattr(self.hook, name)
            setattr(self, name, caller if caller.get_hookimpls() else None)


def check_methods(given: object, methods: Sequence[str], taker: str, instead: str) -> None:
    """Check that the logger or client of a lifecycle plugin has the methods that it needs.

    Raises:
        DeclarationError: when one is missing.
    """
    missing = [method for method in methods if not callable(getattr(given, method, None))]
    if missing or isinstance(given, type):
        lack = f"has no {' and no '.join(missing)}" if missing else "is a class"
        raise DeclarationError(
            f"{taker}({given!r}) is given what {lack}: write {taker}({instead})."
        )


#: The lifecycle plugins of the process.
hooks = LifecycleHooks()
