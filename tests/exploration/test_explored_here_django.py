"""`check_idempotent` without a world, in tests that Django's and pytest-django's fixtures have prepared."""

from __future__ import annotations

import pytest

django = pytest.importorskip("django", reason="Django is not installed")
pytest.importorskip("pytest_django", reason="these tests run pytest-django in a subprocess")
pytest.importorskip("pytest_asyncio")

CONFTEST = """
    import pytest
    from django.conf import settings

    def pytest_configure(config):
        settings.configure(
            DATABASES={
                "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATABASE},
                "other": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
            },
            INSTALLED_APPS=["django.contrib.contenttypes", "shop"],
            DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
            SECRET_KEY="tests",
            USE_TZ=True,
        )
"""
MODELS = """
    from django.db import models

    class Order(models.Model):
        paid = models.BooleanField(default=False)
        visits = models.IntegerField(default=0)
        made_at = models.DateTimeField(auto_now_add=True)

    class Line(models.Model):
        order = models.ForeignKey(Order, models.CASCADE)
        changed_at = models.DateTimeField(auto_now=True)
"""
JOBS = """
    from django.core.cache import cache
    from django.core.mail import send_mail
    from django.db import connection, transaction
    from shop.models import Line, Order

    def pay(number):
        Order.objects.filter(pk=number).update(paid=True)

    def count_visit(number):
        order = Order.objects.get(pk=number)
        order.visits += 1
        order.save()

    @transaction.atomic
    def add_line_once(number):
        order = Order.objects.select_for_update().get(pk=number)
        if not order.paid:
            Line.objects.create(order=order)
            order.paid = True
            order.save()

    def add_line_then_mark(number):
        order = Order.objects.get(pk=number)
        if not order.paid:
            Line.objects.create(order=order)
            order.paid = True
            order.save()

    def mail_after_commit(number):
        with transaction.atomic():
            if Order.objects.filter(pk=number, paid=False).update(paid=True):
                transaction.on_commit(lambda: send_mail("Paid", "", None, ["ann@example.org"]))

    def pay_elsewhere(number):
        Order.objects.using("other").filter(pk=number).update(paid=True)

    def visit_elsewhere(number):
        order = Order.objects.using("other").get(pk=number)
        order.visits += 1
        order.save()

    def count_in_cache(number):
        cache.set("hits", cache.get("hits", 0) + number, timeout=None)

    def count_per_minute(number):
        cache.set("passing", cache.get("passing", 0) + number, timeout=60)

    def set_in_cache(number):
        cache.set("seen", number)

    def only_while_it_is_cached(number):
        if cache.get("open") is not None:
            Order.objects.filter(pk=number).update(paid=True)

    def add_to_the_log(number):
        with connection.cursor() as cursor:
            cursor.execute("insert into log values (%s)", [number])

    async def pay_later(number):
        await Order.objects.filter(pk=number).aupdate(paid=True)

    async def visit_later(number):
        order = await Order.objects.aget(pk=number)
        order.visits += 1
        await order.asave()
"""


#: The same with a database in memory and with one in a file.
COMMON = """
import sqlite3
from types import SimpleNamespace

import pytest
from django.core import mail
from django.core.cache import cache
from django.db import connection
from django.test import SimpleTestCase, TestCase, TransactionTestCase
from pytest_jobs import check_idempotent, fake, here, job
from pytest_jobs.errors import DuplicateEffect, ExplorationError, LostEffect, NotIdempotent
from shop import jobs
from shop.models import Line, Order

@pytest.fixture(autouse=True)
def empty():
    yield
    cache.clear()

@pytest.fixture
def order(db):
    order = Order.objects.create(pk=1)
    Line.objects.create(order=order)
    return order

@pytest.mark.parametrize("job", [jobs.pay, jobs.add_line_once, jobs.pay_later])
def test_safe(order, job):
    check_idempotent(job, args=(order.pk,), histories="all")

@pytest.mark.parametrize("job", [jobs.count_visit, jobs.add_line_then_mark, jobs.visit_later])
def test_unsafe(order, job):
    with pytest.raises(NotIdempotent):
        check_idempotent(job, args=(order.pk,))

def test_lost_mail(order):
    with pytest.raises(LostEffect, match="LOST mail.Paid .*crash"):
        check_idempotent(jobs.mail_after_commit, args=(order.pk,))

class Case(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.order = Order.objects.create(pk=1)

    def test_safe(self):
        check_idempotent(jobs.add_line_once, args=(1,))

    def test_unsafe(self):
        with self.assertRaisesRegex(NotIdempotent, "Line"):
            check_idempotent(jobs.add_line_then_mark, args=(1,))

class Transactions(TransactionTestCase):
    def setUp(self):
        Order.objects.create(pk=1)

    def test_safe(self):
        check_idempotent(jobs.add_line_once, args=(1,))

    def test_unsafe(self):
        with self.assertRaisesRegex(NotIdempotent, "Line"):
            check_idempotent(jobs.add_line_then_mark, args=(1,))

@pytest.mark.parametrize("mark", [
    pytest.param(0, marks=pytest.mark.django_db),
    pytest.param(1, marks=pytest.mark.django_db(transaction=True)),
])
def test_what_the_test_has_stays_as_it_is(mark):
    Order.objects.create(pk=1, visits=3)
    cache.set("hits", 5)
    mail.outbox.append("mine")
    wrapper, raw = connection._connections[connection._alias], connection.connection

    check_idempotent(jobs.mail_after_commit, args=(1,), histories=["twice"])
    with pytest.raises(NotIdempotent):
        check_idempotent(jobs.count_visit, args=(1,))
    with pytest.raises(NotIdempotent):
        check_idempotent(jobs.count_in_cache, args=(1,))

    assert list(Order.objects.values_list("pk", "paid", "visits")) == [(1, False, 3)]
    assert (cache.get("hits"), mail.outbox) == (5, ["mine"])
    assert connection._connections[connection._alias] is wrapper
    assert connection.connection is raw
"""
IN_MEMORY = """
def test_the_report_says_what_was_copied(db):
    Order.objects.create(pk=1)
    cache.set("hits", 5)
    print(check_idempotent(jobs.pay, args=(1,)))
    check_idempotent(jobs.count_visit, args=(1,))

@pytest.mark.django_db(databases=["default", "other"])
def test_a_second_database_that_the_test_may_use():
    Order.objects.using("other").create(pk=1)

    check_idempotent(jobs.pay_elsewhere, args=(1,))
    with pytest.raises(NotIdempotent, match="other.Order"):
        check_idempotent(jobs.visit_elsewhere, args=(1,))

    assert Order.objects.using("other").get().visits == 0

def test_a_database_that_the_test_may_not_use_is_left_alone(db):
    check_idempotent(jobs.pay_elsewhere, args=(1,))

class SoItIsInDjangosCases(TestCase):
    def test_a_database_that_the_test_may_not_use_is_left_alone(self):
        check_idempotent(jobs.pay_elsewhere, args=(1,))

def test_a_value_in_the_cache():
    check_idempotent(jobs.set_in_cache, args=(7,))
    with pytest.raises(NotIdempotent, match="cache"):
        check_idempotent(jobs.count_in_cache, args=(7,))
    explored = check_idempotent(jobs.count_per_minute, args=(7,), histories=["twice", "late"])
    assert "Not compared: key :1:passing (expires)" in str(explored)

def test_a_value_in_the_cache_ends_so_long_after_the_begin_of_each_history(db):
    Order.objects.create(pk=1)
    cache.set("open", True, timeout=300)
    check_idempotent(jobs.only_while_it_is_cached, args=(1,))

def test_a_table_without_a_model(db):
    with connection.cursor() as cursor:
        cursor.execute("create table log (number)")
        # As in a project whose migrations have not made it yet.
        cursor.execute("alter table shop_line drop column changed_at")

    with pytest.raises(NotIdempotent, match="log"):
        check_idempotent(jobs.add_to_the_log, args=(1,))

def test_what_is_left_out_of_the_state(db):
    Order.objects.create(pk=1)
    for name in ("Line", "shop_line", "L*"):
        check_idempotent(jobs.add_line_then_mark, args=(1,), world=here(ignore=name))
    cache.set("hits", 5)
    with pytest.raises(ExplorationError, match="the state that the world yields is the same"):
        check_idempotent(jobs.add_line_then_mark, args=(1,), world=here(ignore={"Line", "Order"}))

shop = SimpleNamespace(charge=None)

def charge_and_pay(number):
    if not Order.objects.get(pk=number).paid:
        shop.charge(number)
        jobs.pay(number)

def world():
    with here() as state, fake(shop, "charge", lambda number: None) as charge:
        yield lambda: {**state(), "charges": charge.calls}

def test_inside_a_world(db):
    Order.objects.create(pk=1)
    check_idempotent(jobs.pay, args=(1,), world=world)
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE charge"):
        check_idempotent(charge_and_pay, args=(1,), world=world)
    assert not Order.objects.get().paid

def test_outside_of_a_check(db):
    Order.objects.create(pk=1)
    with here() as state:
        jobs.pay(1)
        assert [row["paid"] for row in state()["Order"]] == [True]
    assert not Order.objects.get().paid

@pytest.mark.asyncio
async def test_in_a_coroutine_test(order):
    check_idempotent(jobs.add_line_once, args=(order.pk,))
    with pytest.raises(NotIdempotent, match="Line"):
        check_idempotent(jobs.add_line_then_mark, args=(order.pk,))
"""
IN_A_FILE = """
def count_directly(number):
    database = sqlite3.connect("test.sqlite3")
    database.execute("update shop_order set visits = visits + 1")
    database.commit()

def test_a_connection_past_djangos_is_refused(db):
    Order.objects.create(pk=1)
    with pytest.raises(ExplorationError, match="opens the test's own database 'test.sqlite3'.*copy"):
        check_idempotent(count_directly, args=(1,))
"""


@pytest.fixture
def run(pytester):
    """Return what runs tests in a project; a process has one set of Django's settings."""

    def run(database, source, *options, journal="", models=MODELS, **outcomes):
        test_of_file = "" if database == ":memory:" else ', "TEST": {"NAME": "test.sqlite3"}'
        own = f"{database!r}{test_of_file}{journal}}}"
        pytester.makeconftest(CONFTEST.replace("DATABASE}", own))
        pytester.mkpydir("shop")
        pytester.makepyfile(**{"shop/models": models, "shop/jobs": JOBS, "test_orders": source})
        result = pytester.runpytest_subprocess(
            "-p", "django", "-p", "no:cacheprovider", "-p", "no:randomly", *options
        )
        result.assert_outcomes(**outcomes)
        return result

    return run


def test_with_a_database_in_memory(run):
    result = run(":memory:", COMMON + IN_MEMORY, passed=21, failed=3)

    result.stdout.fnmatch_lines_random(
        [
            "E *world: here (default: 3 tables, 4 rows; cache: 1 key)",
            "world: here (default: 3 tables, 4 rows; cache: 1 key)",
        ]
    )
    refused = "E *One clean run of the job ends with *queries to 'other' are not allowed*"
    result.stdout.fnmatch_lines([refused, refused])


TAGS = """
    from itertools import count

    class Words(tuple):
        # No process gets these back as they were.
        read, compared = count(), count()

        def __iter__(self):
            next(Words.compared)
            return super().__iter__()

    class WordsField(models.TextField):
        def from_db_value(self, value, expression, connection):
            next(Words.read)
            return Words(value.split())

        def get_prep_value(self, value):
            return "red blue"

    class Tag(models.Model):
        order = models.ForeignKey(Order, models.CASCADE)
        words = WordsField()
"""
MANY_TAGS = """
from pytest_jobs import check_idempotent
from shop import jobs
from shop.models import Order, Tag, Words

def test_it(db):
    Order.objects.create(pk=1)
    Tag.objects.bulk_create(Tag(order_id=1) for _ in range(20))
    check_idempotent(jobs.pay, args=(1,))

    assert (next(Words.read), next(Words.compared)) == (20, 0)
"""


def test_rows_that_nobody_changes_are_read_once_and_not_compared_though_they_refer_to_others(run):
    run(":memory:", MANY_TAGS, models=MODELS + TAGS, passed=1)


@pytest.mark.wide
def test_with_a_database_in_a_file(run):
    run("shop.sqlite3", COMMON + IN_A_FILE, passed=14)


@pytest.mark.skipif(django.VERSION < (5, 1), reason="there is no init_command")
def test_a_database_with_a_log_of_what_is_written_ahead(run):
    journal = ', "OPTIONS": {"init_command": "PRAGMA journal_mode=WAL"}'
    run("shop.sqlite3", COMMON, "-k", "safe", journal=journal, passed=10, deselected=3)


BY_SIGNAL = """
from django.db.backends.signals import connection_created

def write_ahead(connection, **_):
    connection.connection.execute("PRAGMA journal_mode=WAL")

connection_created.connect(write_ahead)
"""


@pytest.mark.wide
def test_a_log_of_what_is_written_ahead_that_a_signal_asks_for(run):
    run("shop.sqlite3", BY_SIGNAL + COMMON, "-k", "safe", passed=10, deselected=3)


def test_a_connection_past_djangos_is_refused(run):
    run("shop.sqlite3", COMMON + IN_A_FILE, "-k", "past_djangos", passed=1, deselected=13)
