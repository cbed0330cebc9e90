"""Django's ORM on real servers: locks of rows, lost answers, and the numbers of rows.

MariaDB is reached by mysqlclient, or by PyMySQL in its place where that cannot be built.
"""

from __future__ import annotations

import sys
from contextlib import closing
from importlib import import_module
from importlib.util import find_spec
from urllib.parse import parse_qs, urlsplit

import pytest

pytest.importorskip("django", reason="Django is not installed")

import explored_models
from django.db import connections
from explored_models import Entry, Payment, databases, gateway_only  # noqa: F401
from servers import mysql_url, postgresql_url  # noqa: F401

from pytest_jobs import check_idempotent, django_world
from pytest_jobs.errors import DuplicateEffect, ExplorationError, NotIdempotent
from pytest_jobs.exploration.worlds.base import store

# The fixtures of servers are asked for by name.
pytestmark = pytest.mark.slow
postgresql = pytest.mark.parametrize("server", ["postgresql"], indirect=True)
mysql = pytest.mark.parametrize("server", ["mysql"], indirect=True)


@pytest.fixture(scope="module")
def mysqldb():
    """Have a module `MySQLdb`."""
    pymysql = pytest.importorskip("pymysql", reason="PyMySQL is not installed")
    with pytest.MonkeyPatch.context() as patch:
        if find_spec("MySQLdb") is None:
            patch.setattr(pymysql, "version_info", (2, 2, 1, "final", 0))
            patch.setitem(sys.modules, "MySQLdb", pymysql)
            patch.setitem(sys.modules, "_mysql", pymysql)
        yield import_module("MySQLdb")


def place_of(name, request):
    """Return the settings of a connection to a server."""
    if name == "mysql":
        driver, url = request.getfixturevalue("mysqldb"), request.getfixturevalue("mysql_url")
        return {
            "NAME": "shop",
            "HOST": url.partition("unix_socket=")[2],
            "OPTIONS": {"ssl_disabled": True} if driver.__name__ == "pymysql" else {},
        }
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    parts = urlsplit(request.getfixturevalue("postgresql_url"))
    return {
        "NAME": "postgres",
        "USER": parts.username,
        "HOST": parse_qs(parts.query)["host"][0],
    }


@pytest.fixture(params=["postgresql", "mysql"])
def server(request, databases):  # noqa: F811
    """Have a test database on a server behind the alias `server`, as a test runner makes it; yield its name."""
    place = place_of(request.param, request)
    connections.settings["server"] = {
        **connections.settings["default"],
        "ENGINE": f"django.db.backends.{request.param}",
        **place,
    }
    maker = connections["server"].creation
    maker.create_test_db(verbosity=0)
    try:
        with connections["server"].schema_editor() as editor:
            for model in (explored_models.Customer, explored_models.Basket, Payment, Entry):
                editor.create_model(model)
        yield request.param
    finally:
        maker.destroy_test_db(place["NAME"], verbosity=0)
        connections["server"].close()
        del connections["server"]
        del connections.settings["server"]


def shop():
    with (
        django_world([Payment, Entry], using="server", rows=[Payment(pk=1)]) as database,
        gateway_only() as calls,
    ):
        yield lambda: {**database.snapshot(), "charges": calls()}


def shop_with_customers():
    models = [explored_models.Customer, explored_models.Basket, Payment]
    rows = [Payment(pk=5), explored_models.Customer(pk=1), explored_models.Basket(pk=1)]
    with django_world(models, using="server", rows=rows) as database:
        yield database.snapshot


def shop_of_entries():
    with django_world([Entry], using="server") as database:
        yield database.snapshot


def payments():
    return Payment.objects.using("server")


def charge_then_mark(number):
    if payments().get(pk=number).status != "paid":
        explored_models.gateway.charge(number)
        payments().filter(pk=number).update(status="paid")


def charge_with_key(number):
    if payments().get(pk=number).status != "paid":
        explored_models.gateway.charge(number, key=number)
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
        list(payments().select_for_update())
        if not payments().filter(status="made").exists():
            ann = explored_models.Customer.objects.using("server").create(name="Ann")
            payments().create(status="made", customer=ann)


def add_what_links_many_to_many(number):
    basket = explored_models.Basket.objects.using("server").get(pk=1)
    basket.customers.add(explored_models.Customer.objects.using("server").get(pk=1))


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


def check(job, *more, world=shop, **options):
    return check_idempotent(job, args=(1, *more), world=world, time_limit=60, **options)


@pytest.mark.usefixtures("server")
def test_a_charge_between_read_and_write_is_doubled_by_a_crash():
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE gateway\.charge .*\[crash"):
        check(charge_then_mark)


@postgresql
@pytest.mark.usefixtures("server")
def test_a_key_makes_it_safe():
    check(charge_with_key, histories="all")


@pytest.mark.usefixtures("server")
def test_a_read_without_a_lock_is_overtaken():
    with pytest.raises(NotIdempotent, match=r"Payment .*\[overlap"):
        check(book, False)


def test_a_lock_of_the_row_makes_it_safe(server):
    check(book, True, **({"histories": "all"} if server == "postgresql" else {}))


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("add", [add_one_that_refers_to_another, add_what_links_many_to_many])
def test_a_gap_that_a_rollback_leaves_in_the_numbers_is_no_difference(add):
    check(add, world=shop_with_customers, histories=["crash", "effect_fails"])


#: What a driver says of a connection that is lost.
LOST = {
    "postgresql": ("server closed the connection unexpectedly",),
    "mysql": (2013, "Lost connection to MySQL server during query"),
}


def test_a_lost_connection_reaches_the_job(server):
    explored_models.reached.errors.clear()

    check(note_lost_connections, histories=["effect_fails", "reply_lost"])

    assert explored_models.reached.errors == [LOST[server]] * 2


@pytest.mark.usefixtures("server")
def test_the_world_empties_the_tables_and_begins_counting_anew():
    for _ in range(2):
        with django_world([Payment], using="server", rows=[Payment(), Payment()]) as database:
            assert [row["id"] for row in database.rows(Payment)] == [1, 2]


@mysql
@pytest.mark.usefixtures("server")
def test_a_table_that_the_world_neither_shows_nor_empties_is_an_error():
    with pytest.raises(
        ExplorationError, match=r"table explored_models_customer \(not shown\) is .*ignore="
    ):
        check(note_and_enter, world=shop_of_entries, histories=["twice"])


@postgresql
@pytest.mark.usefixtures("server")
def test_keys_go_on_behind_the_first_rows():
    with django_world([Payment], using="server", rows=[Payment(pk=5)]) as database:
        payments().create()

        assert [row["id"] for row in database.rows(Payment)] == [5, 6]


def test_a_row_that_a_transaction_keeps_is_an_error_of_the_next_history(server, monkeypatch):
    monkeypatch.setattr(store, "PATIENCE", 1)
    with closing(connections.create_connection("server")) as keeper:

        def kept():
            with django_world([Payment], using="server", rows=[Payment(pk=1)]) as database:
                if keeper.connection is None:
                    keeper.set_autocommit(False)
                    keeper.cursor().execute(f"SELECT * FROM {Payment._meta.db_table} FOR UPDATE")
                yield database.snapshot

        with pytest.raises(Exception, match=r"(?i)lock.* timeout"):
            check(lambda number: None, world=kept)


@postgresql
@pytest.mark.usefixtures("server")
def test_a_transaction_of_the_test_is_refused():
    with (
        explored_models.transaction.atomic(using="server"),
        pytest.raises(
            ExplorationError, match=r"transaction on the database 'server'.*transactional_db"
        ),
    ):
        check(charge_then_mark)


@postgresql
@pytest.mark.usefixtures("server")
def test_a_database_that_no_test_runner_made_is_refused():
    settings = connections.settings["server"]
    connections.settings["server"] = {**settings, "NAME": "postgres"}
    try:
        with (
            pytest.raises(
                ExplorationError, match=r"'server' is 'postgres', which no test runner made"
            ),
            django_world([Payment], using="server"),
        ):
            pass
    finally:
        connections.settings["server"] = settings
