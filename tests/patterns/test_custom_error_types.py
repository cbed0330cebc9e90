"""The seed's pattern *Custom Error Types*: an error says by its class what is to become of the job."""

import pytest

from pytest_jobs import Job, check_idempotent, discard_on, exponentially_longer, job, retry_on
from pytest_jobs.errors import DuplicateEffect


class PaymentError(Exception): ...


class InsufficientFunds(PaymentError): ...


class CardExpired(PaymentError): ...


class Payment:
    stored: "dict[int, Payment]" = {}  # noqa: RUF012

    def __init__(self, id, error=None):
        self.id = id
        self.error = error
        self.status = "open"
        self.stored[id] = self

    def charge(self):
        if self.error is not None:
            raise self.error
        self.status = "paid"


outbox = []


@job(queue="mailers")
def mail_card_expired(payment_id):
    outbox.append(payment_id)


def mark_expired(payment_job, error):
    Payment.stored[payment_job.params["payment_id"]].status = "card expired"
    mail_card_expired.perform_later(payment_job.params["payment_id"])


@retry_on(PaymentError, wait=exponentially_longer(), attempts=5)
@discard_on(CardExpired, then=mark_expired)
class ProcessPayment(Job):
    """The seed's job."""

    def perform(self, payment_id: int) -> None:
        Payment.stored[payment_id].charge()


@discard_on(CardExpired, then=mark_expired)
@retry_on(PaymentError, wait=exponentially_longer(), attempts=5)
class ProcessPaymentOtherWayRound(Job):
    """The same two rules. In Rails the last declared wins, and an expired card would be tried five times."""

    def perform(self, payment_id: int) -> None:
        Payment.stored[payment_id].charge()


BOTH = [ProcessPayment, ProcessPaymentOtherWayRound]


@pytest.fixture(autouse=True)
def _no_payments():
    Payment.stored.clear()


@pytest.mark.parametrize("process", BOTH)
def test_an_expired_card_is_not_tried_again_and_its_owner_is_told(jobs, process, assert_enqueued):
    payment = Payment(7, CardExpired("12/29"))
    process.perform_later(payment_id=7)
    jobs.perform_due(children=False)

    assert payment.status == "card expired"
    assert [(d.status, d.aftermath) for d in jobs.dead] == [("discarded", ("mark_expired",))]
    assert_enqueued(mail_card_expired, args=(7,), queue="mailers")
    assert jobs.retried == []


@pytest.mark.parametrize("process", BOTH)
@pytest.mark.parametrize("error", [PaymentError("declined"), InsufficientFunds("0.00")])
def test_every_other_error_of_payments_is(jobs, process, error):
    timeline = jobs.simulate_retries(process, args=(7,), raising=error)

    assert (timeline.status, len(timeline.attempts)) == ("exhausted", 5)
    assert timeline.wait_seconds == sorted(timeline.wait_seconds)


@pytest.mark.parametrize("process", BOTH)
def test_an_error_that_is_no_error_of_payments_is_known_to_no_rule(jobs, process):
    Payment(7, KeyError("gateway"))
    process.perform_later(7)
    jobs.drain(raise_errors=False)

    assert [d.status for d in jobs.dead] == ["failed"]


def test_money_that_arrives_in_time_pays(jobs):
    payment = Payment(7, InsufficientFunds("0.00"))
    ProcessPayment.perform_later(7)
    jobs.perform_due()
    payment.error = None
    jobs.drain()

    assert payment.status == "paid"


def test_what_runs_because_a_job_was_dropped_runs_again_when_the_job_is_delivered_again():
    """The mail that the seed sends from its `discard_on`: nothing tells a second delivery that it was sent."""

    def world():
        Payment.stored.clear()
        payment = Payment(7, CardExpired("12/29"))
        outbox.clear()
        yield lambda: {"status": payment.status, "outbox": list(outbox)}

    with pytest.raises(DuplicateEffect) as caught:
        check_idempotent(ProcessPayment, args=(7,), world=world, accept=[CardExpired])

    assert caught.value.report.effect == "outbox"
