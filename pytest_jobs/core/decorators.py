"""The decorators of jobs and of their methods: rules for errors, and callbacks.

Those of locks and limits are in `locks.declaring`, which is imported only by programs that use them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from ..errors import DeclarationError
from .foundation.base import JobDecorator, decorated
from .foundation.callbacks import Callback, Event, Kind
from .foundation.rules import DEFAULT_JITTER, AfterDiscard, DiscardRule, RescueRule, RetryRule, Rule
from .foundation.vocabulary import in_our_words
from .foundation.waits import Wait
from .job import Job

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
Then: TypeAlias = Callable[[Job, BaseException], object]

# Of jobs


@in_our_words(DeclarationError)
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
        WaitError: when the wait is not a time.
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
    return JobDecorator("retry_on", lambda declaration: declaration.add_rule(rule))


@in_our_words(DeclarationError)
def discard_on(*errors: type[BaseException], then: Then | None = None) -> Callable[[T], T]:
    """Drop the job when it raises one of these errors: a decorator for jobs. As ActiveJob's.

    Args:
        errors: exception classes.
        then: called with the job and the error before the job is dropped.

    Raises:
        DeclarationError: when an error is not an exception class.
    """
    rule = DiscardRule(errors, then)
    return JobDecorator("discard_on", lambda declaration: declaration.add_rule(rule))


# Of methods


@in_our_words(DeclarationError)
def rescue_from(*errors: type[BaseException]) -> Callable[[F], F]:
    """Call the method with the error instead of failing: a decorator for methods of a job class.

    The delivery counts as performed with what the method returns, or as retried when the method
    calls `self.retry()`. An error that the method raises fails the job.

    Raises:
        DeclarationError: when an error is not an exception class.
    """
    Rule(errors, "rescue_from")  # Refuses wrong errors here, before it is put above a method.
    return lambda method: decorated(method, lambda function: RescueRule(errors, function))


def after_discard(method: F) -> F:
    """Call the method with the error when the job is given up: a decorator for methods.

    That is: discarded by a rule, out of attempts, or failed with an error that no rule knows.
    Every such method runs, parents first, even when one raises; the last error is then raised.
    """
    return decorated(method, AfterDiscard)


def before_enqueue(method: F) -> F:
    """Run the method before the job is enqueued. Raise `Halt` in it to stop the enqueue."""
    return _callback("before", "enqueue", method)


def around_enqueue(method: F) -> F:
    """Run the generator around the enqueue, which happens at its one `yield`."""
    return _callback("around", "enqueue", method)


def after_enqueue(method: F) -> F:
    """Run the method after the job was handed to the adapter. `self.enqueued` says whether it took it."""
    return _callback("after", "enqueue", method)


def before_perform(method: F) -> F:
    """Run the method before `perform`. Raise `Halt` in it to skip the job."""
    return _callback("before", "perform", method)


def around_perform(method: F) -> F:
    """Run the generator around `perform`, whose result its one `yield` returns.

    An error of `perform` is raised at the `yield`; one that the generator catches does not count.
    """
    return _callback("around", "perform", method)


def after_perform(method: F) -> F:
    """Run the method after `perform` returned. It does not run when the job failed or was halted."""
    return _callback("after", "perform", method)


def _callback(kind: Kind, event: Event, method: F) -> F:
    return decorated(method, lambda function: Callback(kind, event, function))
