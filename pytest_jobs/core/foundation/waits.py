"""How long a failed job waits before its next attempt."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from types import BuiltinFunctionType
from typing import Any, NamedTuple, Protocol, TypeAlias

from ...errors import DeclarationError, WaitError
from .vocabulary import in_our_words

Seconds: TypeAlias = float | timedelta
WaitCallable: TypeAlias = Callable[[int], Seconds] | Callable[[int, BaseException], Seconds]
Wait: TypeAlias = "Seconds | Backoff | WaitCallable | MakesBackoff"


class Backoff(Protocol):
    """A wait that grows with the number of failures and knows its own jitter."""

    def __call__(self, failures: int, *, jitter: float = 0.0, draw: float = 0.0) -> float:
        """Return seconds.

        Args:
            failures: how often the handler has failed, counted from 1.
            jitter: the share of the wait that chance may add.
            draw: where in the range of chance this wait lies, from 0 up to 1.
        """
        ...


class MakesBackoff(Protocol):
    """The type of `exponentially_longer`, which is a wait without a call too."""

    def __call__(
        self, base: float = ..., factor: float = ..., cap: float | None = ...
    ) -> Backoff: ...


def polynomially_longer(failures: int, *, jitter: float = 0.0, draw: float = 0.0) -> float:
    """Wait failures⁴ + 2 seconds: 3, 18, 83, 258, 627. As ActiveJob's `:polynomially_longer`."""
    base = failures**4
    return base + 2 + base * jitter * draw


def sidekiq_backoff(failures: int, *, jitter: float = 0.0, draw: float = 0.0) -> float:
    """Wait count⁴ + 15 seconds, count being failures - 1: Sidekiq's default schedule.

    Chance adds whole seconds, fewer than 10 * (count + 1), whatever `jitter` says unless it is 0.
    """
    base = (failures - 1) ** 4 + 15
    return base + (int(draw * 10 * failures) if jitter else 0)


@in_our_words(DeclarationError)
def exponentially_longer(
    base: float = 1.0, factor: float = 2.0, cap: float | None = None
) -> Backoff:
    """Wait base * factor ** (failures - 1) seconds, at most `cap`.

    Args:
        base: seconds before the second attempt.
        factor: by how much each wait is longer than the one before; at least 1.
        cap: the longest wait in seconds, or None for no limit. Jitter may add to it.

    Raises:
        DeclarationError: when base or cap is not positive, or factor is below 1.
    """
    if not base > 0 or not factor >= 1 or (cap is not None and not cap > 0):
        raise DeclarationError(
            f"exponentially_longer(base={base!r}, factor={factor!r}, cap={cap!r}) does not grow: "
            "base and cap must be above 0 seconds and factor at least 1."
        )

    def backoff(failures: int, *, jitter: float = 0.0, draw: float = 0.0) -> float:
        try:
            wait = base * float(factor) ** (failures - 1)
        except OverflowError:
            wait = math.inf
        wait = wait if cap is None else min(wait, cap)
        return wait * (1 + jitter * draw)

    return backoff


class Delay(NamedTuple):
    """A wait in seconds, and the shortest and the longest that chance could have made it."""

    seconds: float
    low: float
    high: float


_LONGEST = timedelta.max.total_seconds()
#: The largest draw, just below 1.
_LONGEST_DRAW = 1 - 2**-53


class WaitRule:
    """One declared wait, checked."""

    __slots__ = ("_declared", "_takes_jitter", "_what", "wants_error")

    def __init__(self, declared: Wait) -> None:
        self._declared: Any = declared
        self._what = "wait"
        self._takes_jitter = True
        #: Whether the wait depends on the error too, so that the schedule is not known beforehand.
        self.wants_error = False
        if self._declared is exponentially_longer:
            # Written as the two backoffs are that have no arguments.
            self._declared = declared = exponentially_longer()
        if callable(declared):
            self._what = f"the result of wait={_name(declared)}"
            self._takes_jitter = _takes_jitter(declared)
            self.wants_error = not self._takes_jitter and _takes_error(declared)
        else:
            self._declared = seconds_of(declared, self._what)

    def delay(self, failures: int, error: BaseException, jitter: float, draw: float) -> Delay:
        """Return the wait after the given number of failures, counted from 1.

        Raises:
            WaitError: when a callable returns something that is not a time.
        """
        declared = self._declared
        if not self._takes_jitter:
            said = declared(failures, error) if self.wants_error else declared(failures)
            seconds = _seconds(said, self._what)
            return Delay(seconds, seconds, seconds)
        waits: list[float] = []
        for drawn in (draw, 0.0, _LONGEST_DRAW):
            if callable(declared):
                said = declared(failures, jitter=jitter, draw=drawn)
            else:
                said = declared + declared * jitter * drawn
            waits.append(_seconds(said, self._what))
        return Delay(*waits)


def _takes_jitter(function: Callable[..., object]) -> bool:
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
    return "jitter" in parameters and "draw" in parameters


def _takes_error(function: Callable[..., object]) -> bool:
    """Return whether a wait is called with the error too.

    A second parameter gets the error, also one with a default. Two defaults are settings of the wait instead:
    a number or duration, such as `base=10`, and whatever a function written in C has.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return False
    parameters = signature.parameters.values()
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = [p for p in positional if p.default is p.empty]
    keyword_only = [p for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    takes_rest = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    if keyword_only or len(required) > 2 or not (positional or takes_rest):
        raise DeclarationError(
            f"wait={_name(function)} takes {signature}, but a wait is called with the number of failures, "
            "or with that number and the error: write `def wait(failures)` or `def wait(failures, error)`."
        )
    if len(required) == 2 or len(positional) < 2:
        return len(required) == 2 or (takes_rest and len(required) == 1)
    inner = function.func if isinstance(function, partial) else function
    is_python = not isinstance(inner, BuiltinFunctionType | type)
    return is_python and not isinstance(positional[1].default, int | float | timedelta)


def _name(function: Callable[..., object]) -> str:
    return getattr(function, "__qualname__", None) or repr(function)


def _seconds(value: object, what: str) -> float:
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = value
    else:
        raise WaitError(
            f"{what} must be a number of seconds such as 30, or timedelta(minutes=5), got {value!r}."
        )
    if not 0 <= seconds < math.inf:
        raise WaitError(
            f"{what} is {value!r}: a wait is finite and not negative. Write 0 for no wait."
        )
    return seconds


def seconds_of(value: object, what: str) -> float:
    """Return a wait that somebody wrote down, in seconds.

    One that grows with the failures may become longer than any timedelta: its job is due at the last instant then.

    Args:
        value: a number of seconds or a timedelta, not negative.
        what: how the message names the value.

    Raises:
        WaitError: when it is neither, is negative or is longer than `timedelta.max`.
    """
    seconds = _seconds(value, what)
    if seconds > _LONGEST:
        raise WaitError(
            f"{what} is {value!r}, which is longer than timedelta.max: the time ends with the year 9999."
        )
    return seconds
