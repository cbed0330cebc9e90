"""What becomes of a job that raised: retry it, discard it, or rescue it.

The most specific rule wins: the one whose exception class stands nearest in the error's method
resolution order; then the nearest job class; then the topmost decorator.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from ...errors import DeclarationError
from .callbacks import mark
from .options import checked_priority, checked_queue
from .waits import Wait, WaitRule

if TYPE_CHECKING:
    from ..job import Job


T = TypeVar("T")


class Declares:
    """A decorator for job classes and job functions."""

    def __init__(self, name: str, declare: Callable[[type[Job]], None]) -> None:
        #: As which it is written.
        self.name = name
        self._declare = declare

    def __call__(self, target: T) -> T:
        """Declare it of a job class or a job function, and return that.

        Raises:
            DeclarationError: when it is put above something else.
        """
        job_class = getattr(target, "job_class", None)
        if job_class is None:
            raise DeclarationError(
                f"@{self.name} decorates {target!r}, which is no job: put it above a class derived from Job, or "
                "above @job."
            )
        self._declare(job_class)
        return target

    def __repr__(self) -> str:
        return f"@{self.name}(...)"


F = TypeVar("F", bound=Callable[..., Any])
Then: TypeAlias = "Callable[[Job, BaseException], object]"
Errors: TypeAlias = tuple[type[BaseException], ...]

#: The share of a declared wait that chance adds at most; the default of Rails applications.
DEFAULT_JITTER = 0.15


class Rule:
    """What happens on certain errors."""

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
                    f"{declared_by}({error.__name__}) would never take effect: what is no Exception, such as "
                    "KeyboardInterrupt, ends the worker and is no error of the job. Name an Exception."
                )
            if not (isinstance(error, type) and issubclass(error, Exception)):
                raise DeclarationError(
                    f"{declared_by}({error!r}) is given something that is no exception class: "
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
                f"retry_on(attempts={attempts!r}) is no number of runs: write an int of at least 1, "
                "the first run included, or None to retry for ever."
            )
        if isinstance(jitter, bool) or not isinstance(jitter, int | float) or not 0 <= jitter <= 1:
            raise DeclarationError(
                f"retry_on(jitter={jitter!r}) is no share of the wait: write a number from 0 to 1."
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
    """Let a method of the job deal with the error."""

    __slots__ = ("name",)

    def __init__(self, errors: Errors, method: Callable[..., Any]) -> None:
        super().__init__(errors, "rescue_from")
        self.name = _checked_handler(method, "rescue_from").__name__

    def declare(self, owner: type[Job], name: str) -> None:
        """Take the rule into the job class that defines the method."""
        self.name = name
        owner._declare_rule(self, last=True)


class AfterDiscard:
    """A method that runs when the job is given up."""

    def __init__(self, method: Callable[..., Any]) -> None:
        _checked_handler(method, "after_discard")

    def declare(self, owner: type[Job], name: str) -> None:
        """Take the method into the job class that defines it."""
        owner._declare_after_discard(name)


def retry_on(
    *errors: type[BaseException],
    wait: Wait = 3,
    attempts: int | None = 5,
    jitter: float = DEFAULT_JITTER,
    queue: str | None = None,
    priority: int | None = None,
    then: Then | None = None,
) -> Callable[[T], T]:
    """Retry the job when it raises one of these errors: a decorator for jobs.

    Each `retry_on` counts its own failures, over all the errors that it names. The semantics are
    those of ActiveJob, except for which rule wins.

    Args:
        errors: exception classes; subclasses count too, unless another rule is nearer to them.
        wait: seconds or a timedelta before the next attempt; a backoff such as
            `polynomially_longer`; or a callable of the number of failures by this rule, counted
            from 1, and optionally of the error. Default 3 seconds.
        attempts: how many runs may fail by this rule, the first included; None never stops.
            Default 5.
        jitter: the share of the wait that chance may add; none for a callable. Default 0.15.
        queue: the queue of the retries; None for the job's own.
        priority: the priority of the retries; None for the job's own.
        then: called with the job and the error when the attempts are used up. The error then
            counts as dealt with; without it, it is raised.

    Raises:
        DeclarationError: when an argument cannot be meant.
        WaitError: when the wait is no wait.
    """
    rule = RetryRule(
        errors,
        wait=wait,
        attempts=attempts,
        jitter=jitter,
        queue=queue,
        priority=priority,
        then=then,
    )
    return Declares("retry_on", lambda job_class: job_class._declare_rule(rule))


def discard_on(*errors: type[BaseException], then: Then | None = None) -> Callable[[T], T]:
    """Drop the job when it raises one of these errors: a decorator for jobs. As ActiveJob's.

    Args:
        errors: exception classes.
        then: called with the job and the error before the job is dropped.

    Raises:
        DeclarationError: when an error is no exception class.
    """
    rule = DiscardRule(errors, then)
    return Declares("discard_on", lambda job_class: job_class._declare_rule(rule))


def rescue_from(*errors: type[BaseException]) -> Callable[[F], F]:
    """Call the method with the error instead of failing: a decorator for methods of a job class.

    The delivery counts as performed with what the method returns, or as retried when the method
    calls `self.retry()`. An error that the method raises fails the job.

    Raises:
        DeclarationError: when an error is no exception class.
    """
    Rule(errors, "rescue_from")
    return lambda method: mark(method, lambda function: RescueRule(errors, function))


def after_discard(method: F) -> F:
    """Call the method with the error when the job is given up: a decorator for methods.

    That is: discarded by a rule, out of attempts, or failed with an error that no rule knows.
    Every such method runs, parents first, even when one raises; the last error is then raised.
    """
    return mark(method, AfterDiscard)


def find_rule(job_class: type[Job], error: BaseException) -> tuple[Rule, BaseException] | None:
    """Return the rule for an error and the error it is for: of its causes, the first with a rule."""
    seen: set[int] = set()
    candidate: BaseException | None = error
    while candidate is not None and id(candidate) not in seen:
        seen.add(id(candidate))
        rule = job_class._rule_for(type(candidate))
        if rule is not None:
            return rule, candidate
        candidate = candidate.__cause__
    return None


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
