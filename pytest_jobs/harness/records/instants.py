"""Nanoseconds inside, aware datetimes and timedeltas outside."""

from __future__ import annotations

from datetime import datetime, timedelta

from ...core.foundation.options import duration_ns, to_ns
from ...core.foundation.waits import Seconds, seconds_of

__all__ = ["FIRST_NS", "LAST_NS", "delta_ns", "duration_ns", "to_datetime", "to_ns", "to_timedelta"]

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
#: The first instant of the year 1 in UTC.
FIRST_NS = to_ns(datetime.min.replace(tzinfo=_EPOCH.tzinfo), "the first instant")
#: The last instant that a datetime can name in any timezone, hence a day before the last in UTC.
LAST_NS = to_ns(datetime.max.replace(tzinfo=_EPOCH.tzinfo) - timedelta(days=1), "the last instant")


def to_datetime(ns: int) -> datetime:
    """Return an instant in UTC, cut to whole microseconds and to `LAST_NS`."""
    return _EPOCH + timedelta(microseconds=min(ns, LAST_NS) // 1000)


def to_timedelta(ns: int) -> timedelta:
    """Return a duration, rounded to microseconds and cut to `LAST_NS`."""
    return timedelta(microseconds=round(min(ns, LAST_NS) / 1000))


def delta_ns(delta: Seconds, what: str) -> int:
    """Return a duration in nanoseconds.

    Args:
        delta: seconds or a timedelta, not negative.
        what: the name of the argument, for the message.

    Raises:
        WaitError: when it is anything else.
    """
    return duration_ns(seconds_of(delta, what))
