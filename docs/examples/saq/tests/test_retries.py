"""Minutes of retries take no time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from conftest import FakeBank
from hotel.jobs import charge
from hotel.outside import BankDown
from hotel.service import book
from hotel.store import store
from pytest_jobs import Jobs


@pytest.fixture(autouse=True)
def held(clean_store: None) -> None:
    store.booked[7] = "Ann"


async def test_a_bank_that_stays_away_is_given_up(jobs: Jobs, bank: FakeBank) -> None:
    bank.is_down = True
    await book(7)

    with pytest.raises(BankDown):
        await jobs.adrain()

    assert [each.wait for each in jobs.retried] == [timedelta(seconds=30)] * 3
    assert jobs.dead[0].status == "exhausted"


async def test_a_bank_that_comes_back_is_asked_again(jobs: Jobs) -> None:
    jobs.fail(charge, raising=BankDown("no answer"), times=2)
    await book(7)

    assert await jobs.adrain(only=charge) == {"retried": 2, "performed": 1}
