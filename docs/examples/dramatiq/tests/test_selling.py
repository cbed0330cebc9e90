"""Messages are recorded where they are sent, and performed when the test says so."""

from __future__ import annotations

from datetime import timedelta

from conftest import FakeGateway
from pytest_jobs import Jobs
from pytest_jobs.types import AssertEnqueued, AssertFollowedBy
from tickets.actors import charge, draw, mail, remind
from tickets.office import office, print_ticket, sell


def test_a_sale_is_charged_at_once(assert_enqueued: AssertEnqueued) -> None:
    sell("A1", 30)

    assert_enqueued(charge, args=["A1"])
    assert_enqueued(remind, params={"order": "A1"}, wait=timedelta(days=7))


def test_the_customer_pays_once_and_gets_a_ticket(jobs: Jobs, gateway: FakeGateway) -> None:
    sell("A1", 30)

    jobs.drain(exclude=remind)

    assert gateway.charges == [("A1", 30)]
    assert office.mails == {"A1": "ticket A1"}


def test_a_ticket_is_drawn_and_then_mailed(
    jobs: Jobs, assert_followed_by: AssertFollowedBy, assert_enqueued: AssertEnqueued
) -> None:
    print_ticket("A1")

    assert_followed_by(draw, [mail])
    jobs.drain()
    assert assert_enqueued(mail).queue == "mails"
    assert office.mails == {"A1": "ticket A1"}


def test_a_drawing_is_a_result(jobs: Jobs) -> None:
    message = draw.send("A1")
    jobs.drain()

    assert message.get_result() == "ticket A1"
