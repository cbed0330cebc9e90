"""Schedules: when a cluster sends the tasks of the rows of `Schedule`, and how its scheduler does it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from importlib import import_module
from types import SimpleNamespace
from typing import Any, Final

from django.apps import apps
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.conf import Conf

from ...harness.time.waiting import off_the_loop
from ..rows import is_readable
from ..toolkit import Patches, to_ns

#: A cluster looks for rows that are due once in this time.
_ROUND_NS: Final = 30_000_000_000


def firings_between(after_ns: int, until_ns: int) -> Iterator[tuple[int, Callable[[], object]]]:
    """Yield when clusters send the tasks of the rows that are there now, and what sends them."""
    for row in _rows():
        send = partial(_send, row.cluster or Conf.PREFIX)
        at, left, earliest_ns = row.next_run, row.repeats, after_ns + 1
        while left and (at_ns := max(_ns(at), earliest_ns)) <= until_ns:
            yield at_ns, send
            if row.schedule_type == row.ONCE:
                break
            # What was missed comes once in each round of the cluster, or once in all.
            left, earliest_ns = left - 1, at_ns + _ROUND_NS
            at = _following(row, at)
            while not Conf.CATCH_UP and _ns(at) <= at_ns:
                at = _following(row, at)


def _rows() -> list[Any]:
    """Return the rows that clusters look at; none if the test may not use the database, or has no tables."""
    if not (Conf.SCHEDULER and apps.ready and apps.is_installed("django_q")):
        return []
    model = apps.get_model("django_q", "Schedule")
    # A test that is a coroutine waits meanwhile.
    with off_the_loop():
        return list(model.objects.exclude(repeats=0).order_by("pk")) if is_readable(model) else []


def _ns(at: datetime) -> int:
    return to_ns(timezone.make_aware(at) if timezone.is_naive(at) else at, "next_run")


def _following(row: Any, at: datetime) -> Any:
    """Return when a row is due after a time."""
    models = import_module("django_q.models")
    local, patches = models.localtime, Patches()
    try:
        # A crontab line goes on from the time of the process.
        patches.set(models, "localtime", lambda moment=None: local(moment or at))
        return row.calculate_next_run(at)
    finally:
        patches.restore()


def _send(cluster: str) -> None:
    """Let the scheduler of a cluster look for rows that are due."""
    scheduling, patches = import_module("django_q.scheduler"), Patches()
    try:
        patches.set(Conf, "CLUSTER_NAME", cluster)
        patches.set(scheduling, "close_old_django_connections", lambda: None)
        # The scheduler takes a row after its time, and not at it.
        patches.set(scheduling, "timezone", SimpleNamespace(now=_just_after_now))
        patches.set(scheduling, "logger", _Raising())
        with off_the_loop():
            scheduling.scheduler(get_broker(cluster))
    finally:
        patches.restore()


def _just_after_now() -> datetime:
    now: datetime = timezone.now()
    return now + timedelta(microseconds=1)


class _Raising:
    """Stands in for the logger of the scheduler: it raises an error that the scheduler would log."""

    def info(self, *args: object) -> None: ...

    def exception(self, *args: object) -> None:
        error = sys.exception()
        if error is not None:
            raise error
