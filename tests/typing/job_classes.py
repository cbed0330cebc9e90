"""`perform_later`, `new`, `set` and `perform_now` of a job class take the parameters of `perform`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import assert_type

from pytest_jobs import Job, Payload, perform_all_later


class Pay(Job):
    queue = "payments"
    priority = 3

    def perform(self, payment_id: int, currency: str = "EUR", *, urgent: bool = False) -> str:
        return f"{payment_id} {currency} {urgent}"


class PayTwice(Pay):
    pass


class Ping(Job):
    def perform(self) -> None:
        pass


class Count(Job):
    @staticmethod
    def perform(first: int, *others: int, **named: str) -> int:
        return first + len(others) + len(named)


# Accepted

assert_type(Pay.perform_later(7), Job)
assert_type(Pay.perform_later(7, "USD", urgent=True), Job)
assert_type(Pay.perform_later(payment_id=7), Job)
assert_type(Pay.new(7, "USD"), Job)
assert_type(Pay.perform_now(7), str)
assert_type(PayTwice.perform_later(7), Job)
assert_type(PayTwice.perform_now(7), str)
assert_type(Ping.perform_later(), Job)
Ping.perform_now()
assert_type(Count.perform_later(1, 2, 3, name="x"), Job)
assert_type(Count.perform_now(1), int)
assert_type(Pay.set(wait=60).perform_later(7), Job)
assert_type(Pay.set(wait=timedelta(days=1), queue="low", priority=1).perform_later(7, "USD"), Job)
assert_type(Pay.set(at=datetime(2030, 1, 1, tzinfo=UTC)).new(payment_id=7), Job)
assert_type(Pay.set().perform_later(7, urgent=True), Job)
assert_type(perform_all_later([Pay.new(1), Ping.new()]), tuple[Job, ...])

job = Pay.perform_later(7)
assert_type(job.enqueued, bool)
assert_type(job.enqueue_error, Exception | None)
assert_type(job.job_id, str)
assert_type(job.attempt, int)
assert_type(job.payload, Payload | None)

enqueue: Callable[[int], Job] = Pay.perform_later

# Refused

Pay.perform_later()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
Pay.perform_later("7")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Pay.perform_later(7, 8)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Pay.perform_later(7, "USD", True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
Pay.perform_later(7, colour="red")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
Pay.perform_later(7, payment_id=7)  # type: ignore[misc]  # pyright: ignore[reportCallIssue]
Ping.perform_later(7)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
PayTwice.perform_later("7")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Count.perform_later(1, "2")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Count.perform_later(1, name=2)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Pay.new("7")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Pay.perform_now("7")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
number: int = Pay.perform_now(7)  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
Pay.set(wait=60).perform_later("7")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Pay.set(wait=60).perform_later()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
Pay.set(wait=60).new(7, 8)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Pay.set(wait="soon")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Pay.set(at=60)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Pay.set(queue=7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Pay.set(priority="high")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Pay.set(countdown=60)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
Pay.set(60)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
perform_all_later([Pay])  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
