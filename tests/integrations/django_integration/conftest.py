"""Django's databases, a test case's transaction around a test, and harnesses that watch them."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext

import pytest

pytest.importorskip("django")

from django_project import configure

from pytest_jobs.bridges.core.bridge import ReferenceBridge
from pytest_jobs.harness.jobs import Jobs


@pytest.fixture(autouse=True)
def databases(request):
    blocker = None
    if request.config.pluginmanager.hasplugin("django"):
        # None where no settings were known when pytest started: then nothing is blocked.
        blocker = request.getfixturevalue("django_db_blocker")
    configure()
    with nullcontext() if blocker is None else blocker.unblock():
        yield


@contextmanager
def _test_case():
    from django.test import TestCase

    class Case(TestCase):
        databases = frozenset(("default", "other"))

    Case.setUpClass()
    case = Case("__init__")
    case._pre_setup()
    try:
        yield
    finally:
        case._post_teardown()
        Case.tearDownClass()
        Case.doClassCleanups()


@pytest.fixture
def test_case(databases):
    """Hold the transaction that Django's TestCase holds around a test."""
    with _test_case():
        yield


@pytest.fixture
def begin_test_case(databases):
    """Return what holds that transaction for a block, after which it is rolled back."""
    return _test_case


@pytest.fixture
def transactional(databases):
    """Hold no transaction, as TransactionTestCase does; close the connections afterwards."""
    yield
    from django.db import connections

    connections.close_all()


@pytest.fixture
def open_harness():
    """Return what makes a harness that watches Django's transactions."""
    from pytest_jobs.integrations.django.transactions import DjangoTransactions

    def make(**options):
        return Jobs([ReferenceBridge()], transactions=[DjangoTransactions()], **options)

    return make


@pytest.fixture
def jobs(test_case, open_harness):
    """Override the plugin's fixture: a harness inside the transaction of a test case."""
    with open_harness() as jobs:
        yield jobs


@pytest.fixture
def inline_jobs(test_case, open_harness):
    with open_harness(mode="inline") as jobs:
        yield jobs
