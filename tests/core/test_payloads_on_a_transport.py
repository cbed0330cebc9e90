"""A payload becomes JSON-safe data and is the same job afterwards."""

import json
from dataclasses import dataclass

import pytest

from pytest_jobs import Job, Payload, job, later, reference, retry_on
from pytest_jobs.core.execution import perform
from pytest_jobs.errors import DeserializationError

SECOND = 10**9


@dataclass
class Money:
    amount: int


@retry_on(ConnectionError, wait=30, attempts=3)
class Pay(Job):
    queue = "payments"

    def perform(self, money: Money, *, fail=False):
        if fail:
            raise ConnectionError
        return money


@job
def send_receipt(order_id):
    return f"receipt {order_id}"


@reference(id="id", find=lambda order_id: Order())
class Order:
    id = 1

    def ship(self):
        return "shipped"

    ship_later = later(ship)


def _transported(payload):
    return Payload.from_dict(json.loads(json.dumps(payload.to_dict())))


def test_the_layout_of_a_payload(adapter, clock):
    job = send_receipt.set(wait=5, priority=3).perform_later(7)

    assert job.payload.to_dict() == {
        "format": 1,
        "job": f"{__name__}.send_receipt",
        "job_id": job.job_id,
        "queue": "default",
        "priority": 3,
        "arguments": [[7], {}],
        "attempt": 1,
        "failures": {},
        "enqueued_ns": clock.now_ns,
        "due_ns": clock.now_ns + 5 * SECOND,
        "headers": {},
    }


@pytest.mark.parametrize(
    ("make", "result"),
    [
        (lambda: Pay.new(Money(7)), Money(7)),
        (lambda: send_receipt.new(7), "receipt 7"),
        (Order().ship_later.new, "shipped"),
    ],
)
def test_a_transported_payload_is_performed_as_the_job_that_it_was(adapter, make, result):
    payload = make().enqueue().payload

    transported = _transported(payload)

    assert transported.job is payload.job
    assert transported.to_dict() == payload.to_dict()
    assert transported.arguments == payload.arguments
    assert adapter.perform(transported).result == result


def test_a_transported_retry_goes_on_counting(adapter, clock):
    Pay.set(queue="low", priority=2).perform_later(Money(7), fail=True)
    statuses = []
    while adapter.pending:
        payload = _transported(adapter.pending.pop())
        statuses.append((payload.attempt, payload.queue, adapter.perform(payload).status))

    assert statuses == [(1, "low", "retried"), (2, "low", "retried"), (3, "low", "exhausted")]


def test_headers_travel():
    payload = Payload(
        Pay, f"{__name__}.Pay", "id", "default", None, "[[],{}]", 1, None, 0, None, {"trace": "x"}
    )

    assert _transported(payload).headers == {"trace": "x"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("format", value) for value in (None, 0, 2, "1")),
        *((name, KeyError) for name in ("job", "arguments", "headers")),
    ],
)
def test_another_format_and_a_payload_that_lacks_something_is_refused(adapter, name, value):
    data = {**Pay.perform_later(Money(7)).payload.to_dict(), name: value}
    if value is KeyError:
        del data[name]
        said = f"This payload lacks '{name}', which every payload of format 1 has."
    else:
        said = (
            f"This payload has format {value!r}; this version of pytest-jobs reads format 1. It was not written "
            "by `Payload.to_dict`, or by a later version."
        )

    with pytest.raises(DeserializationError) as raised:
        Payload.from_dict(data)

    assert str(raised.value) == said


def test_a_payload_can_be_passed_on_where_its_class_is_not_known(adapter):
    data = {**Pay.perform_later(Money(7)).payload.to_dict(), "job": "nowhere.Pay"}

    assert Payload.from_dict(data).to_dict() == data


def test_a_payload_with_attempts_and_no_failures_has_failed_by_no_rule(adapter, clock):
    payload = _transported(Pay.perform_later(Money(5), fail=True).payload)
    later_attempt = Payload.from_dict({**payload.to_dict(), "attempt": 3, "failures": {}})
    execution = perform(later_attempt)

    assert (execution.status, execution.wait_ns) == ("retried", 30 * SECOND)
