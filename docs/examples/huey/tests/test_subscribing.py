"""Tasks are recorded where they are enqueued, and performed when the test says so."""

from __future__ import annotations

from conftest import FakeMailer
from letters import service
from letters.tasks import welcome
from pytest_jobs import Jobs
from pytest_jobs.types import AssertEnqueued


def test_a_subscriber_is_to_be_welcomed(
    assert_enqueued: AssertEnqueued, mailer: FakeMailer
) -> None:
    service.subscribe("ann@example.com")

    assert_enqueued(welcome, args=("ann@example.com",), queue="letters", priority=10)
    assert mailer.mails == []


def test_a_subscriber_is_welcomed_once(jobs: Jobs, mailer: FakeMailer) -> None:
    service.subscribe("ann@example.com")
    jobs.drain()

    assert mailer.mails == [("ann@example.com", "Welcome!")]
