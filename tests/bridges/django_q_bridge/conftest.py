"""A harness with Django-Q2, whose redis does not exist."""

import pytest
from django_project import configure

from pytest_jobs.harness.jobs import Jobs

pytest.importorskip("django_q")
configure()


@pytest.fixture
def bridge():
    from pytest_jobs.bridges.django_q.bridge import DjangoQBridge

    return DjangoQBridge()


@pytest.fixture
def jobs(bridge):
    with Jobs([bridge]) as jobs:
        yield jobs


@pytest.fixture
def tables():
    """Make the tables of Django-Q2, and empty them."""
    from django.core.management import call_command

    call_command("migrate", "django_q", verbosity=0)
    yield
    call_command("flush", verbosity=0, interactive=False)
