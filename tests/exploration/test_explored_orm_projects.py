"""`django_world` in a project, with pytest-django and Django's test cases. A process runs several."""

from __future__ import annotations

import pytest

pytest.importorskip("django", reason="Django is not installed")
pytest.importorskip("pytest_django", reason="these tests run pytest-django in a subprocess")

CONFTEST = """
    from django.conf import settings

    def pytest_configure(config):
        settings.configure(
            DATABASES={
                name: {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
                for name in ("default", "other")
            },
            INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.sites", "shop", "store"],
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
"""
MIGRATION = """
    from django.db import migrations, models

    def add_first(apps, schema_editor):
        orders = apps.get_model("shop", "Order").objects.using(schema_editor.connection.alias)
        orders.create(pk=7)

    class Migration(migrations.Migration):
        initial = True
        operations = [
            migrations.CreateModel("Order", [
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("paid", models.BooleanField(default=False)),
                ("visits", models.IntegerField(default=0)),
            ]),
            migrations.RunPython(add_first),
        ]
"""
SERVICES = """
    from shop.models import Order

    def pay(number):
        Order.objects.filter(pk=number).update(paid=True)

    def count_visit(number):
        order = Order.objects.get(pk=number)
        order.visits += 1
        order.save()
"""


@pytest.fixture
def run(pytester):
    """Return what runs a test file in a project with pytest-django."""
    pytester.makeconftest(CONFTEST)
    pytester.mkpydir("shop")
    pytester.mkpydir("shop/migrations")
    pytester.mkpydir("store")
    pytester.makepyfile(
        **{
            "shop/models": MODELS,
            "shop/services": SERVICES,
            "shop/migrations/0001_initial": MIGRATION,
            "store/models": MODELS,
        }
    )

    def run(source, *options, **outcomes):
        pytester.makepyfile(
            test_orders=f"""
import pytest
from django.test import SimpleTestCase, TestCase, TransactionTestCase
from pytest_jobs import check_idempotent, django_world
from pytest_jobs.errors import DuplicateEffect, ExplorationError, NotIdempotent
from shop.models import Order
from shop.services import count_visit, pay
from store import models as store

def world():
    with django_world([Order], rows=[Order(pk=1)]) as database:
        yield database.snapshot

{source}
"""
        )
        result = pytester.runpytest_subprocess(
            "-p", "django", "-p", "no:cacheprovider", "-p", "no:randomly", *options
        )
        result.assert_outcomes(**outcomes)
        return result

    return run


CHECKS = """
def test_models_of_all_applications(db):
    with django_world(rows=[Order(), store.Order()]) as database:
        state = database.snapshot()

    assert list(state) == ["ContentType", "Site", "shop.Order", "store.Order"]
    assert [row["id"] for row in state["shop.Order"]] == [1]
    assert [row["id"] for row in state["store.Order"]] == [1]


def test_their_migrations(db):
    with django_world([Order], migrate=True) as database:
        assert [row["id"] for row in database.rows(Order)] == [7]


def test_what_django_remembers_of_rows_is_forgotten(db):
    from django.contrib.contenttypes.models import ContentType

    for _ in range(2):
        with django_world([ContentType]) as database:
            found = ContentType.objects.get_for_model(Order)
            assert [row["id"] for row in database.rows(ContentType)] == [found.pk]

def bare():
    yield lambda: {}

def test_a_job_that_uses_the_database_of_the_test_is_refused(db):
    check_idempotent(pay, args=(1,), world=bare)

def other():
    with django_world([Order], using="other") as database:
        yield database.snapshot

@pytest.mark.django_db(databases=["default", "other"])
def test_another_database_that_is_named():
    with django_world([Order], using="other", rows=[Order()]) as database:
        assert len(database.rows(Order)) == 1

def test_another_database_has_to_be_named(db):
    check_idempotent(pay, args=(1,), world=other)

def test_a_test_that_may_not_is_told_which_fixture_it_needs():
    check_idempotent(pay, args=(1,), world=world)

class MayNot(SimpleTestCase):
    def test_it(self):
        check_idempotent(pay, args=(1,), world=world)

@pytest.mark.parametrize("fixture", ["db", "transactional_db"])
def test_a_test_that_may_use_the_database(request, fixture):
    request.getfixturevalue(fixture)
    Order.objects.create(pk=5, paid=True)
    before = list(Order.objects.values_list("pk", flat=True))

    check_idempotent(pay, args=(1,), world=world, histories="all")
    with pytest.raises(NotIdempotent, match=r"Order .*twice"):
        check_idempotent(count_visit, args=(1,), world=world)

    assert list(Order.objects.values_list("pk", flat=True)) == before
    assert 5 in before

class MayUse(TestCase):
    def test_it(self):
        check_idempotent(pay, args=(1,), world=world)

class MayUseInTransactions(TransactionTestCase):
    def test_it(self):
        check_idempotent(pay, args=(1,), world=world)
"""


def test_each_test_has_the_databases_that_it_may_use(run):
    result = run(CHECKS, passed=8, failed=4)

    may_not = (
        "E * The test may not use the database 'default' (*). With pytest-django mark it "
        "`@pytest.mark.django_db` or let it ask for the fixture `db`; *"
    )
    result.stdout.fnmatch_lines([may_not, may_not])
    result.stdout.fnmatch_lines("*`@pytest.mark.django_db(databases=[[]'other'[]])`*")
    result.stdout.fnmatch_lines("*uses the database 'default', which is in memory*django_world(*")


@pytest.mark.wide
def test_under_xdist(run):
    pytest.importorskip("xdist")
    run(
        """
@pytest.mark.parametrize("time", range(4))
def test_it(db, time):
    check_idempotent(pay, args=(1,), world=world)
""",
        "-n",
        "2",
        passed=4,
    )
