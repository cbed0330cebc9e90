"""What the web application calls."""

from __future__ import annotations

from datetime import datetime, timedelta

from django_q.models import Schedule
from django_q.tasks import async_task, schedule

from visits.models import Visit


def set_up() -> None:
    """Schedule what recurs: a deployment calls it, and a second call changes nothing."""
    Schedule.objects.update_or_create(
        name="forget-old-visits",
        defaults={"func": "visits.tasks.forget_old_visits", "schedule_type": Schedule.DAILY},
    )


def book(patient: str, at: datetime) -> Visit:
    """Take an appointment, and plan to remind of it a day before."""
    visit = Visit.objects.create(patient=patient, at=at)
    schedule(
        "visits.tasks.remind",
        visit.pk,
        name=f"remind-{visit.pk}",
        schedule_type=Schedule.ONCE,
        next_run=at - timedelta(days=1),
    )
    return visit


def cancel(visit: Visit) -> None:
    """Take an appointment back, and its reminder with it."""
    Schedule.objects.filter(name=f"remind-{visit.pk}").delete()
    visit.delete()


def leave(visit: Visit) -> None:
    """Charge a patient who leaves."""
    async_task("visits.tasks.bill", visit.pk, group="bills")
