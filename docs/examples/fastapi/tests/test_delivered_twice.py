"""What is lost with the process, and which task may run twice."""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import Mock

import pytest
from fastapi.testclient import TestClient

from cinema.outside import SmtpMails, outside
from cinema.tasks import mail_ticket
from pytest_jobs import check_idempotent, fake
from pytest_jobs.errors import StuckJob

pytestmark = pytest.mark.jobs(mode="record")


@pytest.fixture(autouse=True)
def mails_known_by_their_keys() -> Iterator[None]:
    with fake(outside, "mails", Mock(spec=SmtpMails), key="key"):
        yield


@pytest.fixture
def booking(client: TestClient) -> int:
    answer = client.post("/shows/metropolis/bookings", params={"email": "ann@example.com"})
    number: int = answer.json()["booking"]
    return number


def test_a_ticket_may_be_mailed_again(booking: int) -> None:
    check_idempotent(mail_ticket, args=[booking])


def test_a_ticket_is_lost_with_the_process(booking: int) -> None:
    with pytest.raises(StuckJob, match="at most once by background_tasks"):
        check_idempotent(mail_ticket, args=[booking], delivery="as configured")
