"""The seed's pattern *Basic Job with Error Handling*: what is tried again, and what is dropped."""

import logging
from datetime import timedelta

import pytest

from pytest_jobs import Job, discard_on, job, polynomially_longer, reference, retry_on
from pytest_jobs.errors import DeserializationError, RecordNotFoundError

log = logging.getLogger("orders")


class RecordNotFound(LookupError):
    """ActiveRecord's."""


class OpenTimeout(TimeoutError):
    """Of Ruby's `Net`, where it is a `Timeout::Error` too."""


class Order:
    stored: "dict[int, Order]" = {}  # noqa: RUF012

    def __init__(self, id):
        self.id = id
        self.is_processed = False
        self.stored[id] = self

    @classmethod
    def find(cls, id):
        try:
            return cls.stored[id]
        except KeyError:
            raise RecordNotFound(f"there is no order {id}") from None

    def process(self):
        self.is_processed = True


@job(queue="mailers")
def confirm(order_id):
    return f"order {order_id} is confirmed"


def tell_of_lost_job(job, error):
    log.error("Failed to deserialize job %s: %s", job.job_id, error)


@retry_on(RecordNotFound, wait=timedelta(seconds=5), attempts=3)
@retry_on(OpenTimeout, wait=polynomially_longer, attempts=5)
@retry_on(TimeoutError, wait=timedelta(minutes=1), attempts=3)
@discard_on(DeserializationError, then=tell_of_lost_job)
class ProcessOrder(Job):
    def perform(self, order_id: int) -> None:
        try:
            order = Order.find(order_id)
            order.process()
            confirm.perform_later(order_id)
        except Exception as error:
            log.error("Failed to process order %s: %s", order_id, error)
            raise


class ProcessOrderSilently(Job):
    """Without the last line of the seed's `rescue`."""

    def perform(self, order_id: int) -> None:
        try:
            Order.find(order_id).process()
        except Exception as error:
            log.error("Failed to process order %s: %s", order_id, error)


@pytest.fixture(autouse=True)
def order():
    Order.stored.clear()
    return Order(7)


def test_an_order_is_processed_and_confirmed(jobs, order, assert_enqueued):
    ProcessOrder.perform_later(7)
    jobs.perform_due(children=False)

    assert order.is_processed
    assert_enqueued(confirm, args=(7,), queue="mailers")


@pytest.mark.parametrize(
    ("error", "waits"),
    [
        (RecordNotFound("gone"), [5, 5]),
        (OpenTimeout("no answer"), [3, 18, 83, 258]),
        (TimeoutError("too slow"), [60, 60]),
    ],
)
def test_each_error_has_waits_of_its_own(jobs, error, waits):
    timeline = jobs.simulate_retries(ProcessOrder, args=(7,), raising=error)

    assert timeline.wait_seconds == waits
    assert (timeline.status, len(timeline.attempts)) == ("exhausted", len(waits) + 1)


def test_the_rule_of_a_timeout_does_not_hide_that_of_an_open_timeout(jobs):
    """In Rails the last declared wins: the seed's own `Net::OpenTimeout` would be tried thrice, a minute apart."""
    jobs.fail(ProcessOrder, raising=OpenTimeout)
    ProcessOrder.perform_later(7)
    jobs.drain(raise_errors=False)

    assert [d.wait.seconds for d in jobs.retried] == [3, 18, 83, 258]


def test_each_rule_counts_for_itself(jobs):
    jobs.fail(ProcessOrder, raising=TimeoutError, on=[1, 2])
    jobs.fail(ProcessOrder, raising=RecordNotFound, on=[3, 4])
    ProcessOrder.perform_later(7)
    jobs.drain()

    assert [d.status for d in jobs.deliveries if d.record.job is ProcessOrder] == [
        *["retried"] * 4,
        "performed",
    ]


def test_an_order_that_appears_in_time_is_processed(jobs):
    ProcessOrder.perform_later(8)
    jobs.perform_due()
    late = Order(8)
    jobs.drain()

    assert late.is_processed
    assert [d.wait for d in jobs.retried] == [timedelta(seconds=5)]


def test_one_that_never_does_is_a_dead_letter_and_its_error_logged_each_time(jobs, caplog):
    ProcessOrder.perform_later(8)
    with pytest.raises(RecordNotFound, match="there is no order 8"):
        jobs.drain()

    assert [(d.status, d.record.attempt) for d in jobs.dead] == [("exhausted", 3)]
    assert caplog.messages == ["Failed to process order 8: there is no order 8"] * 3


def test_an_error_that_is_logged_and_not_raised_on_is_lost(jobs, caplog):
    ProcessOrderSilently.perform_later(8)
    jobs.drain()

    assert len(caplog.messages) == 1
    assert [d.status for d in jobs.deliveries] == ["performed"]
    assert (jobs.retried, jobs.dead) == ([], [])


# A record instead of an id


@reference(id="id", find="find")
class Account:
    stored: "dict[int, Account]" = {}  # noqa: RUF012

    def __init__(self, id):
        self.id = id
        self.stored[id] = self

    @classmethod
    def find(cls, id):
        return cls.stored.get(id)


@discard_on(DeserializationError, then=tell_of_lost_job)
class CloseAccount(Job):
    def perform(self, account: Account) -> None:
        del Account.stored[account.id]


@retry_on(RecordNotFoundError, wait=5, attempts=3)
class OpenAccount(CloseAccount): ...


def test_a_record_that_is_gone_cannot_be_read_and_its_job_is_dropped_and_logged(jobs, caplog):
    """Only where a record is an argument: the seed's job takes an id, and its rule for this never applies."""
    enqueued = CloseAccount.perform_later(Account(7))
    del Account.stored[7]
    jobs.drain()

    assert [(d.status, d.aftermath) for d in jobs.dead] == [("discarded", ("tell_of_lost_job",))]
    assert caplog.messages[0].startswith(f"Failed to deserialize job {enqueued.job_id}: ")


def test_a_record_that_is_missing_can_be_waited_for_all_the_same(jobs):
    OpenAccount.perform_later(Account(7))
    del Account.stored[7]
    jobs.perform_due()
    assert jobs.retried[0].wait == timedelta(seconds=5)

    Account(7)
    jobs.drain()
    assert Account.stored == {}
