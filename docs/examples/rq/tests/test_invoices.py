from datetime import timedelta

from invoices import jobs as its, service
from invoices.store import Invoice
from pytest_jobs import Jobs
from pytest_jobs.types import AssertEnqueued, AssertNotEnqueued, AssertNotPerformed, AssertPerformed


def test_an_invoice_is_charged_when_it_is_sent(
    jobs: Jobs,
    assert_enqueued: AssertEnqueued,
    assert_not_enqueued: AssertNotEnqueued,
    invoice: Invoice,
) -> None:
    sent = service.send(7)
    assert_enqueued(its.send, args=(7,), queue="mail")
    assert_not_enqueued(its.charge)

    jobs.drain()

    assert_enqueued(its.charge, args=(7,), queue="money")
    assert_enqueued(its.send_receipt, args=(7,))
    assert invoice.is_sent
    assert invoice.receipts == {"receipt of Ann"}
    assert sent.get_status() == "finished"


def test_a_problem_is_noted(jobs: Jobs, invoice: Invoice) -> None:
    service.send(7)
    jobs.fail(its.send, raising=ConnectionError("no mail server"))

    jobs.drain(raise_errors=False)

    assert invoice.problems == ["ConnectionError in invoices.jobs.send"]


def test_a_reminder_comes_two_weeks_later(
    jobs: Jobs,
    assert_enqueued: AssertEnqueued,
    assert_performed: AssertPerformed,
    assert_not_performed: AssertNotPerformed,
) -> None:
    service.remind(7)
    record = assert_enqueued(its.send, wait=timedelta(weeks=2))
    assert record.headers == {"reminder": True}

    jobs.run_for(timedelta(days=13))
    assert_not_performed(its.send)
    jobs.run_for(timedelta(days=1))
    assert_performed(its.send)
