"""A test that keeps the tasks looks at what the request has done, and then performs them."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from cinema.tasks import mail_ticket, pay_back
from conftest import FakeMails, FakeScreen
from pytest_jobs import Jobs
from pytest_jobs.types import AssertEnqueued


@pytest.mark.jobs(mode="record")
def test_the_answer_does_not_wait_for_the_mail(
    client: TestClient, jobs: Jobs, mails: FakeMails, assert_enqueued: AssertEnqueued
) -> None:
    client.post("/shows/metropolis/bookings", params={"email": "ann@example.com"})
    assert_enqueued(mail_ticket, args=[1])
    assert mails.sent == {}

    jobs.drain()

    assert list(mails.sent) == ["ticket-1"]


def test_the_mail_alone_waits(
    client: TestClient, jobs: Jobs, mails: FakeMails, screen: FakeScreen
) -> None:
    with jobs.holding([mail_ticket]):
        client.post("/shows/metropolis/bookings", params={"email": "ann@example.com"})

    assert screen.lines == ["somebody asks for metropolis"]
    assert mails.sent == {}
    jobs.drain(only=mail_ticket)
    assert list(mails.sent) == ["ticket-1"]


def test_a_seat_that_is_given_back_twice_is_paid_back_once(
    client: TestClient, jobs: Jobs, mails: FakeMails
) -> None:
    client.post("/shows/metropolis/bookings", params={"email": "ann@example.com"})
    with jobs.holding([pay_back]):
        client.delete("/bookings/1")
        client.delete("/bookings/1")

    jobs.drain()

    assert mails.sent["back-1"] == "ann@example.com: You get your money for 1."
