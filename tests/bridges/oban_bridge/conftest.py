"""An instance whose database nobody can reach, and a harness that is open over it."""

from importlib import import_module

import pytest
from servers import postgresql_url  # noqa: F401 - a fixture

from pytest_jobs.harness.jobs import Jobs


@pytest.fixture(autouse=True)
def _own_declarations(monkeypatch):
    """Keep the workers, instances and schedules of a test from the other tests."""
    # `oban.worker` is the decorator, and not the module.
    registries = [
        vars(import_module("oban.worker"))["_registry"],
        vars(import_module("oban.oban"))["_instances"],
    ]
    before = [dict(each) for each in registries]
    monkeypatch.setattr(import_module("oban._scheduler"), "_scheduled_entries", [])
    for each in registries:
        each.clear()
    yield
    for each, kept in zip(registries, before, strict=True):
        each.clear()
        each.update(kept)


@pytest.fixture
def make_oban():
    """Return a function that makes instances which fail at once when they connect."""
    from oban import Oban
    from psycopg_pool import AsyncConnectionPool

    def make_oban(**options):
        pool = AsyncConnectionPool("postgresql://localhost:1/jobs", open=False)
        return Oban(pool=pool, **options)

    return make_oban


@pytest.fixture
def oban(make_oban):
    return make_oban()


@pytest.fixture
def open_over():
    """Return a function that opens a harness."""
    from pytest_jobs.bridges.oban.bridge import ObanBridge

    def open_over(**options):
        return Jobs([ObanBridge()], **options)

    return open_over


@pytest.fixture
def jobs(oban, open_over):
    with open_over() as jobs:
        yield jobs
