"""`check_idempotent` without a world, in tests of Django that use a PostgreSQL server."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

pytest.importorskip("django", reason="Django is not installed")
pytest.importorskip("psycopg", reason="psycopg is not installed")
pytest.importorskip("pytest_django", reason="these tests run pytest-django in a subprocess")

from servers import postgresql_url  # noqa: F401

CONFTEST = """
    import os, sys
    if "ONLY_PSYCOPG2" in os.environ:
        sys.modules["psycopg"] = None
    from django.conf import settings

    def pytest_configure(config):
        settings.configure(
            DATABASES={"default": {
                "ENGINE": "django.db.backends.postgresql", "NAME": "shop", "USER": "jobs", "HOST": HOST,
            }},
            INSTALLED_APPS=["shop"],
            DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
            SECRET_KEY="tests",
            USE_TZ=True,
        )
"""
MODELS = """
    from django.db import models

    class Order(models.Model):
        balance = models.IntegerField(default=100)
        paid = models.BooleanField(default=False)
        data = models.JSONField(default=dict)
        made_at = models.DateTimeField(auto_now_add=True)

    class Line(models.Model):
        order = models.ForeignKey(Order, models.CASCADE)
"""
JOBS = """
    from django.db import connection, transaction
    from shop.models import Line, Order

    @transaction.atomic
    def pay(number, lock):
        orders = Order.objects.select_for_update() if lock else Order.objects
        order = orders.get(pk=number)
        if not order.paid:
            Order.objects.filter(pk=number).update(paid=True, balance=order.balance - 10)
            Line.objects.create(order=order)

    def pay_in_two_steps(number):
        order = Order.objects.get(pk=number)
        if not order.paid:
            Line.objects.create(order=order)
            order.paid = True
            order.save()

    def clear(number):
        Order.objects.filter(pk=number).delete()

    def add_to_the_log(number):
        with connection.cursor() as cursor:
            cursor.execute("insert into log values (%s)", [number])
"""


@pytest.fixture
def run(pytester, postgresql_url):  # noqa: F811
    """Return what runs a test file in a project with a database on the server."""
    host = parse_qs(urlsplit(postgresql_url).query)["host"][0]
    pytester.makeconftest(CONFTEST.replace("HOST}", f"{host!r}}}").replace("HOST,", f"{host!r},"))
    pytester.mkpydir("shop")
    pytester.makepyfile(**{"shop/models": MODELS, "shop/jobs": JOBS})

    def run(source, *options, **outcomes):
        pytester.makepyfile(
            test_orders=f"""
import pytest
from django.db import connection
from django.test import TestCase, TransactionTestCase
from pytest_jobs import check_idempotent, here
from pytest_jobs.errors import ExplorationError, NotIdempotent
from shop import jobs
from shop.models import Line, Order

{source}
"""
        )
        result = pytester.runpytest_subprocess(
            "-p", "django", "-p", "no:cacheprovider", "-p", "no:randomly", *options
        )
        result.assert_outcomes(**outcomes)
        return result

    return run


@pytest.mark.parametrize("driver", ["psycopg", pytest.param("psycopg2", marks=pytest.mark.wide)])
def test_each_history_finds_what_the_test_has_not_committed(run, driver, monkeypatch):
    pytest.importorskip(driver)
    if driver == "psycopg2":
        monkeypatch.setenv("ONLY_PSYCOPG2", "1")
    result = run(
        """
@pytest.fixture
def order(db):
    order = Order.objects.create(data={"tab": "a\\tb\\n", "none": None})
    Line.objects.create(order=order)
    return order

def test_a_lock_makes_it_safe(order):
    before = list(Order.objects.values()), list(Line.objects.values())
    explored = check_idempotent(jobs.pay, args=(order.pk, True), time_limit=60)
    print(str(explored).splitlines()[-1])
    assert (list(Order.objects.values()), list(Line.objects.values())) == before

def test_a_read_without_a_lock_is_overtaken(order):
    with pytest.raises(NotIdempotent, match=r"\\[overlap"):
        check_idempotent(jobs.pay, args=(order.pk, False), time_limit=60)

def test_rows_that_are_gone_come_back(order):
    check_idempotent(jobs.clear, args=(order.pk,), time_limit=60)
    assert Line.objects.count() == 1

class Case(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.order = Order.objects.create()

    def test_it(self):
        with self.assertRaisesRegex(NotIdempotent, "Line"):
            check_idempotent(jobs.pay_in_two_steps, args=(self.order.pk,), time_limit=60)
        self.assertFalse(Order.objects.get().paid)

@pytest.mark.django_db(transaction=True)
def test_of_committed_rows():
    order = Order.objects.create()
    with pytest.raises(NotIdempotent, match="Line"):
        check_idempotent(jobs.pay_in_two_steps, args=(order.pk,), time_limit=60)
    assert not Order.objects.get().paid
    assert Line.objects.count() == 0
""",
        "-s",
        passed=5,
    )

    result.stdout.fnmatch_lines("*world: here (default: 2 tables, 2 rows)")


def test_what_has_no_copy_is_refused_and_the_second_database_is_gone_at_the_end(
    run,
    postgresql_url,  # noqa: F811
):
    import psycopg

    run(
        """
def test_there_is_one(db):
    order = Order.objects.create()
    check_idempotent(jobs.clear, args=(order.pk,), time_limit=60)
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from pg_database where datname = 'test_shop_jobs'")
        assert cursor.fetchone() == (1,)

def test_a_table_that_the_test_has_made(db):
    with connection.cursor() as cursor:
        cursor.execute("create table log (number integer)")
    with pytest.raises(ExplorationError, match="The table log .* made after.*migration"):
        check_idempotent(jobs.add_to_the_log, args=(1,))

def count(number):
    Order.objects.filter(pk=number).update(balance=1)

def test_without_a_copy(db):
    from pytest_jobs.exploration.worlds.django.databases import clones

    clones.set(None)
    with pytest.raises(ExplorationError, match="no copy.*imports check_idempotent at its top.*world=shop"):
        check_idempotent(count, args=(1,))
""",
        passed=3,
    )

    with psycopg.connect(postgresql_url) as connection:
        found = connection.execute("select datname from pg_database where datname like '%shop%'")
        assert found.fetchall() == []


def test_a_foreign_key_that_is_checked_at_once_and_a_table_without_a_model(run, pytester):
    pytester.mkpydir("shop/migrations")
    pytester.makepyfile(
        **{
            "shop/migrations/0001_initial": """
    from django.db import migrations, models

    class Migration(migrations.Migration):
        initial = True
        operations = [
            migrations.RunSQL(
                "create table log (number integer primary key);"
                "create table note (log integer references log on delete cascade, text varchar)"
            ),
        ]
"""
        }
    )
    run(
        """
def remove(number):
    with connection.cursor() as cursor:
        cursor.execute("delete from log where number = %s", [number])

def add_note(number):
    with connection.cursor() as cursor:
        cursor.execute("insert into note values (%s, 'b')", [number])

def test_it(db):
    with connection.cursor() as cursor:
        cursor.execute("insert into log values (1), (2); insert into note values (1, 'a'), (2, NULL)")

    check_idempotent(remove, args=(1,), time_limit=60)
    with pytest.raises(NotIdempotent, match="note"):
        check_idempotent(add_note, args=(1,), time_limit=60)
""",
        passed=1,
    )
