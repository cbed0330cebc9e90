"""What becomes of jobs whose worker is killed, whose answers are lost, and that overlap."""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import date

import pytest

from pytest_jobs import check_idempotent, fake, sqlite_world
from pytest_jobs.errors import DuplicateEffect, LostEffect
from shop import db, gateway, mail, web
from shop.gateway import FakeGateway
from shop.jobs import (
    BookLines,
    BookShipment,
    CampaignMail,
    DailyReport,
    NotificationJob,
    ProcessPayment,
    RefreshStock,
    send_mail,
)
from shop.mail import Outbox
from shop.models import NotificationBundle, Report, WebhookDelivery
from shop.web import FakeClient

MONDAY = date(2096, 2, 27)
ROWS = """
INSERT INTO customers (id, email, premium) VALUES (1, 'ann@example.org', 0);
INSERT INTO orders (id, customer_id, cents, placed_on) VALUES (1, 1, 4200, '2096-02-27');
INSERT INTO payments (id, order_id, card, cents) VALUES (1, 1, 'good', 4200);
INSERT INTO notification_bundles (id, customer_id) VALUES (1, 1);
INSERT INTO notifications (bundle_id, message) VALUES (1, 'Order 1 is on its way');
INSERT INTO subscribers (id, email) VALUES (1, 'ann@example.org');
INSERT INTO campaigns (id, subject) VALUES (1, 'All teapots at half price');
INSERT INTO webhook_deliveries (id, url, event) VALUES (1, 'https://books.example/paid', 'order 1');
INSERT INTO reports (day, orders, cents) VALUES ('2096-02-27', 1, 4200);
INSERT INTO stock VALUES ('teapot-1', 3);
INSERT INTO shipments (id) VALUES (1);
INSERT INTO shipment_lines (id, shipment_id, sku, pieces) VALUES (1, 1, 'teapot-1', 40), (2, 1, 'kettle', 5);
"""
TABLES = [
    "payments",
    "webhook_deliveries",
    "notification_bundles",
    "notifications",
    "campaign_mails",
    "reports",
    "stock",
    "shipment_lines",
]


def shop() -> Generator[Callable[[], dict[str, object]]]:
    client = FakeClient()
    client.suppliers = {"near": (3, 0.5), "far": (40, 30)}
    with (
        sqlite_world(db.SCHEMA + ROWS, bind=(db, "connect")) as rows,
        fake(mail, "outbox", Outbox(), key="key") as mails,
        fake(gateway, "provider", FakeGateway(), key="idempotency_key") as charges,
        fake(web, "client", client, key="key", reads={"ask"}),
    ):
        yield lambda: {
            **{table: rows(table) for table in TABLES},
            "mails": mails.calls,
            "charges": charges.calls,
        }


#: Each failure of a job is noted for review: a delivery that fails leaves a row that a clean run does not leave.
NOTES_OF_FAILURES = {"failed_jobs"}


# `atomic=[db]`: no worker dies between two lines of `db`, but before and after each statement.
def test_a_mail_with_a_key_is_sent_once() -> None:
    bundle = NotificationBundle(1, 1, None)

    check_idempotent(
        NotificationJob, args=(bundle,), world=shop, atomic=[db], ignore=NOTES_OF_FAILURES
    )


def test_so_is_a_webhook() -> None:
    delivery = WebhookDelivery(1, "https://books.example/paid", "order 1", "pending")

    check_idempotent(
        WebhookDelivery.deliver_later,
        args=(delivery,),
        world=shop,
        atomic=[db],
        ignore=NOTES_OF_FAILURES,
    )


def test_the_stock_is_set_and_not_counted_up() -> None:
    check_idempotent(
        RefreshStock,
        args=("teapot-1",),
        world=shop,
        histories="all",
        atomic=[db],
        ignore=NOTES_OF_FAILURES,
    )


def test_a_mail_without_a_key_may_be_sent_twice() -> None:
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE outbox\.send"):
        check_idempotent(
            send_mail, args=("ann@example.org", "Receipt of order 1"), world=shop, atomic=[db]
        )


def test_a_campaign_mail_may_be_lost_which_is_better_than_two() -> None:
    with pytest.raises(LostEffect, match=r"LOST outbox\.send"):
        check_idempotent(CampaignMail, args=(1, 1), world=shop, atomic=[db])


def test_a_payment_is_charged_once_and_told_of_once() -> None:
    check_idempotent(
        ProcessPayment,
        args=(1,),
        world=shop,
        histories=["twice", "restart", "reply_lost", "overlap"],
        at_least_once={"outbox", "mails"},
        atomic=[db],
        ignore=NOTES_OF_FAILURES,
    )


def test_a_job_that_waits_for_a_commit_may_be_lost_between_the_two() -> None:
    with pytest.raises(LostEffect, match=r"LOST client\.post \[crash"):
        check_idempotent(
            ProcessPayment,
            args=(1,),
            world=shop,
            histories=["crash"],
            at_least_once={"outbox", "mails"},
            atomic=[db],
        )


def test_a_report_that_is_made_twice_is_sent_once() -> None:
    check_idempotent(DailyReport, args=(MONDAY,), world=shop, histories=["twice"], atomic=[db])


def test_however_often_it_is_enqueued() -> None:
    report = Report(MONDAY.isoformat(), 1, 4200, False)

    check_idempotent(
        Report.send_later, args=(report,), world=shop, atomic=[db], ignore=NOTES_OF_FAILURES
    )


def test_a_shipment_is_cut_into_one_batch() -> None:
    check_idempotent(
        BookShipment, args=(1,), world=shop, histories="all", atomic=[db], ignore=NOTES_OF_FAILURES
    )


def test_workers_that_overlap_book_a_line_once() -> None:
    check_idempotent(
        BookLines,
        args=([1, 2],),
        world=shop,
        histories="all",
        atomic=[db],
        ignore=NOTES_OF_FAILURES,
    )
