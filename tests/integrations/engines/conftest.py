"""Engines with a worker, one for all tests of a module."""

from contextlib import closing
from importlib.util import find_spec

import pytest
from engines import Celery, Rq
from servers import redis_url  # noqa: F401 - a fixture

from pytest_jobs import RedisStore, configure

# The tests of one engine's own are left out where it is not installed.
collect_ignore = [
    f"test_{name}_adapter.py"
    for name, library in {
        "rq": "rq",
        "rq_worker": "rq",
        "celery": "celery",
        "celery_worker": "celery",
    }.items()
    if find_spec(library) is None
]

ENGINES = {"rq": (Rq, 11), "celery": (Celery, 12)}


@pytest.fixture(scope="module", params=ENGINES)
def engine(request, redis_url):  # noqa: F811
    """An engine that no worker works for."""
    kind, database = ENGINES[request.param]
    pytest.importorskip(request.param)
    with closing(kind(f"{redis_url}/{database}")) as engine:
        yield engine


@pytest.fixture(scope="module")
def worker(engine, tmp_path_factory):
    """A worker of the engine."""
    engine.directory = directory = tmp_path_factory.mktemp(engine.name)
    with engine.worker(directory, *engine.scheduling, queues=("default", "low")) as worker:
        yield worker


@pytest.fixture(autouse=True)
def _configured(request):
    """Send jobs to the engine of the test."""
    if "engine" not in request.fixturenames:
        yield
        return
    engine = request.getfixturevalue("engine")
    with configure(adapter=engine.adapter, store=RedisStore(engine.redis)):
        yield
