"""The rules for errors of a job: retry it, discard it, or rescue it.

The most specific rule wins: the one whose exception class is nearest in the error's method resolution
order; then the nearest job class; then the topmost decorator.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias, TypeVar

from ...errors import DeclarationError
from .options import checked_priority, checked_queue
from .waits import Wait, WaitRule

F = TypeVar("F", bound=Callable[..., Any])
#: Called with the job and the error.
Then: TypeAlias = Callable[[Any, BaseException], object]
Errors: TypeAlias = tuple[type[BaseException], ...]

#: The share of a declared wait that chance adds at most; the default of Rails applications.
DEFAULT_JITTER = 0.15


class Rule:
    """What happens to a job that raises one of certain errors."""

    __slots__ = ("errors",)

    def __init__(self, errors: Errors, declared_by: str) -> None:
        if not errors:
            raise DeclarationError(
                f"{declared_by}() names no exception class: write {declared_by}(SomeError)."
            )
        for error in errors:
            if (
                isinstance(error, type)
                and not issubclass(error, Exception)
                and issubclass(error, BaseException)
            ):
                raise DeclarationError(
                    f"{declared_by}({error.__name__}) would never take effect: what is not an Exception, such as "
                    "KeyboardInterrupt, ends the worker and is not an error of the job. Name an Exception."
                )
            if not (isinstance(error, type) and issubclass(error, Exception)):
                raise DeclarationError(
                    f"{declared_by}({error!r}) is given something that is not an exception class: "
                    f"name the class, as in {declared_by}(SomeError)."
                )
        self.errors = errors

    def distance(self, error_class: type[BaseException]) -> int | None:
        """Return how far the nearest of the rule's errors is from this one, or None."""
        mro = error_class.__mro__
        return min((mro.index(cls) for cls in self.errors if cls in mro), default=None)


class RetryRule(Rule):
    """Enqueue the job again, later, until its attempts are used up."""

    __slots__ = ("attempts", "jitter", "key", "priority", "queue", "then", "wait")

    def __init__(
        self,
        errors: Errors,
        *,
        wait: Wait,
        attempts: int | None,
        jitter: float,
        queue: str | None,
        priority: int | None,
        then: Then | None,
    ) -> None:
        super().__init__(errors, "retry_on")
        if attempts is not None and (type(attempts) is not int or attempts < 1):
            raise DeclarationError(
                f"retry_on(attempts={attempts!r}) is not a number of runs: write an int of at least 1, "
                "the first run included, or None to retry for ever."
            )
        if isinstance(jitter, bool) or not isinstance(jitter, int | float) or not 0 <= jitter <= 1:
            raise DeclarationError(
                f"retry_on(jitter={jitter!r}) is not a share of the wait: write a number from 0 to 1."
            )
        self.wait = WaitRule(wait)
        self.attempts = attempts
        self.jitter = jitter
        self.queue = None if queue is None else checked_queue(queue, "retry_on(queue=...)")
        self.priority = checked_priority(priority, "retry_on(priority=...)")
        self.then = None if then is None else _checked_handler(then, "retry_on(then=...)")
        #: Names the counter of this rule in a payload.
        self.key = ",".join(f"{cls.__module__}.{cls.__qualname__}" for cls in errors)


class DiscardRule(Rule):
    """Drop the job."""

    __slots__ = ("then",)

    def __init__(self, errors: Errors, then: Then | None) -> None:
        super().__init__(errors, "discard_on")
        self.then = None if then is None else _checked_handler(then, "discard_on(then=...)")


class RescueRule(Rule):
    """Call a method of the job with the error."""

    __slots__ = ("name",)

    def __init__(self, errors: Errors, method: Callable[..., Any]) -> None:
        super().__init__(errors, "rescue_from")
        self.name = _checked_handler(method, "rescue_from").__name__


class AfterDiscard:
    """A method that runs when the job is given up."""

    def __init__(self, method: Callable[..., Any]) -> None:
        _checked_handler(method, "after_discard")


def nearest_rule(rules: Iterator[Rule], error_class: type[BaseException]) -> Rule | None:
    """Return the most specific of the rules; among equals the first."""
    best: Rule | None = None
    best_distance: int | None = None
    for rule in rules:
        distance = rule.distance(error_class)
        if distance is not None and (best_distance is None or distance < best_distance):
            best, best_distance = rule, distance
    return best


def _checked_handler(handler: F, where: str) -> F:
    if not callable(handler):
        raise DeclarationError(
            f"{where} is {handler!r}, which cannot be called: pass a function of the job and the error."
        )
    if inspect.iscoroutinefunction(handler) or inspect.isgeneratorfunction(handler):
        raise DeclarationError(
            f"{where} is given {handler.__qualname__}, which only returns a coroutine or a generator when it "
            "is called, and nothing runs that: write a plain function."
        )
    return handler
