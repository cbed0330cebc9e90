"""A record tells what was enqueued, by read-only properties."""

import gc
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest
from tables import each_row

from pytest_jobs import Job, Payload, job, later, reference, retry_on
from pytest_jobs.core.arguments import encoding as arguments
from pytest_jobs.core.foundation.settings import settings
from pytest_jobs.errors import DeserializationError, UnknownJobError


class Pay(Job):
    queue = "payments"
    priority = 3

    def perform(self, amount, currency="EUR"):
        pass


class Flaky(Job):
    def perform(self):
        raise TimeoutError


@retry_on(TimeoutError, wait=3)
class Retried(Flaky):
    pass


@job(queue="mailers")
def send_receipt(order_id):
    pass


@reference(id="number", find="find")
class Order:
    found = True

    def __init__(self, number):
        self.number = number

    @classmethod
    def find(cls, number):
        return cls(number) if cls.found else None

    def ship(self):
        pass

    ship_later = later(ship, queue="shipping")


def last(jobs):
    return jobs.enqueued[-1]


def test_a_record_has_what_the_job_was_enqueued_with(jobs, noon):
    job = Pay.set(wait=90).perform_later(7, currency="USD")
    record = last(jobs)

    assert record.sequence == 0
    assert record.bridge == "core"
    assert record.job_id == job.job_id
    assert record.job is Pay
    assert record.name == f"{__name__}.Pay"
    assert (record.args, record.kwargs) == ((7,), {"currency": "USD"})
    assert (record.queue, record.priority, record.headers) == ("payments", 3, {})
    assert record.enqueued_at == noon
    assert record.due_at == noon + timedelta(seconds=90)
    assert record.wait == timedelta(seconds=90)
    assert record.expires_at is None
    assert (record.attempt, record.retry_of, record.parent) == (1, None, None)
    assert record.payload is job.payload
    send_receipt.perform_later(1)
    assert last(jobs).job is send_receipt
    assert (last(jobs).due_at, last(jobs).wait, last(jobs).priority) == (None, None, None)


def test_the_parameters_are_named_however_they_were_passed(jobs):
    Pay.perform_later(7)
    Pay.perform_later(currency="USD", amount=8)
    send_receipt.perform_later(5)

    assert [record.params for record in jobs.enqueued] == [
        {"amount": 7, "currency": "EUR"},
        {"amount": 8, "currency": "USD"},
        {"order_id": 5},
    ]


def test_times_are_aware_and_in_utc(jobs):
    before = datetime.now(UTC)
    Pay.set(at=before + timedelta(hours=1)).perform_later(1)
    after = datetime.now(UTC)
    record = last(jobs)

    assert before <= record.enqueued_at <= after
    assert record.enqueued_at.tzinfo is UTC
    assert record.due_at == before + timedelta(hours=1)


@each_row(
    "attribute",
    [
        *("sequence", "bridge", "job_id", "job", "name", "args", "kwargs", "queue", "priority"),
        *("headers", "enqueued_at", "due_at", "wait", "expires_at", "attempt", "retry_of"),
        *("parent", "payload", "note"),
    ],
)
def test_a_record_is_read_only_and_takes_no_other_attributes(make_record, attribute):
    with pytest.raises(AttributeError):
        setattr(make_record(), attribute, 1)


def test_the_job_of_a_later_twin_is_the_twin(jobs):
    Order(5).ship_later()
    record = last(jobs)

    assert record.job is Order.ship_later
    assert record.name == f"{__name__}.Order.ship_later"
    assert record.args == (Order(5),)


def enqueue_by_name(name, arguments="[[],{}]"):
    settings.adapter.enqueue(
        Payload(None, name, "1" * 32, "default", None, arguments, 1, None, 0, None)
    )


def test_the_job_of_a_payload_that_carries_only_a_name_is_found_by_it_or_is_the_name(jobs):
    enqueue_by_name("nowhere.Gone", "[[1],{}]")
    enqueue_by_name(f"{__name__}.Pay", "[[1],{}]")
    gone, found = jobs.enqueued

    assert (gone.job, found.job, found.args) == ("nowhere.Gone", Pay, (1,))
    with pytest.raises(UnknownJobError):
        gone.args  # noqa: B018
    assert repr(gone) == "<#0 Gone(unreadable: UnknownJobError) queue='default' (not known here)>"


def test_two_classes_of_one_name_are_kept_apart_unless_a_payload_has_only_the_name(jobs):
    first, second = (type("Namesake", (Job,), {"perform": lambda self: None}) for _ in range(2))
    gc.collect()
    first.perform_later()
    second.perform_later()
    second.perform_later()

    assert [record.job for record in jobs.enqueued] == [first, second, second]
    assert len({record.name for record in jobs.enqueued}) == 1
    assert jobs.drain(only=second).total == 2
    assert [record.job for record in jobs.pending] == [first]
    enqueue_by_name(name := jobs.enqueued[0].name)
    assert last(jobs).job == name
    assert jobs.drain(raise_errors=False) == {"performed": 1, "failed": 1}
    assert "2 job classes are named" in str(jobs.failed[0].error)


def test_the_arguments_are_decoded_when_they_are_looked_at_and_only_once(jobs, monkeypatch):
    decoded = []
    decode = arguments.decode
    monkeypatch.setattr(
        "pytest_jobs.bridges.core.bridge.decode",
        lambda text, types, **options: decoded.append(text) or decode(text, types, **options),
    )
    Pay.perform_later(7, currency="USD")
    record = last(jobs)
    before = list(decoded)
    for _ in range(3):
        assert (record.args, record.kwargs) == ((7,), {"currency": "USD"})

    assert before == []
    assert decoded == ['[[7],{"currency":"USD"}]']


def test_the_body_gets_arguments_of_its_own(jobs):
    received = []

    @job
    def keep(items, options=None):
        received.append((items, options))

    items = [1, 2]
    keep.perform_later(items, options={"a": 1})
    items.append(3)
    record = last(jobs)
    record.args[0].append("changed by the test")
    record.kwargs["options"]["a"] = "changed by the test"
    jobs.drain()

    assert received == [([1, 2], {"a": 1})]


def test_a_record_of_the_application_is_not_looked_up_for_the_arguments(jobs, monkeypatch):
    Order(5).ship_later()
    monkeypatch.setattr(Order, "found", False)
    record = last(jobs)
    (order,) = record.args

    assert order == Order(5)
    assert order != Order(6)
    assert (order.cls, order.id) == (Order, 5)
    assert jobs.perform(record).status == "failed"


def test_arguments_that_cannot_be_read_are_an_error_where_they_are_looked_at(jobs):
    send_receipt.perform_later(5)
    record = last(jobs)
    record.payload.arguments = "not JSON"

    for attribute in ("args", "kwargs"):
        with pytest.raises(DeserializationError):
            getattr(record, attribute)
    assert repr(record) == "<#0 send_receipt(unreadable: DeserializationError) queue='mailers'>"


def test_headers_and_expiry_are_those_of_the_envelope_and_records_told_apart(make_record):
    given = {"headers": {"tenant": "a"}, "expires_ns": 1_500_000_000, "queue": None}
    record, other = make_record(**given), make_record(**given)

    assert (record.headers, record.queue) == ({"tenant": "a"}, None)
    assert record.expires_at == datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)
    assert len({record, other}) == 2


def test_the_parent_is_the_job_that_enqueued_it(jobs):
    @job
    def parent():
        Pay.perform_later(1)

    @job
    async def coroutine():
        Pay.perform_later(2)

    for each in (parent.perform_later, coroutine.perform_later, Flaky.perform_later):
        each()
    jobs.drain(raise_errors=False)
    Pay.perform_later(3)

    assert [record.parent for record in jobs.enqueued] == [None, None, None, 0, 1, None]


def test_a_retry_is_a_record_of_its_own_that_names_the_one_it_retries(jobs, noon):
    @job
    def parent():
        Retried.perform_later()

    parent.perform_later()
    jobs.perform_due()
    first, (second,) = last(jobs), jobs.pending

    assert (second.sequence, second.retry_of, second.attempt, second.parent) == (2, 1, 2, 0)
    assert second.job_id == first.job_id
    assert second.payload is not first.payload
    assert (second.enqueued_at, second.wait) == (noon, timedelta(seconds=3))


def test_a_retry_that_perform_now_enqueued_retries_no_record_and_is_a_child_of_a_job(jobs):
    @job
    def outer():
        with pytest.raises(TimeoutError):
            Retried.perform_now()

    with pytest.raises(TimeoutError):
        Retried.perform_now()
    assert jobs.enqueued == []
    outer.perform_later()
    jobs.perform_due()

    retries = [(retry.attempt, retry.retry_of, retry.parent) for retry in jobs.pending]
    assert retries == [(2, None, None), (2, None, 1)]


def test_no_record_of_a_thread_pool_is_lost_and_the_numbers_are_dense(jobs):
    with ThreadPoolExecutor(8) as pool:
        enqueued = list(pool.map(Pay.perform_later, range(500)))

    assert [record.sequence for record in jobs.enqueued] == list(range(500))
    assert sorted(record.args[0] for record in jobs.enqueued) == list(range(500))
    assert {record.job_id for record in jobs.enqueued} == {job.job_id for job in enqueued}
    assert jobs.drain() == {"performed": 500}
    assert jobs.pending == []


def test_a_thread_that_takes_the_context_of_a_job_along_enqueues_its_children(jobs):
    @job
    def parent(with_context):
        target = lambda: Pay.perform_later(1)  # noqa: E731
        thread = Thread(target=copy_context().run if with_context else target, args=(target,))
        if not with_context:
            thread = Thread(target=target)
        thread.start()
        thread.join()

    parent.perform_later(True)
    parent.perform_later(False)
    jobs.drain()

    assert [record.parent for record in jobs.enqueued] == [None, None, 0, None]


def test_a_record_prints_as_one_line_in_which_long_arguments_are_cut(jobs):
    Pay.perform_later(7, currency="USD")
    Pay.set(wait=90).perform_later(8)
    Retried.perform_later()
    jobs.perform(jobs.enqueued[2])
    Pay.perform_later("x" * 500, currency=list(range(50)))

    assert [repr(record) for record in jobs.pending] == [
        "<#0 Pay(7, currency='USD') queue='payments'>",
        "<#1 Pay(8) queue='payments' wait=1m 30s>",
        "<#3 Retried() queue='default' wait=3s attempt=2>",
        f"<#4 Pay('{'x' * 27}...{'x' * 28}', currency=[0, 1, 2, 3, 4, 5, ...]) queue='payments'>",
    ]
