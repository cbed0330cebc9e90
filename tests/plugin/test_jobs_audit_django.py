"""`--jobs-audit` of a suite of Django, whose tests roll back what they have written."""

from __future__ import annotations

import pytest

pytest.importorskip("django")
pytest.importorskip("celery")

SHOP = """
    import django
    from celery import Celery
    from django.conf import settings

    settings.configure(
        SECRET_KEY="x",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    )
    django.setup()

    from django.db import models

    class Order(models.Model):
        visits = models.IntegerField(default=0)

        class Meta:
            app_label = "shop"

    app = Celery("shop", broker="memory://")

    def visit(pk):
        Order.objects.filter(pk=pk).update(visits=models.F("visits") + 1)

    def task(name):
        @app.task(name=name)
        def task(pk):
            visit(pk)

        return task
    """
CONFTEST = """
    import pytest
    from shop import Order

    @pytest.fixture(scope="session", autouse=True)
    def tables():
        from django.db import connection

        with connection.schema_editor() as editor:
            editor.create_model(Order)
    """
SUITE = """
    from functools import partial
    from unittest import mock

    import pytest
    import shop
    from django.db import transaction
    from django.test import TestCase, TransactionTestCase

    # An order of its own, so that no key of a test before is one of this.
    def order():
        return shop.Order.objects.create()

    in_a_block = shop.task("in_a_block")

    class InABlock(TestCase):
        def test(self):
            with mock.patch.object(in_a_block, "delay") as delay:
                in_a_block.delay(order().pk)
            delay.assert_called_once()

    by_decorator = shop.task("by_decorator")

    class ByDecorator(TestCase):
        @mock.patch.object(by_decorator, "delay")
        def test(self, delay):
            by_decorator.delay(order().pk)

    until_tear_down = shop.task("until_tear_down")

    class UntilTearDown(TestCase):
        def setUp(self):
            self.patch = mock.patch.object(until_tear_down, "apply_async")
            self.patch.start()

        def tearDown(self):
            self.patch.stop()

        def test(self):
            until_tear_down.apply_async((order().pk,))

    on_a_loop = shop.task("on_a_loop")

    class OnALoop(TestCase):
        async def test(self):
            made = await shop.Order.objects.acreate()
            with mock.patch.object(on_a_loop, "delay"):
                on_a_loop.delay(made.pk)

    until_the_flush = shop.task("until_the_flush")

    class UntilTheFlush(TransactionTestCase):
        def test(self):
            with mock.patch.object(until_the_flush, "delay"):
                until_the_flush.delay(order().pk)

        def _fixture_teardown(self):
            shop.Order.objects.all().delete()

    by_fixture = shop.task("by_fixture")

    @pytest.fixture
    def no_queue():
        with mock.patch.object(by_fixture, "delay"):
            yield

    @pytest.mark.usefixtures("no_queue")
    class ByFixture(TestCase):
        def test(self):
            by_fixture.delay(order().pk)

    of_the_class = shop.task("of_the_class")

    class OfTheClass(TestCase):
        @classmethod
        def setUpClass(cls):
            super().setUpClass()
            cls.enterClassContext(mock.patch.object(of_the_class, "delay"))

        def test(self):
            of_the_class.delay(order().pk)

        def test_without(self):
            assert not shop.Order.objects.exists()

    pending = shop.task("pending")

    class Pending(TestCase):
        @pytest.fixture(autouse=True)
        def keep(self, jobs):
            pass

        def test(self):
            pending.delay(order().pk)

    by_partial, by_lambda, by_function = map(shop.task, ("by_partial", "by_lambda", "by_function"))
    with_more = shop.task("with_more")

    class OnCommit(TestCase):
        more = []

        def test(self):
            made = order()
            transaction.on_commit(partial(by_partial.delay, made.pk))
            transaction.on_commit(lambda: by_lambda.apply_async((int(made.pk),), countdown=3))

            def enqueue():
                by_function.delay(made.pk)

            transaction.on_commit(enqueue)
            transaction.on_commit(lambda: self.more.append(with_more.delay(made.pk)))

        def tearDown(self):
            assert not self.more

    failing = shop.task("failing")

    class Failing(TestCase):
        def test(self):
            with mock.patch.object(failing, "delay"):
                failing.delay(order().pk)
            self.fail()
    """


@pytest.fixture
def audit(pytester):
    pytester.makepyfile(shop=SHOP, test_shop=SUITE)
    pytester.makeconftest(CONFTEST)

    def run(tests):
        # The suite makes its tables itself.
        return pytester.runpytest_subprocess("--jobs-audit", "-v", "-k", tests, "-p", "no:django")

    return run


def test_a_job_is_checked_before_the_test_rolls_its_rows_back(audit):
    result = audit("not Failing")

    result.assert_outcomes(passed=10, deselected=1)
    result.stdout.fnmatch_lines(
        [
            "11 jobs reached, 11 checked, 1 finding.",
            "- DIVERGED shop_order in by_decorator(*)",
            "  delivered again after it was done, which repeats django: UPDATE shop_order SET visits *",
        ]
    )
    others = result.stdout.str().partition("  so are ")[2].partition("  replay")[0]
    assert sorted(others.replace(",", "").split()) == sorted(
        [
            "in_a_block",
            "until_tear_down",
            "on_a_loop",
            "until_the_flush",
            "by_fixture",
            "of_the_class",
            "pending",
            "by_partial",
            "by_lambda",
            "by_function",
        ]
    )
    result.stdout.fnmatch_lines(
        ["  reached by 1 test (only enqueued, and a mock or an open transaction kept it from *)"]
    )
    result.stdout.no_fnmatch_line("*reached by 2 tests*")


def test_what_a_method_left_that_fails_is_not_looked_at(audit):
    result = audit("Failing")

    result.assert_outcomes(failed=1, deselected=10)
    result.stdout.fnmatch_lines(["No test reaches a job, so this run shows nothing."])


CAPTURED = """
    from unittest import mock

    import shop
    from django.db import transaction
    from django.test import TestCase

    count = shop.task("count")

    @shop.app.task(name="publish", acks_late=True)
    def publish(pk):
        with transaction.atomic():
            if shop.Order.objects.filter(pk=pk, visits=0).update(visits=1):
                transaction.on_commit(lambda: count.delay(pk))

    class Captured(TestCase):
        def test(self):
            made = shop.Order.objects.create()
            with mock.patch.object(count, "delay") as delay:
                with self.captureOnCommitCallbacks(execute=True):
                    publish(made.pk)
            delay.assert_called_once()
    """


def test_what_a_test_captures_until_the_commit_runs_after_it_in_a_check(pytester, audit):
    pytester.makepyfile(test_shop=CAPTURED)
    result = audit("Captured")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["- DIVERGED shop_order in publish(*)", "  killed after django: COMMIT (test_shop.py:11)"]
    )


def test_a_suite_without_settings_that_imports_django_is_audited(pytester):
    pytester.makepyfile(
        """
        import django.db
        from pytest_jobs import job

        @job
        def add(number): ...

        def test_adding(jobs):
            add.perform_later(1)
            jobs.drain()
        """
    )
    result = pytester.runpytest_subprocess("--jobs-audit", "-p", "no:django")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["1 job reached, *"])
