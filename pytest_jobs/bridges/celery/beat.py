"""What celery beat sends again and again: the entries of `beat_schedule`, and those of `add_periodic_task`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from celery import Celery

from ..toolkit import times_between
from .times import following


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
                after = partial(following, app, entry.schedule)
                for at_ns in times_between(after, begun_ns, until_ns):
                    if at_ns > after_ns:
                        yield at_ns, fire, app
