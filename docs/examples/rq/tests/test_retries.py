from datetime import timedelta

import pytest

from conftest import FakeBank
from invoices import bank, jobs as its
from invoices.queues import money
from invoices.store import Invoice
from pytest_jobs import Jobs


def test_a_bank_that_stays_away_is_asked_for_twelve_minutes(jobs: Jobs) -> None:
    timeline = jobs.simulate_retries(its.charge, args=(7,), raising=bank.BankDown("no answer"))

    assert timeline.wait_seconds == [60, 60, 600]
    assert timeline.status == "exhausted"


def test_a_bank_that_comes_back_charges(jobs: Jobs, fake_bank: FakeBank, invoice: Invoice) -> None:
    its.charge.delay(7)
    fake_bank.is_down = True

    jobs.perform_due()
    fake_bank.is_down = False
    jobs.drain()

    assert [d.status for d in jobs.deliveries] == ["retried", "performed", "performed"]
    assert invoice.receipts == {"receipt of Ann"}


def test_a_bank_that_never_answers_is_given_up(jobs: Jobs, fake_bank: FakeBank) -> None:
    its.charge.delay(7)
    fake_bank.is_down = True

    with pytest.raises(bank.BankDown):
        jobs.drain()

    assert jobs.deliveries[-1].status == "exhausted"


def test_a_payment_is_awaited(jobs: Jobs, invoice: Invoice) -> None:
    money.enqueue(its.await_payment, 7)

    jobs.run_for(timedelta(hours=2))
    invoice.receipts.add("by transfer")
    jobs.drain()

    assert [d.status for d in jobs.deliveries] == ["retried", "retried", "performed"]
    assert [d.wait for d in jobs.deliveries[:2]] == [timedelta(hours=1), timedelta(days=1)]
