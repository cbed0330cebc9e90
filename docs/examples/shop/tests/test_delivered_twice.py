"""What becomes of jobs whose worker is killed, whose answers are lost, and that overlap."""

from __future__ import annotations

from collections.abc import Callable, Generator

import pytest

from pytest_jobs import check_idempotent, fake, sqlite_world
from pytest_jobs.errors import DuplicateEffect, LostEffect
from shop import db, mail, web
from shop.jobs import CampaignMail, NotificationJob, RefreshStock, send_mail
from shop.mail import Outbox
from shop.models import NotificationBundle
from shop.web import FakeClient

ROWS = """
INSERT INTO customers (id, email, premium) VALUES (1, 'ann@example.org', 0);
INSERT INTO notification_bundles (id, customer_id) VALUES (1, 1);
INSERT INTO notifications (bundle_id, message) VALUES (1, 'Order 1 is on its way');
INSERT INTO subscribers (id, email) VALUES (1, 'ann@example.org');
INSERT INTO campaigns (id, subject) VALUES (1, 'All teapots at half price');
"""


def shop() -> Generator[Callable[[], dict[str, object]]]:
    client = FakeClient()
    client.suppliers = {"near": (3, 0.5), "far": (40, 30)}
    with (
        sqlite_world(db.SCHEMA + ROWS, bind=(db, "connect")) as rows,
        fake(mail, "outbox", Outbox(), key="key") as mails,
        fake(web, "client", client, reads={"ask"}),
    ):
        yield lambda: {
            "bundles": rows("notification_bundles"),
            "campaign_mails": rows("campaign_mails"),
            "stock": rows("stock"),
            "mails": mails.calls,
        }


def test_a_mail_with_a_key_is_sent_once() -> None:
    bundle = NotificationBundle(1, 1, None)

    check_idempotent(NotificationJob, args=(bundle,), world=shop)


def test_the_stock_is_set_and_not_counted_up() -> None:
    check_idempotent(RefreshStock, args=("teapot-1",), world=shop, histories="all")


def test_a_mail_without_a_key_may_be_sent_twice() -> None:
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE outbox\.send"):
        check_idempotent(send_mail, args=("ann@example.org", "Receipt of order 1"), world=shop)


def test_a_campaign_mail_may_be_lost_which_is_better_than_two() -> None:
    with pytest.raises(LostEffect, match=r"LOST outbox\.send"):
        check_idempotent(CampaignMail, args=(1, 1), world=shop)
