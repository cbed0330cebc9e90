"""Engines with a worker, one for all tests of a module."""

import pytest

pytest.importorskip("redis")
pytest.importorskip("rq")

import engine_jobs
from engines import Rq
from servers import redis_url  # noqa: F401 - a fixture

from pytest_jobs import RedisStore, configure

ENGINES = {"rq": (Rq, 11)}


@pytest.fixture(scope="module", params=ENGINES)
def engine(request, redis_url):  # noqa: F811
    """An engine that no worker works for."""
    kind, database = ENGINES[request.param]
    engine = kind(f"{redis_url}/{database}")
    with engine.redis:
        yield engine


@pytest.fixture(scope="module")
def worker(engine, tmp_path_factory):
    """A worker of the engine."""
    with engine.worker(tmp_path_factory.mktemp(engine.name), queues=("default", "low")) as worker:
        yield worker


@pytest.fixture(autouse=True)
def _configured(request, monkeypatch):
    """Send jobs to the engine of the test."""
    if "engine" not in request.fixturenames:
        yield
        return
    engine = request.getfixturevalue("engine")
    monkeypatch.setattr(engine_jobs.SayUrgently, "priority", engine.urgent)
    with configure(adapter=engine.adapter, store=RedisStore(engine.redis)):
        yield
