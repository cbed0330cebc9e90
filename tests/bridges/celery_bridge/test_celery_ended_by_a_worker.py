"""What becomes of a task that reaches a time limit, or ends its process, is what a real worker makes of it.

Slow: a real worker with processes, on a real Redis.
"""

from collections import Counter

import pytest

pytest.importorskip("redis")

import celery
from ended_tasks import ENDED, app
from real_workers import real_broker, running_worker

from pytest_jobs.bridges.celery.bridge import CeleryBridge
from pytest_jobs.harness.jobs import Jobs


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Return a function that says how often each task has begun since it was asked last."""
    path = tmp_path / "runs"
    monkeypatch.setenv("RUNS", str(path))

    def runs():
        found = Counter(path.read_text("utf-8").split())
        path.unlink()
        return found

    return runs


@pytest.mark.skipif(
    celery.__version__ < "5.7", reason="with the billiard of today a task that exits never ends"
)
def test_tasks_end_under_the_harness_as_they_do_in_a_worker(runs, redis_url, tmp_path):
    with Jobs([CeleryBridge([app])]) as jobs:
        results = {name: app.tasks[name].delay() for name in ENDED}
        jobs.drain(raise_errors=False)
        states = {name: result.state for name, result in results.items()}
        errors = {
            name: type(result.result).__name__ if result.failed() else None
            for name, result in results.items()
        }
    expected = runs()
    url = f"{redis_url}/11"
    with (
        real_broker(url) as broker,
        running_worker("ended_tasks", url, tmp_path, "--concurrency=1"),
    ):
        sent = {name: broker.send(name) for name in ENDED}
        broker.wait_for(sent.values())
        broker.wait_until_idle()

        assert {name: broker.state(task_id) for name, task_id in sent.items()} == states
        assert {name: broker.error(task_id) for name, task_id in sent.items()} == errors
    assert runs() == expected
