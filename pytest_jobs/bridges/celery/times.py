"""When a schedule of Celery is due again."""

from __future__ import annotations

from copy import copy
from datetime import datetime, timedelta
from typing import Any

from celery import Celery


def following(app: Celery, schedule: Any, moment: datetime) -> datetime | None:
    """Return when an entry is next due that was sent at a time, as its schedule computes it then."""
    then = copy(schedule)
    then.app = app
    # Crontab lines are compared with the local time of the schedule, which by default is that of the application.
    local = moment.astimezone(then.tz)
    then.nowfun = lambda: local
    wait: timedelta = then.remaining_estimate(local)
    return moment + wait if wait > timedelta(0) else None
