"""Concurrency limits: of the jobs with one key, so many at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, Never, TypeAlias, TypeVar, get_args

from ..errors import DeclarationError
from .declares import Declares
from .keys import JobKey, Key, nearest
from .options import duration_ns
from .waits import Seconds, seconds_of

T = TypeVar("T")
OnLimit: TypeAlias = Literal["block", "discard"]

#: Three minutes, in seconds: the default of Solid Queue.
DEFAULT_DURATION: Final = 180


class LimitRule:
    """The declaration of a limited job."""

    __slots__ = ("blocks", "duration_ns", "key", "to")

    def __init__(
        self, to: int, key: Key, group: str | None, duration: Seconds, on_conflict: str
    ) -> None:
        given: Any = to
        if type(given) is not int or given < 1:
            raise DeclarationError(
                f"limits_concurrency(to={to!r}) is no number of jobs at once: write an int of at least 1."
            )
        if on_conflict not in get_args(OnLimit):
            raise DeclarationError(
                f"limits_concurrency(on_conflict={on_conflict!r}) is no way to deal with a job beyond the limit"
                f"{nearest(on_conflict, get_args(OnLimit))} There are block, discard."
            )
        seconds = seconds_of(duration, "duration")
        if seconds == 0:
            raise DeclarationError(
                "limits_concurrency(duration=0) limits nothing, since each place would end as it begins: "
                "write how long a job may take at most."
            )
        self.to = to
        self.key = JobKey(() if key is None else key, group, "limits_concurrency", "group")
        self.duration_ns = duration_ns(seconds)
        self.blocks = on_conflict == "block"


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
        WaitError: when duration is no duration.
    """
    if _given:
        given: tuple[object, ...] = _given
        raise DeclarationError(
            f"limits_concurrency({given[0]!r}) is given something without a name: write @limits_concurrency() "
            "above the job, or @limits_concurrency(to=2, key='user_id')."
        )
    rule = LimitRule(to, key, group, duration, on_conflict)
    return Declares("limits_concurrency", lambda job_class: job_class._declare_limit(rule))
