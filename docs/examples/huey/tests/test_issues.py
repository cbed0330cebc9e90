"""Issues go out at their time, and hours of retries take no time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from conftest import FakeMailer
from letters import service
from letters.mailer import MailerDown
from letters.store import store
from letters.tasks import send_issue
from pytest_jobs import Jobs, VirtualClock
from pytest_jobs.types import AssertEnqueued

FRIDAY = datetime(2030, 1, 4, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def subscriber(jobs_clock: VirtualClock) -> None:
    jobs_clock.move_to(FRIDAY - timedelta(days=1))
    store.subscribers.add("ann@example.com")


def test_an_issue_goes_out_at_its_time(
    jobs: Jobs, mailer: FakeMailer, assert_enqueued: AssertEnqueued
) -> None:
    service.publish(1, "The first one", at=FRIDAY)

    assert_enqueued(send_issue, args=("ann@example.com", 1), at=FRIDAY)
    assert jobs.perform_due() == {}
    jobs.drain()

    assert mailer.mails == [("ann@example.com", "The first one")]
    assert store.sent == {"ann@example.com": {1}}


def test_an_issue_that_is_called_off_never_goes_out(jobs: Jobs, mailer: FakeMailer) -> None:
    service.call_off(service.publish(1, "The first one", at=FRIDAY))

    assert jobs.drain() == {"cancelled": 1}
    assert mailer.mails == []


def test_a_mailer_that_stays_away_is_given_up(jobs: Jobs, mailer: FakeMailer) -> None:
    mailer.is_down = True
    service.publish(1, "The first one", at=FRIDAY)

    with pytest.raises(MailerDown):
        jobs.drain()

    assert jobs.dead[0].status == "exhausted"


def test_the_schedule_can_be_read(jobs: Jobs) -> None:
    timeline = jobs.simulate_retries(send_issue, raising=MailerDown("no answer"))

    assert timeline.wait_seconds == [60, 300, 1500]
