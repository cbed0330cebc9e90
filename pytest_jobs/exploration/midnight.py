"""Keeping midnight out of the histories that have no business with it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

_HOUR: Final = timedelta(hours=1)
#: The clean runs lie so far apart at most, and so do the deliveries of one that fails.
_SPAN: Final = timedelta(hours=4)


def until_quiet(now: datetime) -> timedelta:
    """Return how long to wait until no day ends for some hours, here or in UTC.

    Otherwise it would depend on the hour at which the tests run whether a job that writes a date
    comes out alike twice.
    """
    wait = timedelta(0)
    while _ends_a_day(now + wait):
        wait += _HOUR
    return wait


def _ends_a_day(begin: datetime) -> bool:
    end = begin + _SPAN
    return begin.date() != end.date() or begin.astimezone().date() != end.astimezone().date()
