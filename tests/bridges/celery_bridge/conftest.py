"""A Celery application and an open harness that bridges it."""

import pytest

pytest.importorskip("celery")

from celery import Celery, _state
from servers import redis_url  # noqa: F401 - a fixture

from pytest_jobs.bridges.celery.bridge import CeleryBridge
from pytest_jobs.bridges.core.bridge import ReferenceBridge
from pytest_jobs.harness.jobs import Jobs


class OwnTasks(Celery):
    """An application that does not share its tasks with every other one of the process."""

    def task(self, *args, **options):
        return super().task(*args, **{"shared": False, **options})


@pytest.fixture(autouse=True)
def _no_application_of_another_test_is_current(monkeypatch):
    """Let a shared task belong to no application that a test in random order has left, and that is gone since."""
    monkeypatch.setattr(_state._tls, "current_app", None)


@pytest.fixture
def app():
    """Return an application whose broker and result backend nobody can reach."""
    return OwnTasks(
        "shop",
        broker="redis://127.0.0.1:1/0",
        backend="redis://127.0.0.1:1/1",
        set_as_current=False,
    )


@pytest.fixture
def jobs(app):
    with Jobs([ReferenceBridge(), CeleryBridge([app])]) as jobs:
        yield jobs
