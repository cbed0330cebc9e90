"""Tasks are recorded where they are enqueued, and performed when the test says so."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from conftest import FakeBank
from pytest_jobs import Jobs
from pytest_jobs.types import AssertEnqueued, AssertFailed
from visits import service
from visits.models import Visit
from visits.outside import BankDown
from visits.tasks import bill

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def visit(db: None) -> Visit:
    return Visit.objects.create(patient="Ann", at=NOON)


def test_a_patient_who_leaves_is_charged(
    visit: Visit, jobs: Jobs, bank: FakeBank, assert_enqueued: AssertEnqueued
) -> None:
    service.leave(visit)
    assert_enqueued(bill, args=(visit.pk,), queue="clinic")
    assert bank.charged == []

    jobs.drain()

    visit.refresh_from_db()
    assert visit.paid
    assert bank.charged == ["Ann"]


def test_a_bank_that_is_down_fails_the_task(
    visit: Visit, jobs: Jobs, bank: FakeBank, assert_failed: AssertFailed
) -> None:
    bank.is_down = True
    service.leave(visit)

    jobs.drain(raise_errors=False)

    assert_failed(bill, error=BankDown)
    visit.refresh_from_db()
    assert not visit.paid


def test_a_task_that_failed_is_delivered_again_by_the_broker(
    visit: Visit, jobs: Jobs, bank: FakeBank
) -> None:
    bank.is_down = True
    service.leave(visit)
    jobs.drain(raise_errors=False)
    bank.is_down = False

    jobs.redeliver(jobs.failed[0].record)
    jobs.drain()

    assert bank.charged == ["Ann"]
