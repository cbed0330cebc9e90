"""Jobs are recorded where they are added, and months of them take no time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from conftest import FakeBank, FakeMail
from gym import service
from gym.jobs import MONTH, remind, renew
from gym.store import store
from pytest_jobs import Jobs, VirtualClock
from pytest_jobs.types import AssertEnqueued

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def noon(jobs_clock: VirtualClock) -> None:
    jobs_clock.move_to(NOON)


def test_a_member_is_reminded_and_charged(jobs: Jobs, assert_enqueued: AssertEnqueued) -> None:
    service.join("Ann")

    assert_enqueued(remind, args=("Ann", NOON + MONTH), at=NOON + timedelta(days=27))
    assert_enqueued(renew, args=("Ann", NOON + MONTH), at=NOON + MONTH)


def test_each_month_is_paid_once(jobs: Jobs, bank: FakeBank, mail: FakeMail) -> None:
    service.join("Ann")

    jobs.run_for(timedelta(days=65))

    assert bank.charged == ["Ann", "Ann"]
    assert list(mail.mails.values()) == [
        "Your month ends on 31 January.",
        "Your month ends on 02 March.",
    ]
    assert store.paid_until == {"Ann": NOON + 3 * MONTH}


def test_a_member_who_leaves_is_not_charged(jobs: Jobs, bank: FakeBank) -> None:
    service.join("Ann")
    service.leave("Ann")

    assert jobs.pending == []
