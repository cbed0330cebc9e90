"""A check begins at the time that its test has chosen, maybe the only second at which the job does something."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
import time_machine
from freezegun import freeze_time

from pytest_jobs import check_idempotent, fake
from pytest_jobs.bridges.opening import open_jobs
from pytest_jobs.errors import LostEffect

CHOSEN = datetime(2030, 1, 7, tzinfo=UTC)
EXPIRES = CHOSEN + timedelta(days=3)


class Mailer:
    def send(self, text): ...


shop, told = SimpleNamespace(mailer=Mailer()), []


@pytest.fixture(params=["freezegun", "time-machine", "the clock of the test"])
def chosen(request):
    with open_jobs() as jobs:
        if request.param == "freezegun":
            with freeze_time(CHOSEN):
                yield
        elif request.param == "time-machine":
            with time_machine.travel(CHOSEN, tick=False):
                yield
        else:
            jobs.clock.move_to(CHOSEN)
            yield


def world():
    told.clear()
    with fake(shop, "mailer", Mailer()) as faked:
        yield lambda: {"mails": faked.calls, "told": list(told)}


def notify():
    if (EXPIRES - datetime.now(UTC)).days == 3 and not told:
        shop.mailer.send("Three days left.")


def mark_and_notify():
    if (EXPIRES - datetime.now(UTC)).days == 3 and not told:
        told.append("three days")
        shop.mailer.send("Three days left.")


def check(job, *histories):
    check_idempotent(job, world=world, histories=histories)


def test_a_delivery_that_comes_a_second_later_loses_nothing_by_itself(chosen):
    check(notify, "twice", "crash")


def test_what_is_left_half_done_at_that_second_is_found(chosen):
    with pytest.raises(LostEffect, match="killed"):
        check(mark_and_notify, "crash")
