"""Unwinding a killed delivery without a trace: no exception context, no warning, no message of the loop."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, TypeVar

from ...bridges.libraries.known import LIBRARIES
from ...harness.records.attributes import identity
from ...harness.records.patches import Patches

T = TypeVar("T")

#: What the interpreter calls for a coroutine that is collected and was not begun.
_NEVER_AWAITED: Final = "_warn_unawaited_coroutine"


class Unwound(BaseException):
    """Unwinds a delivery that was killed or given up. Code of the project is not to catch it."""


class Skipped(Unwound):
    """Says that an effect is skipped: its delivery is dead, and only ends what it began."""


def isolated(run: Callable[[], T]) -> T:
    """Call a function with an exception state of its own.

    An exception that a line hook raises at the edge of an `except` block leaves the block without the
    interpreter noticing. The handled exception would then be the `__context__` of everything that this
    thread raises from now on. A generator has its own exception state, which ends with it.
    """

    def once() -> Generator[T, None, None]:
        yield run()

    steps = once()
    try:
        return next(steps)
    finally:
        steps.close()


#: Loggers by which libraries report that a job failed. A check has its own report, on many deliveries.
_LOGGERS: Final = tuple(name for library in LIBRARIES.values() for name in library.loggers)


def quiet_libraries() -> AbstractContextManager[None]:
    """Let job libraries not log how the deliveries of a check end, for a block."""
    return _filtered(lambda record: not record.name.startswith(_LOGGERS))


@contextmanager
def _filtered(shown: Callable[[logging.LogRecord], bool]) -> Generator[None, None, None]:
    handle = logging.Logger.handle

    def handle_some(logger: logging.Logger, record: logging.LogRecord) -> None:
        if shown(record):
            handle(logger, record)

    with Patches() as patches:
        patches.set(logging.Logger, "handle", handle_some)
        yield


@contextmanager
def silenced(is_dead: Callable[[], bool]) -> Generator[None, None, None]:
    """Let a killed delivery end without a message, for a block.

    Its generators and coroutines end, and libraries clean up connections that are closed already.

    Args:
        is_dead: returns whether a dead delivery runs here.
    """
    show = sys.unraisablehook
    warn = getattr(warnings, _NEVER_AWAITED)

    def show_others(unraisable: Any) -> None:
        if not issubclass(unraisable.exc_type or object, Unwound):
            show(unraisable)

    def warn_of_others(coroutine: object) -> None:
        if not is_dead():
            warn(coroutine)

    tell = threading.excepthook

    def tell_others(ended: Any) -> None:
        if not issubclass(ended.exc_type, Unwound):
            tell(ended)

    with Patches() as patches:
        patches.set(sys, "unraisablehook", show_others)
        patches.set(threading, "excepthook", tell_others)
        patches.set(warnings, _NEVER_AWAITED, warn_of_others)
        with _filtered(lambda record: not is_dead()):
            yield


def silence_loop() -> None:
    """Let the running event loop, if there is one, not report the tasks that a killed delivery leaves."""
    asyncio = sys.modules.get("asyncio")
    loop = None if asyncio is None else asyncio._get_running_loop()
    if loop is not None:
        # It would log each of them as one whose exception was never retrieved.
        loop.set_exception_handler(lambda loop, context: None)


#: So many steps may the other tasks of a dead delivery make, to leave their blocks before they are cancelled.
_LAST_STEPS: Final = 100


async def let_tasks_end() -> None:
    """Let the other tasks of a dead delivery, whose loop this is, end what they began."""
    import asyncio

    for _ in range(_LAST_STEPS):
        if len(asyncio.all_tasks()) == 1:
            return
        await asyncio.sleep(0)


def clear_frames(death: BaseException) -> None:
    """Clear the frames of a killed delivery, and silence its ResourceWarnings.

    A kernel closes the files of a killed process without a word, too.
    """
    with warnings.catch_warnings(), Patches() as patches:
        warnings.simplefilter("ignore", ResourceWarning)
        # A suspended generator may end here. Its effects are refused by an exception, which is shown nowhere.
        patches.set(sys, "unraisablehook", lambda unraisable: None)
        for error in related(death):
            traceback.clear_frames(error.__traceback__)
            error.__traceback__ = None


def is_cancellation(error: BaseException) -> bool:
    """Return whether an error is `asyncio.CancelledError`."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and isinstance(error, asyncio.CancelledError)


def holds(error: BaseException | None, death: type[BaseException]) -> bool:
    """Return whether an error is a death, has one in its group, or came about while one was handled."""
    return any(isinstance(each, death) for each in related(error))


def related(error: BaseException | None) -> Generator[BaseException, None, None]:
    """Yield an error, the errors in its group, and those that were handled when it came about."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if each is None or identity(each) in seen:
            continue
        seen.add(identity(each))
        yield each
        waiting.append(each.__context__)
        if isinstance(each, BaseExceptionGroup):
            waiting += each.exceptions
