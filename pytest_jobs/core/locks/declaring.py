"""The decorators of locks and limits: `unique` and `limits_concurrency`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Never, TypeVar

from ...errors import DeclarationError
from ..foundation.base import Declaration, JobDecorator
from ..foundation.vocabulary import in_our_words
from ..foundation.waits import Seconds
from .exclusion import Exclusion
from .rules import DEFAULT_DURATION, Key, LimitRule, OnConflict, OnLimit, UniqueRule, Until

T = TypeVar("T")


@in_our_words(DeclarationError)
def unique(
    key: Key = None,
    *,
    until: Until = "executed",
    ttl: Seconds | None = None,
    scope: str | None = None,
    on_conflict: OnConflict = "drop",
) -> Callable[[T], T]:
    """Let no second job with the same key come while there is a first: a decorator for jobs.

    The locks are those of sidekiq-unique-jobs. They belong to the job, by its id: a retry and a second
    delivery of the same job pass. They are kept in the store; see `configure`.

    Args:
        key: the name of a parameter, several, or a callable of the job's arguments; two jobs are the same
            when its values are. Default all arguments.
        until: when another may come. `executed`: when the job has ended, its retries included.
            `executing`: when it begins to run. `expired`: when `ttl` has passed. `while_executing`: any may
            be enqueued, and one runs at a time. `until_and_while_executing`: one waits, and one runs.
        ttl: seconds or a timedelta after which a lock ends by itself, counted from when the job, or its
            retry, is due; None for never. What a killed worker held stays until then.
        scope: what the key is of, for jobs that exclude each other; None for the job's own name.
        on_conflict: what becomes of the second job. When it is enqueued: `drop`, `log` as well, or
            `replace` the first. When it is to run: `drop`, `log`, `raise` a `JobLockedError` in it,
            `reschedule` it in 5 seconds, or `reject` it to the dead letters. For both a mapping of
            `enqueue` and `perform`. Default `drop`.

    Raises:
        DeclarationError: when an argument cannot be meant, or the strategy does not fit the lock.
        WaitError: when ttl is not a duration.
    """
    job_class = getattr(key, "job_class", None)
    if job_class is not None:
        raise DeclarationError(
            f"@unique stands above {job_class.__qualname__} without parentheses, so that the job would be taken "
            "for a key: write @unique(), or @unique('user_id') with the name of a parameter."
        )
    rule = UniqueRule(key, until, ttl, scope, on_conflict)

    def declare(declaration: Declaration) -> None:
        declaration.declare_once("unique", "unique", rule)
        Exclusion.renew(declaration)

    return JobDecorator("unique", declare)


@in_our_words(DeclarationError)
def limits_concurrency(
    *_given: Never,
    to: int = 1,
    key: Key = None,
    group: str | None = None,
    duration: Seconds = DEFAULT_DURATION,
    on_conflict: OnLimit = "block",
) -> Callable[[T], T]:
    """Let so many jobs with the same key be ready or running at once: a decorator for jobs.

    The semantics are those of Solid Queue. A job takes a place when it is enqueued, or when it becomes
    due, and gives it back when it has ended, failed or is to be retried; then the first of those
    that are blocked gets it, by priority and order. Places are kept in the store; see `configure`.

    Args:
        _given: nothing; every argument has a name.
        to: how many. Default 1.
        key: the name of a parameter, several, or a callable of the job's arguments. Default none: all
            jobs of the class share the places.
        group: what the key is of, for jobs of several classes that share the places; None for the job's
            own name.
        duration: seconds or a timedelta after which a place ends by itself, as that of a killed worker
            does. A job that takes longer may run beside the next. Default 3 minutes.
        on_conflict: what becomes of a job beyond the limit: `block` lets it wait, `discard` drops it.

    Raises:
        DeclarationError: when an argument cannot be meant.
        WaitError: when duration is not a duration.
    """
    if _given:
        given: tuple[object, ...] = _given
        raise DeclarationError(
            f"limits_concurrency({given[0]!r}) is given something without a name: write @limits_concurrency() "
            "above the job, or @limits_concurrency(to=2, key='user_id')."
        )
    rule = LimitRule(to, key, group, duration, on_conflict)

    def declare(declaration: Declaration) -> None:
        declaration.declare_once("limit", "limits_concurrency", rule)
        Exclusion.renew(declaration)

    return JobDecorator("limits_concurrency", declare)
