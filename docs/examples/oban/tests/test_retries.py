"""What fails is tried again, and what is not ready is asked again, in virtual time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bakery.outside import BankDown
from bakery.service import order
from bakery.store import store
from bakery.workers import Charge, Collect, confirm
from conftest import FakeBank
from pytest_jobs import Jobs
from pytest_jobs.types import AssertFailed


async def test_a_bank_that_stays_away_is_given_up(
    jobs: Jobs, bank: FakeBank, assert_failed: AssertFailed
) -> None:
    bank.is_down = True
    await order(7, "Ann")

    with pytest.raises(BankDown):
        await jobs.adrain(only=Charge)

    assert_failed(Charge, attempt=4)
    assert [delivery.wait for delivery in jobs.retried] == [timedelta(minutes=n) for n in (1, 2, 3)]


async def test_a_bank_that_comes_back_is_charged_once(jobs: Jobs, bank: FakeBank) -> None:
    jobs.fail(Charge, raising=BankDown("busy"), on=[1, 2])
    await order(7, "Ann")

    assert await jobs.adrain(only=Charge) == {"retried": 2, "performed": 1}
    assert bank.charged == ["Ann"]


async def test_a_cake_in_the_oven_is_looked_for_every_ten_minutes(jobs: Jobs) -> None:
    store.baking.add(7)
    await order(7, "Ann")

    await jobs.arun_for(timedelta(hours=2, minutes=15), only=Collect)
    assert [delivery.status for delivery in jobs.deliveries] == ["snoozed", "snoozed"]
    store.baking.clear()
    await jobs.adrain(only=Collect)

    assert store.baked == {7}


def test_a_mail_is_tried_for_twelve_days(jobs: Jobs) -> None:
    timeline = jobs.simulate_retries(confirm, args=(7,), raising=ConnectionError("no network"))

    assert timeline.status == "exhausted"
    assert timedelta(days=12) < sum(timeline.waits, timedelta()) < timedelta(days=13)
