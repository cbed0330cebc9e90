"""The time limits of a delivery: the virtual sleep that passes one raises the error of the library.

A library sets an alarm in real seconds, which says nothing about a job that sleeps in virtual time.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, TypeVar

from ..records.instants import duration_ns

T = TypeVar("T")


class TimeLimit:
    """One limit that is in force."""

    __slots__ = ("_error", "interrupts", "left_ns", "outer")

    def __init__(
        self, seconds: float, error: Callable[[], BaseException], *, interrupts: bool = True
    ) -> None:
        self._error = error
        #: How much may still be slept; None once the limit has been reached, for it raises once.
        self.left_ns: int | None = duration_ns(seconds)
        #: Whether a sleep ends at the very moment of the limit, as by a signal. A thread sleeps to the end.
        self.interrupts = interrupts
        #: The limit around this one.
        self.outer: TimeLimit | None = None

    def reached(self) -> BaseException:
        """Return the error of the library. The limit is spent then."""
        self.left_ns = None
        return self._error()


#: The innermost limit of the delivery that is being made.
_innermost: Final[ContextVar[TimeLimit | None]] = ContextVar("pytest_jobs_limit", default=None)


@contextmanager
def time_limit(
    seconds: float | None, error: Callable[[], BaseException], *, interrupts: bool = True
) -> Generator[TimeLimit | None, None, None]:
    """Raise an error in a block when its sleeps in virtual time have taken so long.

    Args:
        seconds: how long; None, infinity, 0 or less for no limit.
        error: makes the error.
        interrupts: whether the sleep ends at the moment of the limit, and not when it would have ended.
    """
    if seconds is None or not 0 < seconds < float("inf"):
        yield None
        return
    limit = TimeLimit(seconds, error, interrupts=interrupts)
    limit.outer = _innermost.get()
    token = _innermost.set(limit)
    try:
        yield limit
    finally:
        _innermost.reset(token)


def has_limit() -> bool:
    """Return whether the delivery of this context has a limit that it has not reached."""
    return _next_limit() is not None


def error_of_limit() -> BaseException | None:
    """Return the error of the limit that is reached next, as if it were reached now; None without a limit."""
    limit = _next_limit()
    return None if limit is None else limit.reached()


def _next_limit() -> TimeLimit | None:
    """Return the limit that the delivery of this context reaches next."""
    found, limit = None, _innermost.get()
    while limit is not None:
        if limit.left_ns is not None and (found is None or limit.left_ns < (found.left_ns or 0)):
            found = limit
        limit = limit.outer
    return found


def sleep_within_limits(ns: int, sleep: Callable[[int], None]) -> None:
    """Sleep in virtual time, up to the next limit.

    Args:
        ns: how long, in nanoseconds.
        sleep: sleeps so long.

    Raises:
        BaseException: the error of the limit.
    """
    limit = _next_limit()
    if limit is None:
        sleep(ns)
        return
    left_ns = limit.left_ns or 0
    is_reached = left_ns <= ns
    slept_ns = left_ns if is_reached and limit.interrupts else ns
    sleep(slept_ns)
    each = _innermost.get()
    while each is not None:
        if each.left_ns is not None:
            each.left_ns = max(0, each.left_ns - slept_ns)
        each = each.outer
    if is_reached:
        raise limit.reached()


def waited_for(seconds: float | None, now_ns: Callable[[], int], call: Callable[[], T]) -> T:
    """Call what a worker has in a thread, and waits for no longer than a time: the thread goes on to its end.

    Args:
        seconds: how long; None or 0 for no limit.
        now_ns: returns the virtual time.
        call: what runs in the thread.

    Raises:
        TimeoutError: when it has taken longer, whatever it came to.
    """
    begin_ns = now_ns()

    def is_late() -> bool:
        return bool(seconds) and now_ns() - begin_ns >= duration_ns(seconds or 0)

    try:
        result = call()
    except Exception:
        if is_late():
            raise TimeoutError from None
        raise
    if is_late():
        raise TimeoutError
    return result
