"""Jobs are recorded where they are enqueued, and performed when the test says so."""

from __future__ import annotations

import pytest

from conftest import FakeBank, FakeMail
from hotel.jobs import charge, confirm
from hotel.service import book
from hotel.store import store
from pytest_jobs import Jobs
from pytest_jobs.types import AssertEnqueued, AssertPerformed


@pytest.fixture(autouse=True)
def held(clean_store: None) -> None:
    store.booked[7] = "Ann"


async def test_a_booking_is_charged_and_confirmed(
    jobs: Jobs,
    bank: FakeBank,
    mail: FakeMail,
    assert_enqueued: AssertEnqueued,
    assert_performed: AssertPerformed,
) -> None:
    await book(7)
    charged = assert_enqueued(charge, params={"room": 7}, queue="hotel")

    await jobs.adrain()

    assert_performed(charge, result="90 EUR")
    assert assert_enqueued(confirm).parent == charged.sequence
    assert bank.charged == ["Ann"]
    assert mail.mails == {"confirm-7": "Ann: Room 7 is yours. 90 EUR"}


async def test_a_second_click_enqueues_no_second_charge(jobs: Jobs) -> None:
    await book(7)
    await book(7)

    assert len(jobs.enqueued) == 1
