"""The application performs its tasks in the request, and each is recorded."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from cinema.outside import MailsDown
from cinema.tasks import count_visitor, mail_ticket, tell_box_office
from conftest import FakeMails, FakeScreen
from pytest_jobs import Jobs
from pytest_jobs.types import AssertEnqueued, AssertNotEnqueued, AssertNotPerformed, AssertPerformed


def test_a_booking_is_mailed_and_counted(
    client: TestClient,
    mails: FakeMails,
    assert_enqueued: AssertEnqueued,
    assert_performed: AssertPerformed,
) -> None:
    answer = client.post("/shows/metropolis/bookings", params={"email": "ann@example.com"})

    assert answer.json() == {"booking": 1}
    record = assert_enqueued(mail_ticket, args=[1])
    assert record.headers == {"request": "POST /shows/metropolis/bookings"}
    assert_performed(mail_ticket)
    assert_performed(count_visitor, params={"booking": 1})
    assert mails.sent == {"ticket-1": "ann@example.com: Your ticket is 1."}


def test_tasks_run_in_the_order_in_which_they_were_added(client: TestClient, jobs: Jobs) -> None:
    client.post("/shows/metropolis/bookings", params={"email": "ann@example.com"})

    assert [record.job for record in jobs.enqueued] == [
        tell_box_office,
        mail_ticket,
        count_visitor,
    ]


def test_a_booking_that_is_refused_has_no_tasks(
    client: TestClient, assert_not_enqueued: AssertNotEnqueued
) -> None:
    assert client.post("/shows/metropolis/bookings", params={"email": "ann"}).status_code == 422

    assert_not_enqueued(mail_ticket)


def test_mails_that_are_down_end_the_tasks_after_the_mail(
    client: TestClient, jobs: Jobs, mails: FakeMails, assert_not_performed: AssertNotPerformed
) -> None:
    mails.is_down = True

    with pytest.raises(MailsDown):
        client.post("/shows/metropolis/bookings", params={"email": "ann@example.com"})

    assert jobs.failed[0].record.job is mail_ticket
    assert_not_performed(count_visitor)


def test_a_response_may_have_its_task_itself(
    client: TestClient, screen: FakeScreen, assert_performed: AssertPerformed
) -> None:
    client.delete("/shows/metropolis")

    assert_performed(tell_box_office, params={"text": "metropolis is cancelled"})
    assert screen.lines == ["metropolis is cancelled"]
