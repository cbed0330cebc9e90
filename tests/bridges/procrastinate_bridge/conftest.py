"""An app whose database nobody can reach, and a harness that is open over it."""

import pytest
from servers import postgresql_url  # noqa: F401 - a fixture

from pytest_jobs.harness.jobs import Jobs


@pytest.fixture
def make_app():
    """Return a function that makes apps which fail at once when they connect."""
    procrastinate = pytest.importorskip("procrastinate")

    def make_app(kind=procrastinate.PsycopgConnector, **options):
        return procrastinate.App(connector=kind(conninfo="host=127.0.0.1 port=1", **options))

    return make_app


@pytest.fixture
def app(make_app):
    return make_app()


@pytest.fixture
def open_over():
    """Return a function that opens a harness over apps."""
    from pytest_jobs.bridges.procrastinate.bridge import ProcrastinateBridge

    def open_over(*apps, **options):
        return Jobs([ProcrastinateBridge(apps)], **options)

    return open_over


@pytest.fixture
def jobs(app, open_over):
    with open_over(app) as jobs:
        yield jobs
