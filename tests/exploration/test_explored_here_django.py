"""`check_idempotent` without a world, in tests that Django's and pytest-django's fixtures have prepared."""

from __future__ import annotations

import sys

import pytest

pytest.importorskip("django", reason="Django is not installed")
pytest.importorskip("pytest_django", reason="these tests run pytest-django in a subprocess")

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


@pytest.fixture(params=[":memory:", "shop.sqlite3"], ids=["memory", "file"])
def project(pytester, request):
    """A project with a database, in memory or in a file; return what runs a test file in it."""
    return make_project(pytester, request.param)


@pytest.fixture
def in_memory(pytester):
    return make_project(pytester, ":memory:")


def make_project(pytester, database):
    test_of_file = "" if database == ":memory:" else ', "TEST": {"NAME": "test.sqlite3"}'
    pytester.makeconftest(CONFTEST.replace("DATABASE}", f"{database!r}{test_of_file}}}"))
    pytester.mkpydir("shop")
    pytester.makepyfile(**{"shop/models": MODELS, "shop/jobs": JOBS})

    def run(source, *options, **outcomes):
        pytester.makepyfile(
            test_orders=f"""
import pytest
from django.core import mail
from django.core.cache import cache
from django.db import connection
from django.test import SimpleTestCase, TestCase, TransactionTestCase
from pytest_jobs import check_idempotent, here
from pytest_jobs.errors import DuplicateEffect, ExplorationError, LostEffect, NotIdempotent
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


def test_one_line_in_an_existing_test(project):
    project(
        """
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
""",
        passed=7,
    )


@pytest.mark.skipif(sys.version_info < (3, 12), reason="--jobs-crash needs Python 3.12")
def test_in_a_suite_whose_jobs_are_attacked(in_memory):
    in_memory(
        """
from pytest_jobs import job

class Case(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.order = Order.objects.create(pk=1)

    def test_both(self):
        job(jobs.pay)(1)
        assert Order.objects.get().paid
        Order.objects.update(paid=False)
        with self.assertRaisesRegex(NotIdempotent, "Line"):
            check_idempotent(jobs.add_line_then_mark, args=(1,), histories=["crash"])
        assert Line.objects.count() == 0
""",
        "--jobs-crash",
        "--jobs-attack-calls",
        "--jobs-crash-points=1",
        passed=1,
    )


def test_in_the_test_cases_of_django(project):
    project(
        """
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
""",
        passed=4,
    )


def test_what_the_test_has_stays_as_it_is(project):
    project(
        """
@pytest.mark.parametrize("mark", [
    pytest.param(0, marks=pytest.mark.django_db),
    pytest.param(1, marks=pytest.mark.django_db(transaction=True)),
])
def test_it(mark):
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
    cache.clear()
""",
        passed=2,
    )


def test_the_report_says_what_was_copied(in_memory):
    result = in_memory(
        """
def test_it(db):
    Order.objects.create(pk=1)
    cache.set("hits", 5)
    print(check_idempotent(jobs.pay, args=(1,)))
    check_idempotent(jobs.count_visit, args=(1,))
""",
        failed=1,
    )

    result.stdout.fnmatch_lines("E *world: here (default: 3 tables, 4 rows; cache: 1 key)")
    result.stdout.fnmatch_lines("world: here (default: 3 tables, 4 rows; cache: 1 key)")


def test_a_second_database_that_the_test_may_use(in_memory):
    in_memory(
        """
@pytest.mark.django_db(databases=["default", "other"])
def test_it():
    Order.objects.using("other").create(pk=1)

    check_idempotent(jobs.pay_elsewhere, args=(1,))
    with pytest.raises(NotIdempotent, match="other.Order"):
        check_idempotent(jobs.visit_elsewhere, args=(1,))

    assert Order.objects.using("other").get().visits == 0
""",
        passed=1,
    )


def test_a_database_that_the_test_may_not_use_is_left_alone(in_memory):
    result = in_memory(
        """
def test_it(db):
    check_idempotent(jobs.pay_elsewhere, args=(1,))

class Case(TestCase):
    def test_it(self):
        check_idempotent(jobs.pay_elsewhere, args=(1,))
""",
        failed=2,
    )

    result.stdout.fnmatch_lines(
        "E *One clean run of the job ends with *queries to 'other' are not allowed*"
    )


def test_the_caches_are_part_of_it(in_memory):
    in_memory(
        """
@pytest.fixture(autouse=True)
def empty():
    yield
    cache.clear()

def test_a_value():
    check_idempotent(jobs.set_in_cache, args=(7,))
    with pytest.raises(NotIdempotent, match="cache"):
        check_idempotent(jobs.count_in_cache, args=(7,))
    explored = check_idempotent(jobs.count_per_minute, args=(7,), histories=["twice", "late"])
    assert "Not compared: key :1:passing (expires)" in str(explored)

def test_a_value_ends_so_long_after_the_begin_of_each_history(db):
    Order.objects.create(pk=1)
    cache.set("open", True, timeout=300)
    check_idempotent(jobs.only_while_it_is_cached, args=(1,))
""",
        passed=2,
    )


def test_a_table_without_a_model(in_memory):
    in_memory(
        """
def test_it(db):
    with connection.cursor() as cursor:
        cursor.execute("create table log (number)")

    with pytest.raises(NotIdempotent, match="log"):
        check_idempotent(jobs.add_to_the_log, args=(1,))
""",
        passed=1,
    )


def test_what_is_left_out_of_the_state(in_memory):
    in_memory(
        """
def test_it(db):
    Order.objects.create(pk=1)
    for name in ("Line", "shop_line", "L*"):
        check_idempotent(jobs.add_line_then_mark, args=(1,), world=here(ignore=name))
    cache.set("hits", 5)
    with pytest.raises(ExplorationError, match="the state that the world yields is the same"):
        check_idempotent(jobs.add_line_then_mark, args=(1,), world=here(ignore={"Line", "Order"}))
""",
        passed=1,
    )


def test_inside_a_world(in_memory):
    in_memory(
        """
from types import SimpleNamespace
from pytest_jobs import fake

shop = SimpleNamespace(charge=None)

def charge_and_pay(number):
    if not Order.objects.get(pk=number).paid:
        shop.charge(number)
        jobs.pay(number)

def world():
    with here() as state, fake(shop, "charge", lambda number: None) as charge:
        yield lambda: {**state(), "charges": charge.calls}

def test_it(db):
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
""",
        passed=2,
    )


def test_in_a_coroutine_test(in_memory):
    pytest.importorskip("pytest_asyncio")
    in_memory(
        """
@pytest.fixture
def order(db):
    return Order.objects.create(pk=1)

@pytest.mark.asyncio
async def test_it(order):
    check_idempotent(jobs.add_line_once, args=(1,))
    with pytest.raises(NotIdempotent, match="Line"):
        check_idempotent(jobs.add_line_then_mark, args=(1,))
""",
        passed=1,
    )


def test_a_connection_past_djangos_is_refused(pytester):
    make_project(pytester, "shop.sqlite3")(
        """
import sqlite3

def count_directly(number):
    database = sqlite3.connect("test.sqlite3")
    database.execute("update shop_order set visits = visits + 1")
    database.commit()

def test_it(db):
    Order.objects.create(pk=1)
    with pytest.raises(ExplorationError, match="opens the test's own database 'test.sqlite3'.*copy"):
        check_idempotent(count_directly, args=(1,))
""",
        passed=1,
    )
