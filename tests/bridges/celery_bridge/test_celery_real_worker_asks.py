"""What becomes of tasks that ask for results, or revoke themselves, is what a real worker makes of them."""

import pytest

pytest.importorskip("redis")

from asking_tasks import ASKING, app
from real_workers import real_broker, running_worker
from servers import wait_until

from pytest_jobs.bridges.celery.bridge import CeleryBridge
from pytest_jobs.harness.jobs import Jobs

STATES = {
    "asks": "FAILURE",
    "may_ask": "SUCCESS",
    "revokes_itself": "REVOKED",
    "begins_a_chord": "SUCCESS",
}
LINES = ["may_ask 1", "revokes_itself 0", "total [1, 2]"]


@pytest.fixture
def lines(tmp_path, monkeypatch):
    """Return a function that reads what the tasks wrote, here or in a worker."""
    path = tmp_path / "lines"
    monkeypatch.setenv("ATTEMPTS", str(path))
    return lambda: sorted(path.read_text(encoding="utf-8").splitlines()) if path.exists() else []


def test_the_harness_says_what_becomes_of_each(lines):
    with Jobs([CeleryBridge([app])]) as jobs:
        results = {task.name: task.delay() for task in ASKING}
        jobs.drain(raise_errors=False, workers=2)

        assert {name: result.state for name, result in results.items()} == STATES
        assert [(d.record.name, type(d.error)) for d in jobs.failed] == [("asks", RuntimeError)]
    assert lines() == LINES


def test_a_real_worker_agrees(lines, redis_url, tmp_path):
    url = f"{redis_url}/12"
    with (
        real_broker(url) as broker,
        running_worker("asking_tasks", url, tmp_path, "--pool=prefork", "--concurrency=2"),
    ):
        sent = {task.name: broker.send(task.name) for task in ASKING}
        wait_until(lambda: lines() == LINES, "the lines")
        broker.wait_for(task_id for name, task_id in sent.items() if name != "revokes_itself")
        broker.wait_until_idle()
        states = {name: broker.state(task_id) for name, task_id in sent.items()}

        # The worker stores REVOKED while the pool stores RETRY of the attempt before.
        assert states.pop("revokes_itself") in ("REVOKED", "RETRY")
        assert states.items() <= STATES.items()
        assert broker.error(sent["asks"]) == "RuntimeError"
    assert lines() == LINES


def test_a_task_that_waits_in_the_only_worker_waits_in_vain(lines):
    with Jobs([CeleryBridge([app])]) as jobs:
        ASKING[1].delay()
        jobs.drain(raise_errors=False, only=ASKING[1])

    assert str(jobs.failed[0].error) == "The operation timed out."
