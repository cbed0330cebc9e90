"""Jobs are recorded where they are enqueued, and performed when the test says so."""

from __future__ import annotations

from bakery.service import order, withdraw
from bakery.store import store
from bakery.workers import Charge, Collect, confirm
from conftest import FakeBank, FakeMail
from pytest_jobs import Jobs
from pytest_jobs.types import AssertEnqueued, AssertPerformed


async def test_an_order_is_charged_and_confirmed(
    jobs: Jobs,
    bank: FakeBank,
    mail: FakeMail,
    assert_enqueued: AssertEnqueued,
    assert_performed: AssertPerformed,
) -> None:
    await order(7, "Ann")
    charged = assert_enqueued(Charge, kwargs={"order": 7}, queue="payments")
    assert charged.headers == {"tags": ("web",)}

    await jobs.aperform_due()

    assert_performed(Charge, result="12 EUR")
    assert assert_enqueued(confirm, args=(7,)).parent == charged.sequence
    assert bank.charged == ["Ann"]
    assert mail.mails == {"confirm-7": "Ann: Order 7 is paid: 12 EUR."}


async def test_an_order_that_is_withdrawn_is_not_charged(jobs: Jobs, bank: FakeBank) -> None:
    await order(7, "Ann")
    await withdraw(7)

    assert await jobs.adrain(exclude=Collect) == {"cancelled": 1}
    assert bank.charged == []
    assert store.receipts == {}
