"""The fixtures of pytest-django work, and its tests can commit. Each runs in a process of its own."""

from __future__ import annotations

import pytest

pytest.importorskip("django")
pytest.importorskip("pytest_django", reason="these tests run pytest-django in a subprocess")

CONFTEST = """
    from django.conf import settings

    def pytest_configure(config):
        settings.configure(
            DATABASES={
                name: {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
                for name in ("default", "other")
            },
            INSTALLED_APPS=["shop"],
            DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
            SECRET_KEY="tests",
            USE_TZ=True,
        )
"""
MODELS = """
    from django.db import models

    class Order(models.Model):
        paid = models.BooleanField(default=False)
"""
SERVICES = """
    from functools import partial
    from django.db import transaction
    from pytest_jobs import job

    done = []

    @job
    def send(number):
        done.append(number)

    @job
    def pay(number):
        from shop.models import Order

        Order.objects.filter(pk=number).update(paid=True)
        transaction.on_commit(partial(send.perform_later, number))

    def later(number, using=None):
        transaction.on_commit(partial(send.perform_later, number), using=using)

    def numbers(records):
        return [record.args[0] for record in records]
"""


@pytest.fixture
def run(pytester):
    """Return what runs a test file in a project with pytest-django."""
    pytester.makeconftest(CONFTEST)
    pytester.mkpydir("shop")
    pytester.makepyfile(**{"shop/models": MODELS, "shop/services": SERVICES})

    def run(source, *options, **outcomes):
        pytester.makepyfile(
            test_orders=f"""
import pytest
from django.db import transaction
from django.test import TestCase, TransactionTestCase
from pytest_jobs import current_jobs
from shop.services import done, later, numbers, pay, send
{source}
"""
        )
        result = pytester.runpytest_subprocess("-p", "django", "-p", "no:cacheprovider", *options)
        result.assert_outcomes(**outcomes)
        return result

    return run


def test_fixtures_of_the_database(run):
    result = run(
        """
@pytest.mark.parametrize("time", [1, 2])
def test_in_a_test_case(db, jobs, time):
    later(time)
    assert jobs.enqueued == []
    assert numbers(jobs.commit()) == [time]


def test_asked_for_in_the_other_order(jobs, db):
    later(1)
    assert numbers(jobs.commit()) == [1]


def test_a_job_commits_by_itself(db, jobs):
    from shop.models import Order

    order = Order.objects.create()
    pay.perform_later(order.pk)
    jobs.drain()
    order.refresh_from_db()
    assert order.paid
    assert done == [order.pk]


def test_the_row_of_before_is_gone(db):
    from shop.models import Order

    assert not Order.objects.exists()


@pytest.mark.django_db(databases=["default", "other"])
def test_the_databases_of_a_marker(jobs):
    later(1, "other")
    later(2)
    assert numbers(jobs.commit()) == [1, 2]


def commits(jobs):
    with transaction.atomic():
        later(1)
        assert jobs.enqueued == []
    assert numbers(jobs.enqueued) == [1]
    assert jobs.commit() == ()


def test_where_django_commits_by_itself(transactional_db, jobs):
    commits(jobs)


def test_where_it_resets_sequences_too(django_db_reset_sequences, jobs):
    commits(jobs)


def test_captured_callbacks(db, jobs, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        later(1)
    assert len(callbacks) == 1
    assert numbers(jobs.enqueued) == [1]
    assert jobs.commit() == ()


@pytest.fixture
def order(db):
    later(1)


def test_a_fixture_that_registers_before_the_harness(order, jobs):
    assert numbers(jobs.commit()) == [1]


def test_what_waits_shows_in_a_failure(db, jobs, assert_enqueued):
    later(7)
    assert_enqueued(send)
""",
        passed=10,
        failed=1,
    )

    result.stdout.fnmatch_lines(
        "*No send was enqueued: 1 callback waits for commit: send.perform_later(7), registered at "
        "shop/services.py:19. jobs.commit() runs it."
    )


CASES = """
from asgiref.sync import sync_to_async


class OrderCase(TestCase):
    @classmethod
    def setUpTestData(cls):
        later(0)

    def setUp(self):
        later(1)

    def test_one(self):
        later(2)
        assert numbers(current_jobs().commit()) == [1, 2]

    def test_two(self):
        later(2)
        assert numbers(current_jobs().commit()) == [1, 2]

    def test_captured(self):
        with self.captureOnCommitCallbacks(execute=True):
            later(2)
        assert numbers(current_jobs().enqueued) == [2]
        assert numbers(current_jobs().commit()) == [1]


class AsyncCase(TestCase):
    async def test_it(self):
        await sync_to_async(later)(1)
        assert numbers(await current_jobs().acommit()) == [1]


class RealCase(TransactionTestCase):
    def test_it(self):
        later(1)
        assert numbers(current_jobs().enqueued) == [1]
        assert current_jobs().commit() == ()
"""


def test_test_cases_of_django(run):
    run(CASES, "-o", "jobs_mode=record", passed=5)


def test_test_cases_of_django_inline(run):
    run(
        """
class OrderCase(TestCase):
    def test_one(self):
        with transaction.atomic():
            later(1)
            send.perform_later(0)
            assert done == []
        assert done == [0, 1]


def test_function(db):
    later(2)
    assert done[-1] == 2
""",
        "--jobs-inline",
        passed=2,
    )
