"""What the authors of due-work-harness found in applications, each in a few lines, and its mend."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from tables import each_row

from pytest_jobs import Job, check_handoff, fake
from pytest_jobs.errors import HalfDone, NotIdempotent

HERE = SimpleNamespace(images={}, files={}, orders={}, events=[], checkouts={}, notices={})
gateway = None


class Gateway:
    def capture(self, amount, idempotency_key=None): ...

    def confirm(self, number, idempotency_key=None): ...

    def announce(self, number, idempotency_key=None): ...


def shop():
    for each in vars(HERE).values():
        each.clear()
    HERE.images[7] = HERE.files[7] = "cat.png"
    HERE.notices[7] = "owed"
    with fake(sys.modules[__name__], "gateway", Gateway()):
        yield lambda: {
            name: list(value) if isinstance(value, list) else dict(value)
            for name, value in vars(HERE).items()
        }


# Wagtail: an image is deleted, and a task deletes its file after the commit.


class DeleteFile(Job):
    def perform(self, number):
        HERE.files.pop(number, None)


def delete_image(number):
    del HERE.images[number]
    DeleteFile.perform_later(number)


def delete_files_without_image():
    for number in HERE.files.keys() - HERE.images.keys():
        DeleteFile.perform_later(number)


# Saleor, Payments API: the payment is captured before there is an order. With its Transactions API, the checkout
# knows that it is being paid, and a recurring task completes it.


def pay_then_order(number):
    gateway.capture(10, idempotency_key=number)
    HERE.orders[number] = "PAID"


def pay_for_checkout(number):
    HERE.checkouts[number] = "PAYING"
    complete(number)


def complete(number):
    gateway.capture(10, idempotency_key=number)
    HERE.orders[number] = "PAID"
    HERE.checkouts[number] = "COMPLETE"


def complete_checkouts():
    for number, status in HERE.checkouts.items():
        if status == "PAYING":
            complete(number)


# Saleor, checkout: the order is there before it is confirmed, and before its history is written.


def order_then_confirm(number):
    HERE.orders[number] = "UNCONFIRMED"
    HERE.events.append(f"{number} placed")
    HERE.orders[number] = "CONFIRMED"


def order_at_once(number):
    # Stands for one transaction.
    HERE.orders[number] = ["CONFIRMED", f"{number} placed"]


# Saleor, checkout: the broker refuses the first webhook, so the second task is not enqueued either.


class Announce(Job):
    def perform(self, number):
        gateway.announce(number, idempotency_key=f"announce {number}")


class Confirm(Job):
    def perform(self, number):
        gateway.confirm(number, idempotency_key=f"confirm {number}")
        HERE.orders[number] = "CONFIRMED"


def order_and_tell(number):
    HERE.orders[number] = "PLACED"
    Announce.perform_later(number)
    Confirm.perform_later(number)


def tell_again():
    for number, status in HERE.orders.items():
        if status == "PLACED":
            Announce.perform_later(number)
            Confirm.perform_later(number)


# Saleor, automatic completion: a checkout is completed again while its completion is under way.


class Capture(Job):
    def perform(self, number):
        gateway.capture(10)
        HERE.checkouts[number] = {"status": "COMPLETE"}


def check_out(number):
    HERE.checkouts[number] = {"status": "PAYING", "since": datetime.now(UTC)}
    Capture.perform_later(number)


def capture_all():
    for number, checkout in HERE.checkouts.items():
        if checkout["status"] == "PAYING":
            Capture.perform_later(number)


def capture_old():
    for number, checkout in HERE.checkouts.items():
        if checkout["status"] == "PAYING" and checkout["since"] < datetime.now(UTC) - timedelta(
            minutes=10
        ):
            Capture.perform_later(number)


# Saleor, retention: checkouts are deleted after 90 days, whether they were paid for or not, before the recurring
# task that completes them comes to those that it has left alone.


def capture_at_once(number):
    HERE.checkouts[number] = {"status": "PAYING", "since": datetime.now(UTC)}
    complete(number)


def complete_old():
    for number in older(minutes=10):
        if HERE.checkouts[number]["status"] == "PAYING":
            complete(number)


def older(**age):
    limit = datetime.now(UTC) - timedelta(**age)
    return [
        number
        for number, checkout in HERE.checkouts.items()
        if checkout != "COMPLETE" and checkout["since"] < limit
    ]


def delete_expired():
    for number in older(days=90):
        del HERE.checkouts[number]


def delete_expired_but_paid():
    for number in older(days=90):
        if HERE.checkouts[number]["status"] != "PAYING":
            del HERE.checkouts[number]


def test_retention_deletes_what_a_captured_payment_is_owed():
    options = {"args": (7,), "world": shop, "within": timedelta(days=91)}

    check_handoff(capture_at_once, recover=[complete_old], **options)
    with pytest.raises(HalfDone, match=r"HALF_DONE gateway.capture without checkouts \[dies"):
        check_handoff(capture_at_once, recover=[delete_expired, complete_old], **options)
    check_handoff(capture_at_once, recover=[delete_expired_but_paid, complete_old], **options)


# DBOS, transactional outbox: the customer is notified before that is noted.


def relay(*, by_key):
    for number in [number for number, status in HERE.notices.items() if status == "owed"]:
        gateway.announce(number, idempotency_key=number if by_key else None)
        HERE.notices[number] = "sent"


def relay_without_key():
    relay(by_key=False)


def relay_by_key():
    relay(by_key=True)


#: The call and what finds lost work: as they were found, what that comes to, and mended.
FOUND = [
    (
        (delete_image, None),
        "LOST files [dies",
        (delete_image, delete_files_without_image),
    ),
    (
        (pay_then_order, None),
        "HALF_DONE gateway.capture without orders [dies",
        (pay_for_checkout, complete_checkouts),
    ),
    (
        (order_then_confirm, None),
        "HALF_DONE orders without events [dies",
        (order_at_once, None),
    ),
    (
        (order_and_tell, None),
        "LOST gateway.announce [dies",
        (order_and_tell, tell_again),
    ),
    (
        (check_out, capture_all),
        "DUPLICATE gateway.capture [overtaken",
        (check_out, capture_old),
    ),
    (
        (relay_without_key, relay_without_key),
        "DUPLICATE gateway.announce [dies",
        (relay_by_key, relay_by_key),
    ),
]


def said(call, recover):
    args = () if call in (relay_by_key, relay_without_key) else (7,)
    try:
        check_handoff(call, args=args, world=shop, recover=recover)
    except NotIdempotent as error:
        return re.sub(r"^[^:]*: ", "", str(error).splitlines()[0])
    return ""


@each_row("found, words, mended", FOUND)
def test_what_was_found_is_found_and_its_mend_passes(found, words, mended):
    assert said(*found).startswith(words)
    assert said(*mended) == ""
