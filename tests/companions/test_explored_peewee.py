"""Jobs that use peewee on sqlite, whose database object keeps a connection in a module."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from unittest.mock import Mock

import pytest

pytest.importorskip("peewee", reason="peewee is not installed")

import peewee

from pytest_jobs import check_idempotent
from pytest_jobs.errors import DuplicateEffect

db = peewee.SqliteDatabase(None)
gateway = Mock(spec=["charge"])


class Order(peewee.Model):
    paid = peewee.BooleanField(default=False)

    class Meta:
        database = db


def pay_in_one_statement(number):
    with db.atomic():
        unpaid = (Order.id == number) & ~Order.paid
        Order.update(paid=True).where(unpaid).execute()


def pay_then_mark(number):
    order = Order.get_by_id(number)
    if not order.paid:
        gateway.charge(number)
        order.paid = True
        order.save()


@pytest.fixture(params=["closed", "open"])
def world(request):
    def rows():
        with closing(sqlite3.connect(db.database)) as connection:
            return connection.execute('select * from "order"').fetchall()

    def shop():
        with tempfile.TemporaryDirectory() as folder:
            db.init(str(Path(folder) / "shop.db"))
            db.create_tables([Order])
            Order.create(id=1)
            if request.param == "closed":
                db.close()
            yield lambda: {"orders": rows()}
            db.close()

    return shop


def test_each_delivery_opens_the_database_for_itself(world):
    check_idempotent(pay_in_one_statement, args=(1,), world=world)
    with pytest.raises(DuplicateEffect, match=r"charge.*\[crash"):
        check_idempotent(pay_then_mark, args=(1,), world=world)
