"""What a delivery does in threads that it begins."""

from __future__ import annotations

import contextvars
import functools
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from ..harness.records.patches import Patches
from .acts import watcher
from .watching import Watch


def follow(patches: Patches) -> None:
    """Let the threads that a watched delivery begins, and what it gives to a pool, belong to it.

    Their acts are heard. They are no points, since threads run in an order that nobody decides.
    """
    patches.set(threading.Thread, "start", _starting(threading.Thread.start))
    patches.set(ThreadPoolExecutor, "submit", _submitting(ThreadPoolExecutor.submit))


def _starting(start: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    def started(thread: threading.Thread) -> None:
        current = watcher.get()
        if current is not None:
            current.begun(getattr(thread, "_target", None) or type(thread).run)
            context, run = contextvars.copy_context(), thread.run
            thread.run = lambda: context.run(_until_dead, run)  # type: ignore[method-assign]
        start(thread)

    return started


def _until_dead(run: Callable[[], None]) -> None:
    """Run a thread; what it comes to when its delivery has died meanwhile is nobody's concern."""
    try:
        run()
    except BaseException:
        current = watcher.get()
        if not (isinstance(current, Watch) and (current.dead or current.killed)):
            raise


def _submitting(submit: Callable[..., Future[Any]]) -> Callable[..., Future[Any]]:
    def submitted(
        pool: ThreadPoolExecutor, function: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Future[Any]:
        current = watcher.get()
        if current is None:
            return submit(pool, function, *args, **kwargs)
        current.begun(_run_by(function))
        return submit(pool, contextvars.copy_context().run, function, *args, **kwargs)

    return submitted


def _run_by(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what a function comes to, without the context in which `asyncio.to_thread` runs it."""
    while isinstance(function, functools.partial):
        in_context = isinstance(getattr(function.func, "__self__", None), contextvars.Context)
        function = function.args[0] if in_context else function.func
    return function
