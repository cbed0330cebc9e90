"""Django's ORM on a real MariaDB server, by mysqlclient, or by PyMySQL in its place where that cannot be built."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec

import pytest

pytest.importorskip("django", reason="Django is not installed")
pytest.importorskip("pymysql", reason="PyMySQL is not installed")

import explored_models
import pymysql
from django.db import connections
from explored_models import Entry, Payment, databases, gateway_only  # noqa: F401
from servers import mysql_url  # noqa: F401

from pytest_jobs import check_idempotent, django_world
from pytest_jobs.errors import DuplicateEffect, ExplorationError, NotIdempotent


@pytest.fixture(scope="module")
def driver():
    """Have a module `MySQLdb`."""
    with pytest.MonkeyPatch.context() as patch:
        if find_spec("MySQLdb") is None:
            patch.setattr(pymysql, "version_info", (2, 2, 1, "final", 0))
            patch.setitem(sys.modules, "MySQLdb", pymysql)
            patch.setitem(sys.modules, "_mysql", pymysql)
        yield import_module("MySQLdb")


@pytest.fixture
def server(mysql_url, driver, databases):  # noqa: F811
    """Have a test database on the server behind the alias `server`, as a test runner makes it."""
    connections.settings["server"] = {
        **connections.settings["default"],
        "ENGINE": "django.db.backends.mysql",
        "NAME": "shop",
        "HOST": mysql_url.partition("unix_socket=")[2],
        "OPTIONS": {"ssl_disabled": True} if driver is pymysql else {},
    }
    maker = connections["server"].creation
    maker.create_test_db(verbosity=0)
    try:
        with connections["server"].schema_editor() as editor:
            for model in (explored_models.Customer, Payment, Entry):
                editor.create_model(model)
        yield
    finally:
        maker.destroy_test_db("shop", verbosity=0)
        connections["server"].close()
        del connections["server"]
        del connections.settings["server"]


def shop():
    with (
        django_world([Payment, Entry], using="server", rows=[Payment(pk=1)]) as database,
        gateway_only() as calls,
    ):
        yield lambda: {**database.snapshot(), "charges": calls()}


def payments():
    return Payment.objects.using("server")


def charge_then_mark(number):
    if payments().get(pk=number).status != "paid":
        explored_models.gateway.charge(number)
        payments().filter(pk=number).update(status="paid")


def book(number, lock):
    with explored_models.transaction.atomic(using="server"):
        rows = payments().select_for_update() if lock else payments()
        payment = rows.get(pk=number)
        if payment.status != "paid":
            payments().filter(pk=number).update(
                status="paid", balance=explored_models.models.F("balance") - 10
            )


def add_one_that_refers_to_another(number):
    with explored_models.transaction.atomic(using="server"):
        payments().select_for_update().get(pk=number)
        if not payments().filter(status="made").exists():
            ann = explored_models.Customer.objects.using("server").create(name="Ann")
            payments().create(status="made", customer=ann)


def note_lost_connections(number):
    try:
        payments().filter(pk=number).update(status="paid")
    except explored_models.OperationalError as error:
        explored_models.reached.errors.append(error.args)
        connections["server"].close()
        raise


def note_and_enter(number):
    explored_models.Customer.objects.using("server").create(name="Ann")
    Entry.objects.using("server").get_or_create(payment=number)


def shop_of_payments():
    with django_world([Payment], using="server", rows=[Payment(pk=1)]) as database:
        yield database.snapshot


def shop_of_entries():
    with django_world([Entry], using="server") as database:
        yield database.snapshot


def check(job, *more, world=shop, **options):
    return check_idempotent(job, args=(1, *more), world=world, **options)


@pytest.mark.usefixtures("server")
def test_a_charge_between_read_and_write_is_doubled_by_a_crash():
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE gateway\.charge .*\[crash"):
        check(charge_then_mark)


@pytest.mark.usefixtures("server")
def test_a_read_without_a_lock_is_overtaken():
    with pytest.raises(NotIdempotent, match=r"Payment .*\[overlap"):
        check(book, False)


@pytest.mark.usefixtures("server")
def test_a_lock_of_the_row_makes_it_safe():
    check(book, True)


@pytest.mark.usefixtures("server")
def test_a_gap_that_a_rollback_leaves_in_the_numbers_is_no_difference():
    check(
        add_one_that_refers_to_another,
        world=shop_of_payments,
        histories=["crash", "effect_fails"],
    )


@pytest.mark.usefixtures("server")
def test_a_lost_connection_reaches_the_job():
    explored_models.reached.errors.clear()

    check(note_lost_connections, histories=["effect_fails", "reply_lost"])

    lost = (2013, "Lost connection to MySQL server during query")
    assert explored_models.reached.errors == [lost] * 2


@pytest.mark.usefixtures("server")
def test_a_table_that_the_world_neither_shows_nor_empties_is_an_error():
    with pytest.raises(
        ExplorationError, match=r"table explored_models_customer \(not shown\) is .*ignore="
    ):
        check(note_and_enter, world=shop_of_entries, histories=["twice"])


@pytest.mark.usefixtures("server")
def test_the_world_empties_the_tables_and_begins_counting_anew():
    for _ in range(2):
        with django_world([Payment], using="server", rows=[Payment(), Payment()]) as database:
            assert [row["id"] for row in database.rows(Payment)] == [1, 2]
