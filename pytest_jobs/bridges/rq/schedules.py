"""What RQ's cron scheduler enqueues again and again, and rq-scheduler, which is a package of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import copy
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from rq.cron import CronJob, CronScheduler
from rq.job import Job

from ..applications import Applications
from ..toolkit import Due, times_between

_SECOND_NS: Final = 1_000_000_000


class CronSchedulers:
    """The cron schedulers of RQ, and when each last fired its jobs."""

    def __init__(self, named: Iterable[Any]) -> None:
        self._known: Applications[Any] = Applications(
            named, CronScheduler, wanted="a Queue or a CronScheduler of RQ"
        )
        #: By the id of a job that recurs after an interval: the job, and the time from which the interval counts.
        self._begun: dict[int, tuple[CronJob, int]] = {}

    def note(self, scheduler: CronScheduler) -> None:
        """Note a scheduler that has got a job, and is not at the top of a module."""
        self._known.note(scheduler)

    def names(self) -> set[str]:
        """Return the names of the functions that the schedulers enqueue."""
        return {job.func_name for each in self._known.every() for job in each.get_jobs()}

    def firings_between(self, after_ns: int, until_ns: int) -> Iterator[Due]:
        for scheduler in self._known.every():
            for job in scheduler.get_jobs():
                fire = partial(job.enqueue, scheduler.connection)
                for at_ns in self._times(job, after_ns, until_ns):
                    yield at_ns, fire, *self._known.far(scheduler)

    def _times(self, job: CronJob, after_ns: int, until_ns: int) -> Iterator[int]:
        if job.cron:
            yield from times_between(partial(_following, job), after_ns, until_ns)
            return
        # The scheduler fires such a job when it begins, which is before the test lets time pass.
        _, begun_ns = self._begun.setdefault(id(job), (job, after_ns))
        step_ns = (job.interval or 0) * _SECOND_NS
        first_ns = begun_ns + (max(after_ns - begun_ns, 0) // step_ns + 1) * step_ns
        yield from range(first_ns, until_ns + 1, step_ns)


def _following(job: CronJob, moment: datetime) -> datetime:
    """Return when a crontab line next matches, as RQ computes it: by local time."""
    later = copy(job)
    later.latest_enqueue_time = moment
    return later.get_next_enqueue_time()


class RqScheduler:
    """The jobs of rq-scheduler that recur."""

    def __init__(self) -> None:
        self._recurring: dict[str, Any] = {}

    def note(self, owner: Any, job: Job) -> bool:
        """Note a job that a scheduler or a queue has, and say whether the scheduler has it and it recurs."""
        recurs = hasattr(owner, "scheduled_jobs_key") and bool(
            job.meta.get("interval") or job.meta.get("cron_string")
        )
        if recurs:
            self._recurring[job.id] = owner
        return recurs

    def firings_between(self, after_ns: int, until_ns: int) -> Iterator[Due]:
        for job_id, scheduler in self._recurring.items():
            due = scheduler.connection.zscore(scheduler.scheduled_jobs_key, job_id)
            if due is None:
                continue
            job = scheduler.job_class.fetch(job_id, connection=scheduler.connection)
            first_ns = max(int(due) * _SECOND_NS, after_ns + 1)
            for at_ns in self._times(job, first_ns, until_ns):
                yield at_ns, partial(self._fire, scheduler, job_id)

    def _times(self, job: Job, first_ns: int, until_ns: int) -> Iterator[int]:
        interval = job.meta.get("interval")
        if interval:
            yield from range(first_ns, until_ns + 1, int(interval) * _SECOND_NS)
            return
        import crontab

        line: Any = crontab.CronTab(job.meta["cron_string"])

        def following(moment: datetime) -> datetime:
            local = moment.astimezone().replace(tzinfo=None)
            found: datetime = line.next(now=local, return_datetime=True, default_utc=False)
            return found.astimezone(UTC)

        if first_ns <= until_ns:
            yield first_ns
        yield from times_between(following, first_ns, until_ns)

    def _fire(self, scheduler: Any, job_id: str) -> None:
        """Do what the scheduler does when a job is due, unless it has been cancelled or has come often enough."""
        if job_id in scheduler:
            job = scheduler.job_class.fetch(job_id, connection=scheduler.connection)
            scheduler.enqueue_job(job)
