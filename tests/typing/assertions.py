"""An assertion returns the one match; asked for a number, it returns a tuple."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, assert_type
from unittest.mock import ANY

from pytest_jobs import (
    Delivery,
    Job,
    JobRecord,
    Jobs,
    assert_enqueued as imported_assert_enqueued,
    assert_not_enqueued as imported_assert_not_enqueued,
    assert_performed as imported_assert_performed,
    job,
)
from pytest_jobs.types import (
    AssertBatched,
    AssertDelivered,
    AssertDiscarded,
    AssertEnqueued,
    AssertEnqueuedInOrder,
    AssertFailed,
    AssertFollowedBy,
    AssertNotEnqueued,
    AssertNotPerformed,
    AssertPerformed,
    AssertRetried,
)

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class Pay(Job):
    def perform(self, payment_id: int) -> str:
        return str(payment_id)


@job
def send(order_id: int) -> None:
    pass


def is_large(record: JobRecord) -> bool:
    return record.sequence > 100


def took_long(delivery: Delivery) -> bool:
    return delivery.result is None


def of_records(
    jobs: Jobs, assert_enqueued: AssertEnqueued, assert_not_enqueued: AssertNotEnqueued
) -> None:
    with jobs.capture() as sent:
        Pay.perform_later(7)

    # Accepted

    assert_type(assert_enqueued(Pay), JobRecord)
    assert_type(assert_enqueued(send, args=(7,), kwargs={"copy": ANY}), JobRecord)
    assert_type(assert_enqueued("shop.Pay", params={"payment_id": 7}, queue="low"), JobRecord)
    assert_type(assert_enqueued(Pay, at=NOON, wait=60, tolerance=SECOND), JobRecord)
    assert_type(assert_enqueued(Pay, at=None, wait=None, queue=None, priority=None), JobRecord)
    assert_type(assert_enqueued(Pay, attempt=2, where=is_large), JobRecord)
    assert_type(assert_enqueued(Pay, where=lambda record: record.args), JobRecord)
    assert_type(assert_enqueued(Pay, within=sent), JobRecord)
    assert_type(assert_enqueued(Pay, within=jobs.pending), JobRecord)
    assert_type(assert_enqueued(Pay, within=[*sent]), JobRecord)
    assert_type(assert_enqueued(Pay, count=2), tuple[JobRecord, ...])
    assert_type(assert_enqueued(Pay, at_least=1, at_most=3), tuple[JobRecord, ...])
    assert_type(assert_enqueued(Pay, queue="low", count=2, within=sent), tuple[JobRecord, ...])
    assert_type(imported_assert_enqueued(Pay), JobRecord)
    assert_type(imported_assert_enqueued(Pay, count=1), tuple[JobRecord, ...])
    assert_type(imported_assert_enqueued, AssertEnqueued)
    assert_not_enqueued()
    assert_not_enqueued(Pay, params={"payment_id": 7}, within=sent)
    imported_assert_not_enqueued(Pay)

    # Refused

    assert_enqueued()  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    assert_enqueued(Pay, queu="low")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    assert_enqueued(Pay, args=7)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    assert_enqueued(Pay, params=[7])  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    assert_enqueued(Pay, count="2")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    assert_enqueued(Pay, tolerance=5)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    assert_enqueued(Pay, where=7)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    assert_enqueued(Pay, where=took_long)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportCallIssue]
    assert_enqueued(Pay, within=[1])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType, reportCallIssue]
    assert_enqueued(Pay, within=jobs.performed)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportCallIssue]
    assert_enqueued(Pay, result="7")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    assert_not_enqueued(Pay, count=0)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    _record: JobRecord = assert_enqueued(Pay, count=1)  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]


def of_deliveries(
    jobs: Jobs,
    assert_performed: AssertPerformed,
    assert_retried: AssertRetried,
    assert_discarded: AssertDiscarded,
    assert_failed: AssertFailed,
    assert_not_performed: AssertNotPerformed,
) -> None:
    sent = jobs.capture()

    # Accepted

    assert_type(assert_performed(Pay), Delivery)
    assert_type(assert_performed(Pay, args=(7,), result="7", error=None), Delivery)
    assert_type(assert_performed(Pay, where=took_long, within=jobs.performed), Delivery)
    assert_type(assert_performed(Pay, within=sent, count=2), tuple[Delivery, ...])
    assert_type(assert_retried(Pay, wait=3, error=TimeoutError), Delivery)
    assert_type(assert_retried(Pay, at_least=2), tuple[Delivery, ...])
    assert_type(assert_discarded(Pay, error=ValueError("x")), Delivery)
    assert_type(assert_discarded(Pay, count=0), tuple[Delivery, ...])
    assert_type(assert_failed(send, at=NOON, attempt=5), Delivery)
    assert_type(assert_failed(send, at_most=1), tuple[Delivery, ...])
    assert_type(imported_assert_performed(Pay), Delivery)
    assert_not_performed()
    assert_not_performed(Pay, result=ANY)

    # Refused

    assert_performed(Pay, results="7")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    assert_performed(Pay, where=is_large)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportCallIssue]
    assert_retried(Pay, kwargs=7)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    assert_failed(Pay, within=[7])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportCallIssue]
    assert_not_performed(Pay, at_least=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    _delivery: Delivery = assert_failed(Pay, count=1)  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    _other: JobRecord = assert_performed(Pay)  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]


def of_what_they_return(assert_enqueued: AssertEnqueued, assert_performed: AssertPerformed) -> None:
    record = assert_enqueued(Pay)
    assert_type(record.sequence, int)
    assert_type(record.args, tuple[Any, ...])
    assert_type(record.kwargs, dict[str, Any])
    assert_type(record.queue, str | None)
    assert_type(record.due_at, datetime | None)
    assert_type(record.wait, timedelta | None)
    delivery = assert_performed(Pay)
    assert_type(delivery.record, JobRecord)
    assert_type(delivery.result, object)
    assert_type(delivery.error, BaseException | None)
    assert_type(delivery.next, JobRecord | None)
    assert_type(delivery.enqueued, tuple[JobRecord, ...])

    record.queue = "low"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    delivery.result = 7  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


async def of_what_is_on_its_way(assert_enqueued: AssertEnqueued) -> None:
    assert_type(assert_enqueued(Pay, timeout=5), JobRecord)
    assert_type(assert_enqueued(Pay, timeout=SECOND, count=2), tuple[JobRecord, ...])
    assert_type(await assert_enqueued.awaited(Pay, timeout=0.5), JobRecord)
    assert_type(await assert_enqueued.awaited(Pay, timeout=5, at_least=1), tuple[JobRecord, ...])


def of_several(
    jobs: Jobs,
    assert_enqueued_in_order: AssertEnqueuedInOrder,
    assert_followed_by: AssertFollowedBy,
    assert_batched: AssertBatched,
) -> None:
    with jobs.capture() as sent:
        Pay.perform_later(1)
    found = assert_enqueued_in_order([Pay, (send, {"params": {"order_id": 7}})], within=sent)
    assert_type(found, tuple[JobRecord, ...])
    assert_type(assert_followed_by(Pay, [[send, (Pay, send)], send], queue="low"), JobRecord)
    assert_type(assert_batched([Pay, Pay], then=[send]), tuple[JobRecord, ...])


def of_any_status(assert_delivered: AssertDelivered) -> None:
    assert_type(assert_delivered(Pay, status="snoozed"), Delivery)
    assert_type(assert_delivered(Pay, status="halted", count=2), tuple[Delivery, ...])
