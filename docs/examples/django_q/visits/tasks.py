"""What is done in the background. A cluster finds a task by its path."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from visits.models import Visit
from visits.outside import outside

CENTS = 80_00


def bill(visit_id: int) -> None:
    """Charge a patient. The bank gets no key, so a task whose worker dies after the call charges again."""
    visit = Visit.objects.get(pk=visit_id)
    if not visit.paid:
        outside.bank.charge(visit.patient, CENTS)
        visit.paid = True
        visit.save(update_fields=["paid"])


def remind(visit_id: int) -> bool:
    """Remind a patient of a visit, with a key; False if there is no such visit any more."""
    visit = Visit.objects.filter(pk=visit_id).first()
    if visit is None:
        return False
    outside.texts.send(visit.patient, f"Tomorrow at {visit.at:%H:%M}", key=f"remind-{visit_id}")
    visit.reminded = True
    visit.save(update_fields=["reminded"])
    return True


def forget_old_visits() -> None:
    """Forget visits after a year."""
    Visit.objects.filter(at__lt=timezone.now() - timedelta(days=365)).delete()
