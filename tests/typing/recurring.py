"""What schedules, previews and schedulers are to type checkers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import assert_type

from pytest_jobs import Jobs, Schedule, Scheduler, job, load_schedule, preview
from pytest_jobs.types import Firing, Preview, RecurringTask


@job
def report() -> None: ...


def read() -> None:
    schedule = load_schedule("recurring.yml", environment="production")
    assert_type(schedule, Schedule)
    assert_type(schedule.tasks["report"], RecurringTask)
    assert_type(Schedule({"report": {"class": report, "every": "1h"}}), Schedule)

    shown = preview(schedule, timedelta(days=1))
    assert_type(shown, Preview)
    assert_type(shown[0], Firing)
    assert_type(shown[0].at, datetime)


def fire(jobs: Jobs, schedule: Schedule) -> None:
    scheduler = jobs.recurring(schedule)
    assert_type(scheduler, Scheduler)
    assert_type(scheduler.fired, tuple[Firing, ...])
    assert_type(scheduler.dropped, tuple[Firing, ...])
    with scheduler.down():
        jobs.run_for(60)
