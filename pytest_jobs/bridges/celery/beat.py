"""What celery beat sends again and again: its schedules, and the rows of django-celery-beat."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import import_module
from typing import Any, Final

from celery import Celery
from celery.utils.time import maybe_make_aware

from ...harness.time.waiting import off_the_loop
from ..rows import is_readable
from ..toolkit import times_between, to_datetime, to_ns

_MODELS: Final = "django_celery_beat.models"


class Beat:
    """One process of beat for each application, which begins when the test first lets time pass."""

    def __init__(self) -> None:
        #: By the id of an application: the application, and when its beat began.
        self._begun: dict[int, tuple[Celery, int]] = {}

    def forget(self) -> None:
        """Forget when beat began: a new harness begins."""
        self._begun.clear()

    def firings_between(
        self, apps: Iterable[Celery], after_ns: int, until_ns: int
    ) -> Iterator[tuple[int, Callable[[], object], Celery]]:
        """Yield the time of each entry that is due in a span, what sends its task, and the application."""
        for app in apps:
            declared = app.conf.beat_schedule
            if not declared:
                continue
            from celery.beat import Scheduler

            _, begun_ns = self._begun.setdefault(id(app), (app, after_ns))
            # Lazy, without the entry of Celery that cleans the real result backend up.
            scheduler: Any = Scheduler(app, schedule={}, lazy=True)
            scheduler.merge_inplace(declared)
            for entry in scheduler.schedule.values():
                fire = partial(scheduler.apply_async, entry, advance=False)
                after = partial(_following, app, entry.schedule)
                for at_ns in times_between(after, begun_ns, until_ns):
                    if at_ns > after_ns:
                        yield at_ns, fire, app


def _following(app: Celery, schedule: Any, moment: datetime) -> datetime | None:
    """Return when an entry is next due that was sent at a time, as its schedule computes it then."""
    then = copy(schedule)
    then.app = app
    # Crontab lines are compared with the local time of the schedule, which by default is that of the application.
    local = moment.astimezone(then.tz)
    then.nowfun = lambda: local
    wait: timedelta = then.remaining_estimate(local)
    return moment + wait if wait > timedelta(0) else None


def row_firings_between(
    app_of: Callable[[str], Celery], after_ns: int, until_ns: int
) -> Iterator[tuple[int, Callable[[], object]]]:
    """Yield when beat sends the tasks of the rows that are there now, and what sends them."""
    if _MODELS not in sys.modules:
        return
    model = import_module(_MODELS).PeriodicTask
    # A test that is a coroutine waits meanwhile.
    with off_the_loop():
        rows = list(model.objects.enabled().order_by("pk")) if is_readable(model) else []
        entries = [_entry(row, app_of(row.task)) for row in rows]
    for entry in entries:
        for at_ns in _times(entry, after_ns, until_ns):
            yield at_ns, partial(_send, entry.app, entry.model)


def _entry(row: Any, app: Celery) -> Any:
    return import_module("django_celery_beat.schedulers").ModelEntry(row, app=app)


def _times(entry: Any, after_ns: int, until_ns: int) -> Iterator[int]:
    row = entry.model
    if row.one_off and row.total_run_count:
        return
    if row.expires is not None:
        until_ns = min(until_ns, _ns(row.expires) - 1)
    earliest_ns = after_ns + 1
    if row.start_time is not None:
        earliest_ns = max(earliest_ns, _ns(row.due_start_time(UTC)))
    moment: datetime | None = maybe_make_aware(entry.last_run_at)
    while moment is not None and (moment := _following(entry.app, entry.schedule, moment)):
        # A run that was missed comes at once, and the next one counts from there.
        at_ns = max(_ns(moment), earliest_ns)
        if at_ns > until_ns:
            return
        yield at_ns
        moment = None if row.one_off else to_datetime(at_ns)


def _ns(moment: datetime) -> int:
    return to_ns(maybe_make_aware(moment), "the time of a row")


def _send(app: Celery, read: Any) -> None:
    """Send the task of a row as beat does, unless the row is gone or disabled, and note in the row that it ran."""
    from celery.beat import Scheduler

    with off_the_loop():
        row = type(read).objects.enabled().filter(pk=read.pk).first()
        if row is None:
            return
        entry = _entry(row, app)
        Scheduler(app, schedule={}, lazy=True).apply_async(entry, advance=False)
        after = next(entry)
        after.save()
        if row.one_off:
            # It disables the row.
            after.is_due()
