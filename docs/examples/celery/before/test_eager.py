"""Eager mode runs each task inside the call that enqueues it. All of these tests pass."""

from __future__ import annotations

import inspect
import time
from itertools import pairwise

import pytest
from celery.exceptions import AlwaysEagerIgnored

import slips
from mailing import outside
from mailing.newsletter import archive, subscribe
from mailing.outside import Mail, Postman, ServerBusy
from mailing.readers import Reader
from mailing.tasks import send_issue

pytestmark = pytest.mark.usefixtures("eager")


class BusyPostman(Postman):
    """Notes how deep the stack is whenever a mail is to be sent."""

    def __init__(self) -> None:
        super().__init__()
        self.depths: list[int] = []

    def send(self, to: str, subject: str, *, key: str | None = None) -> None:
        self.depths.append(len(inspect.stack(0)))
        raise ServerBusy


def test_the_delay_of_three_days_is_lost(postman: Postman) -> None:
    subscribe("ann@example.org")

    assert [mail.subject for mail in postman.sent] == ["Welcome", "Please confirm your address"]


def test_so_three_seconds_are_as_good_as_three_days(ann: Reader, postman: Postman) -> None:
    slips.waits_three_seconds_instead_of_days(ann)

    assert postman.sent == [Mail("ann@example.org", "Please confirm your address")]


def test_seven_minutes_of_retries_are_over_at_once_and_run_inside_each_other(
    ann: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = BusyPostman()
    monkeypatch.setattr(outside, "postman", busy)
    start = time.monotonic()

    send_issue.delay(ann.id, "May")

    assert time.monotonic() - start < 7 * 60
    assert len(busy.depths) == 4
    assert all(deeper > shallower for shallower, deeper in pairwise(busy.depths))


def test_a_task_that_is_sent_by_its_name_goes_to_the_broker_as_a_warning_says() -> None:
    with pytest.raises(AlwaysEagerIgnored):
        archive("May")
