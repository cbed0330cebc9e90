"""Jobs that use Django's ORM, in suites that kill them: test cases of Django, and fixtures of pytest-django."""

from __future__ import annotations

import sys
from textwrap import dedent

import pytest

pytest.importorskip("pytest_django")
pytest.importorskip("celery")
pytestmark = pytest.mark.skipif(sys.version_info < (3, 12), reason="--jobs-crash needs Python 3.12")

SETTINGS = """
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
    INSTALLED_APPS = ["shop"]
    SECRET_KEY = "x"
    USE_TZ = True
    DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
"""
MODELS = """
    from django.db import models

    class Order(models.Model):
        status = models.CharField(max_length=9, default="open")
        charges = models.IntegerField(default=0)
        tags = models.ManyToManyField("Tag")

    class Tag(models.Model):
        name = models.CharField(max_length=9, unique=True)

    class Line(models.Model):
        order = models.ForeignKey(Order, on_delete=models.CASCADE)
"""
TASKS = """
    from celery import Celery
    from django.db import transaction
    from shop.models import Line, Order, Tag

    app = Celery("shop", broker="redis://redis.invalid/0")
    told = []

    @app.task
    def pay(pk):
        Order.objects.filter(pk=pk).update(status="paid")

    @app.task
    def charge(pk):
        order = Order.objects.get(pk=pk)
        order.charges += 1
        order.save()

    @app.task
    def purge():
        Order.objects.all().delete()

    @app.task
    def tag(pk):
        Order.objects.get(pk=pk).tags.add(*Tag.objects.all())

    @app.task
    def stock():
        Tag.objects.bulk_create([Tag(name="b"), Tag(name="c")], ignore_conflicts=True)

    @app.task
    def charge_in_one_transaction(pk):
        if Order.objects.get(pk=pk).status == "paid":
            return
        with transaction.atomic(savepoint=False):
            Order.objects.filter(pk=pk).update(status="paid")
            Line.objects.create(order_id=pk)

    @app.task
    def charge_in_nested_blocks(pk):
        with transaction.atomic():
            with transaction.atomic(savepoint=False):
                charge(pk)
            Order.objects.filter(pk=pk).update(status="paid", charges=1)

    @app.task
    def tell_after_the_commit(pk):
        with transaction.atomic(savepoint=False):
            transaction.on_commit(lambda: told.append(pk))
            Order.objects.filter(pk=pk).update(status="paid")
"""


@pytest.fixture(autouse=True)
def project(pytester, monkeypatch):
    # Runs inside go without pytest-django elsewhere.
    options = "-p no:randomly -o asyncio_default_fixture_loop_scope=function"
    monkeypatch.setenv("PYTEST_ADDOPTS", options)
    package = pytester.mkpydir("shop")
    for name, text in {"settings": SETTINGS, "models": MODELS, "tasks": TASKS}.items():
        (package / f"{name}.py").write_text(dedent(text), "utf-8")
    pytester.makeini(
        """
        [pytest]
        DJANGO_SETTINGS_MODULE = shop.settings
        pythonpath = .
        jobs_apps = celery:shop.tasks:app
        """
    )


def run(pytester, text):
    pytester.makepyfile(test_it=text)
    return pytester.runpytest_subprocess("--jobs-crash")


def test_jobs_of_a_test_case_of_django_are_killed(pytester):
    result = run(
        pytester,
        """
        from django.test import TestCase
        from pytest_jobs import current_jobs
        from shop.models import Order
        from shop.tasks import charge, pay

        class TestOrders(TestCase):
            @classmethod
            def setUpTestData(cls):
                cls.order = Order.objects.create()

            def test_paying(self):
                pay.delay(self.order.pk)
                current_jobs().drain()
                self.order.refresh_from_db()
                assert self.order.status == "paid"

            def test_charging(self):
                charge.delay(self.order.pk)
                current_jobs().drain()
                self.order.refresh_from_db()
                assert self.order.charges == 1

        class TestMore(TestCase):
            databases = {"default"}

            def test_paying_an_order_of_its_own(self):
                order = Order.objects.create()
                pay.delay(order.pk)
                current_jobs().drain()
                assert Order.objects.filter(status="paid").count() == 1
        """,
    )

    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "- killed after django: UPDATE shop_order SET *",
            "shop.tasks.charge broke 1 test:",
            "2 jobs killed at * points, in 3 tests of 3.",
        ]
    )
    result.stdout.no_fnmatch_line("*points that no second run came to*")


def test_jobs_of_a_transaction_test_case_are_killed(pytester):
    result = run(
        pytester,
        """
        import pytest
        from django.test import TransactionTestCase
        from pytest_jobs import current_jobs
        from shop.models import Line, Order
        from shop.tasks import charge, charge_in_one_transaction

        class TestOrders(TransactionTestCase):
            def setUp(self):
                self.order = Order.objects.create()

            def test_charging(self):
                charge.delay(self.order.pk)
                current_jobs().drain()
                self.order.refresh_from_db()
                assert self.order.charges == 1

            def test_charging_in_one_transaction(self):
                charge_in_one_transaction.delay(self.order.pk)
                current_jobs().drain()
                assert Line.objects.count() == 1

        @pytest.mark.django_db(transaction=True)
        def test_a_fixture_that_commits(jobs):
            order = Order.objects.create()
            charge_in_one_transaction.delay(order.pk)
            jobs.drain()
            assert Line.objects.count() == 1
        """,
    )

    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["shop.tasks.charge broke 1 test:"])
    result.stdout.no_fnmatch_line("*points that no second run came to*")


def test_a_killed_block_without_a_savepoint_is_rolled_back_and_the_test_goes_on(pytester):
    result = run(
        pytester,
        """
        import pytest
        from django.test import TestCase
        from pytest_jobs import current_jobs
        from shop import tasks
        from shop.models import Line, Order, Tag

        pytestmark = pytest.mark.django_db

        def test_a_deletion_that_cascades(jobs):
            Line.objects.create(order=Order.objects.create())
            tasks.purge.delay()
            jobs.drain()
            assert (Order.objects.count(), Line.objects.count()) == (0, 0)

        def test_many_to_many(jobs):
            order = Order.objects.create()
            Tag.objects.create(name="a")
            tasks.tag.delay(order.pk)
            jobs.drain()
            assert order.tags.count() == 1

        def test_rows_in_bulk(jobs):
            tasks.stock.delay()
            jobs.drain()
            assert Tag.objects.count() == 2

        def test_a_block_of_the_job(jobs):
            order = Order.objects.create()
            tasks.charge_in_one_transaction.delay(order.pk)
            jobs.drain()
            assert Line.objects.count() == 1

        def test_nested_blocks(jobs):
            order = Order.objects.create()
            tasks.charge_in_nested_blocks.delay(order.pk)
            jobs.drain()
            order.refresh_from_db()
            assert (order.status, order.charges) == ("paid", 1)

        class TestCases(TestCase):
            def test_a_commit_that_a_killed_job_waits_for(self):
                tasks.told.clear()
                order = Order.objects.create()
                tasks.tell_after_the_commit.delay(order.pk)
                current_jobs().drain()
                order.refresh_from_db()
                assert set(tasks.told) == {order.pk}
                assert order.status == "paid"
        """,
    )

    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines(["6 jobs killed at * points, in 6 tests of 6."])
    result.stdout.no_fnmatch_line("*points that no second run came to*")
