"""A reminder comes at its time, or not at all."""

from __future__ import annotations

from datetime import timedelta

from pytest_jobs import Jobs
from tickets.actors import remind
from tickets.office import office


def test_a_customer_is_reminded_after_a_week(jobs: Jobs) -> None:
    remind.send_with_options(args=("A1",), delay=7 * 24 * 3_600_000)

    jobs.run_for(timedelta(days=6))
    assert office.reminded == set()
    jobs.run_for(timedelta(days=1))
    assert office.reminded == {"A1"}


def test_a_reminder_that_is_too_late_is_dropped(jobs: Jobs) -> None:
    remind.send_with_options(args=("A1",), delay=9 * 24 * 3_600_000)
    jobs.drain()

    assert office.reminded == set()
    assert len(jobs.discarded) == 1
