"""A job function stays callable, and what enqueues it takes its parameters."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import assert_type

from pytest_jobs import Job, job


@job
def send_receipt(order_id: int, copy: bool = True) -> str:
    return f"{order_id} {copy}"


@job(queue="mailers", priority=3)
def send_invoice(order_id: int, *, draft: bool = False) -> list[str]:
    return [str(order_id), str(draft)]


class Base(Job):
    queue = "slow"


def choose(size: int) -> str:
    return "large" if size > 9 else "small"


@job(base=Base, queue=choose)
def convert(size: int) -> None:
    pass


# Accepted

assert_type(send_receipt(7), str)
assert_type(send_receipt(7, copy=False), str)
assert_type(send_receipt.perform_later(7), Job)
assert_type(send_receipt.perform_later(order_id=7, copy=False), Job)
assert_type(send_receipt.perform_now(7), str)
assert_type(send_receipt.new(7, False), Job)
assert_type(send_receipt.set(wait=60).perform_later(7, copy=True), Job)
assert_type(send_receipt.set(wait=timedelta(1), queue="low", priority=1).new(7), Job)
send_receipt.set(queue="low").perform_now(7, copy=True)
assert_type(send_invoice(7, draft=True), list[str])
assert_type(send_invoice.perform_later(7, draft=True), Job)
assert_type(send_invoice.perform_now(7), list[str])
assert_type(convert.perform_later(3), Job)
assert_type(send_receipt.job_class, type[Job])
assert_type(send_receipt.__name__, str)

plain: Callable[[int], str] = send_receipt

# Refused

send_receipt("7")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
send_receipt.perform_later()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
send_receipt.perform_later("7")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
send_receipt.perform_later(7, colour="red")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
send_receipt.new("7")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
send_receipt.set(wait=60).perform_later("7")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
send_receipt.set(queue="low").perform_now("7")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
send_receipt.set(wait="soon")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
send_receipt.set(countdown=60)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
send_invoice.perform_later(7, True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
text: str = send_invoice.perform_now(7)  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
convert.perform_later("3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
