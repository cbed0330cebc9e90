"""Django's ORM on a real PostgreSQL server: locks of rows, lost answers, sequences."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

pytest.importorskip("django", reason="Django is not installed")
pytest.importorskip("psycopg", reason="psycopg is not installed")

import explored_models
from django.db import connections
from explored_models import Entry, Payment, databases, gateway_only  # noqa: F401
from servers import postgresql_url  # noqa: F401

from pytest_jobs import check_idempotent, django_world
from pytest_jobs.errors import DuplicateEffect, ExplorationError, NotIdempotent


@pytest.fixture
def server(postgresql_url, databases):  # noqa: F811
    """Have a test database on the server behind the alias `server`, as a test runner makes it."""
    parts = urlsplit(postgresql_url)
    connections.settings["server"] = {
        **connections.settings["default"],
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "postgres",
        "USER": parts.username,
        "HOST": parse_qs(parts.query)["host"][0],
    }
    maker = connections["server"].creation
    maker.create_test_db(verbosity=0)
    try:
        with connections["server"].schema_editor() as editor:
            for model in (explored_models.Customer, explored_models.Basket, Payment, Entry):
                editor.create_model(model)
        yield
    finally:
        maker.destroy_test_db("postgres", verbosity=0)
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


def note_lost_connections(number):
    try:
        payments().filter(pk=number).update(status="paid")
    except explored_models.OperationalError as error:
        explored_models.reached.errors.append(str(error))
        connections["server"].close()
        raise


@pytest.mark.usefixtures("server")
def test_a_charge_between_read_and_write_is_doubled_by_a_crash():
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE gateway\.charge .*\[crash"):
        check_idempotent(charge_then_mark, args=(1,), world=shop)


@pytest.mark.usefixtures("server")
def test_a_key_makes_it_safe():
    check_idempotent(charge_with_key, args=(1,), world=shop, histories="all", time_limit=60)


@pytest.mark.usefixtures("server")
def test_a_read_without_a_lock_is_overtaken():
    with pytest.raises(NotIdempotent, match=r"Payment .*\[overlap"):
        check_idempotent(book, args=(1, False), world=shop, time_limit=60)


@pytest.mark.usefixtures("server")
def test_a_lock_of_the_row_makes_it_safe():
    check_idempotent(book, args=(1, True), world=shop, histories="all", time_limit=60)


def add_one_that_refers_to_another(number):
    with explored_models.transaction.atomic(using="server"):
        if not payments().filter(status="made").exists():
            ann = explored_models.Customer.objects.using("server").create(name="Ann")
            payments().create(status="made", customer=ann)


def add_what_links_many_to_many(number):
    basket = explored_models.Basket.objects.using("server").get(pk=1)
    basket.customers.add(explored_models.Customer.objects.using("server").get(pk=1))


def shop_with_customers():
    models = [explored_models.Customer, explored_models.Basket, Payment]
    rows = [Payment(pk=5), explored_models.Customer(pk=1), explored_models.Basket(pk=1)]
    with django_world(models, using="server", rows=rows) as database:
        yield database.snapshot


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("add", [add_one_that_refers_to_another, add_what_links_many_to_many])
def test_a_gap_that_a_rollback_leaves_in_a_sequence_is_no_difference(add):
    check_idempotent(
        add,
        args=(1,),
        world=shop_with_customers,
        histories=["crash", "effect_fails"],
        time_limit=60,
    )


@pytest.mark.usefixtures("server")
def test_keys_go_on_behind_the_first_rows():
    with django_world([Payment], using="server", rows=[Payment(pk=5)]) as database:
        payments().create()

        assert [row["id"] for row in database.rows(Payment)] == [5, 6]


@pytest.mark.usefixtures("server")
def test_a_lost_connection_reaches_the_job():
    explored_models.reached.errors.clear()

    check_idempotent(
        note_lost_connections, args=(1,), world=shop, histories=["effect_fails", "reply_lost"]
    )

    assert explored_models.reached.errors == ["server closed the connection unexpectedly"] * 2


@pytest.mark.usefixtures("server")
def test_the_world_empties_the_tables_and_begins_counting_anew():
    for _ in range(2):
        with django_world([Payment], using="server", rows=[Payment(), Payment()]) as database:
            assert [row["id"] for row in database.rows(Payment)] == [1, 2]


@pytest.mark.usefixtures("server")
def test_a_transaction_of_the_test_is_refused():
    with (
        explored_models.transaction.atomic(using="server"),
        pytest.raises(
            ExplorationError, match=r"transaction on the database 'server'.*transactional_db"
        ),
    ):
        check_idempotent(charge_then_mark, args=(1,), world=shop)


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
