"""Letting go of what a dead delivery held."""

from __future__ import annotations

import functools
import sys
import traceback
import warnings
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from contextvars import Context
from typing import Any, Final, Generic, TypeVar, cast

from ...harness.records.patches import Patches
from .acts import watcher

T = TypeVar("T")

#: What the interpreter calls for a coroutine that is collected and was not begun.
_NEVER_AWAITED: Final = "_warn_unawaited_coroutine"


def isolated(run: Callable[[], T]) -> T:
    """Run something whose handled exceptions stay its own.

    An exception that a line hook raises at the edge of an `except` block leaves that block without
    the interpreter's noticing, and would be the context of whatever is raised in this thread for
    ever. A generator has an exception state of its own, which ends with it.
    """

    def once() -> Generator[T, None, None]:
        yield run()

    steps = once()
    try:
        return next(steps)
    finally:
        steps.close()


class InContext(Generic[T]):
    """Awaits a coroutine in the task that runs, with each of its steps in another context."""

    def __init__(self, context: Context, coroutine: Coroutine[Any, Any, T]) -> None:
        self._context = context
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, T]:
        """Take its steps."""
        step = functools.partial(self._coroutine.send, None)
        while True:
            try:
                awaited = self._context.run(step)
            except StopIteration as ended:
                return cast(T, ended.value)
            try:
                sent = yield awaited
            except BaseException as error:
                step = functools.partial(self._coroutine.throw, error)
            else:
                step = functools.partial(self._coroutine.send, sent)


@contextmanager
def hearing_nothing_of(death: type[BaseException]) -> Generator[None, None, None]:
    """Let the generators and coroutines of a dead delivery end without a word, for a block."""
    patches = Patches()
    heard = sys.unraisablehook
    warn = getattr(warnings, _NEVER_AWAITED)

    def hear(unraisable: Any) -> None:
        if not issubclass(unraisable.exc_type or object, death):
            heard(unraisable)

    def warn_of_the_living(coroutine: object) -> None:
        current = watcher.get()
        if current is None or not current.dead:
            warn(coroutine)

    patches.set(sys, "unraisablehook", hear)
    patches.set(warnings, _NEVER_AWAITED, warn_of_the_living)
    try:
        yield
    finally:
        patches.restore()


def hush_loop(death: type[BaseException] | None = None) -> None:
    """Let the event loop that runs, if one does, say nothing of what a dead delivery leaves on it.

    That is its other tasks, and what waits for them.

    Args:
        death: what unwinds the delivery; None when the loop is its own, and with it all that is left.
    """
    asyncio = sys.modules.get("asyncio")
    loop = None if asyncio is None else asyncio._get_running_loop()
    if loop is None:
        return
    heard = loop.get_exception_handler() or type(loop).default_exception_handler

    def hear(loop: Any, context: dict[str, Any]) -> None:
        if death is not None and not isinstance(context.get("exception"), death):
            heard(loop, context)

    loop.set_exception_handler(hear)


def let_go(death: BaseException) -> None:
    """Free the frames of a delivery that is dead, without a warning of what it left open.

    A kernel closes the files of a process that was killed, and says nothing of it.

    Args:
        death: what unwound the delivery.
    """
    patches = Patches()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        # A generator that was suspended may end here, and what it does in its end is refused.
        patches.set(sys, "unraisablehook", _hear_nothing)
        try:
            traceback.clear_frames(death.__traceback__)
            death.__traceback__ = None
        finally:
            patches.restore()


def _hear_nothing(unraisable: object) -> None:
    pass


def is_cancellation(error: BaseException) -> bool:
    """Say whether an error is that of a coroutine which was cancelled."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and isinstance(error, asyncio.CancelledError)
