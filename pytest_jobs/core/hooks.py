"""Lifecycle hooks: plugins that see every job of the core."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from .execution import Execution
    from .job import Job
    from .payload import Payload

_PROJECT = "pytest_jobs"

_hookspec = pluggy.HookspecMarker(_PROJECT)
#: Marks the functions of a lifecycle plugin.
hookimpl = pluggy.HookimplMarker(_PROJECT)


class LifecycleSpecs:
    """What a lifecycle plugin can implement."""

    @_hookspec
    def job_enqueued(self, job: Job, payload: Payload) -> None:
        """An adapter has taken the payload, of a retry too: `job.attempt` is then the one that failed."""

    @_hookspec
    def job_not_enqueued(self, job: Job) -> None:
        """The job goes nowhere: `job.enqueue_error` is a `Halt`, a `RolledBackError`, or the adapter's error.

        It is None where another job keeps it out, whose id is `job.dropped_for`.
        """

    @_hookspec
    def job_started(self, job: Job) -> None:
        """A delivery of the job begins; its arguments have been read."""

    @_hookspec
    def job_finished(self, job: Job, execution: Execution) -> None:
        """A delivery has come to its end, whatever the end is."""


class LifecycleHooks(pluggy.PluginManager):
    """The registered lifecycle plugins.

    Each hook is an attribute that is None while no plugin implements it: calling a hook that
    nobody listens to costs more than enqueueing a job.
    """

    job_enqueued: Callable[..., Any] | None = None
    job_not_enqueued: Callable[..., Any] | None = None
    job_started: Callable[..., Any] | None = None
    job_finished: Callable[..., Any] | None = None

    def __init__(self) -> None:
        super().__init__(_PROJECT)
        self.add_hookspecs(LifecycleSpecs)

    def register(self, plugin: object, name: str | None = None) -> str | None:
        """Add a plugin: any object with functions marked by `hookimpl`."""
        registered = super().register(plugin, name)
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
        for name in ("job_enqueued", "job_not_enqueued", "job_started", "job_finished"):
            caller = getattr(self.hook, name)
            setattr(self, name, caller if caller.get_hookimpls() else None)


#: The lifecycle plugins of the process.
hooks = LifecycleHooks()
