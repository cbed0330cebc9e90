"""The rows of `Schedule` send their tasks while a test lets time pass."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from conftest import FakeTexts
from pytest_jobs import Jobs, VirtualClock
from pytest_jobs.types import AssertPerformed
from visits import service
from visits.models import Visit
from visits.tasks import forget_old_visits, remind

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def noon(db: None, jobs_clock: VirtualClock) -> None:
    jobs_clock.move_to(NOON)


def test_a_patient_is_reminded_a_day_before(
    jobs: Jobs, texts: FakeTexts, assert_performed: AssertPerformed
) -> None:
    visit = service.book("Ann", at=NOON + timedelta(days=7))

    jobs.run_for(timedelta(days=8))

    assert_performed(remind, args=(visit.pk,), result=True)
    assert list(texts.texts.values()) == ["Ann: Tomorrow at 12:00"]


def test_a_patient_who_cancels_is_not_reminded(jobs: Jobs, texts: FakeTexts) -> None:
    service.cancel(service.book("Ann", at=NOON + timedelta(days=7)))

    jobs.run_for(timedelta(days=8))

    assert texts.texts == {}


def test_old_visits_are_forgotten(jobs: Jobs, assert_performed: AssertPerformed) -> None:
    service.set_up()
    Visit.objects.create(patient="Ann", at=NOON - timedelta(days=364))

    jobs.run_for(timedelta(days=3))

    assert_performed(forget_old_visits, count=4)
    assert not Visit.objects.exists()
