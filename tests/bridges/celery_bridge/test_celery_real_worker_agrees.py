"""The attempts and waits under the harness are those of a real worker.

Slow: a real worker on a real Redis takes the time that the harness skips.
"""

import operator
from itertools import pairwise

import pytest

pytest.importorskip("redis")

from agreeing_tasks import FAILING, Busy, app, backoff, expected, no_retries, rejected
from celery.exceptions import Reject
from real_workers import real_broker, running_worker

from pytest_jobs.bridges.celery.bridge import CeleryBridge
from pytest_jobs.harness.jobs import Jobs


def written(path, what):
    """Return the numbers that were written down of each task: when attempts `began`, or how long one `waits`."""
    found = {task.name: [] for task in FAILING}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, kind, number = line.split()
        if kind == what:
            found[name].append(float(number))
    return found


@pytest.fixture
def attempts(tmp_path, monkeypatch):
    """Name the file that the tasks write to, here and in a worker."""
    monkeypatch.setenv("ATTEMPTS", str(tmp_path / "attempts"))
    return tmp_path / "attempts"


def run_in_harness(path):
    """Perform every task to its end under the harness; return waits, and states of results."""
    with Jobs([CeleryBridge([app])]) as jobs:
        results = {task.name: task.delay() for task in FAILING}
        jobs.drain(raise_errors=False)
        states = {name: result.state for name, result in results.items()}
    begun = written(path, "began")
    path.unlink()
    waits = {}
    for name, moments in begun.items():
        deliveries = [found for found in jobs.deliveries if found.record.name == name]
        assert len(deliveries) == len(moments)
        waits[name] = [found.wait.total_seconds() for found in deliveries[:-1]]
    return waits, states


def run_in_worker(path, url, directory):
    """Have a worker perform every task to its end; return waits, those it was asked for, and states of results."""
    with (
        real_broker(url) as broker,
        running_worker("agreeing_tasks", url, directory, "--pool=solo"),
    ):
        sent = {task.name: broker.send(task.name) for task in FAILING}
        # Of a task that was rejected there is a state from Celery 5.7 on only.
        broker.wait_for(task_id for name, task_id in sent.items() if name != "rejected")
        broker.wait_until_idle()
        states = {name: broker.state(task_id) or "PENDING" for name, task_id in sent.items()}
    begun = written(path, "began")
    waits = {name: [end - start for start, end in pairwise(begun[name])] for name in begun}
    return waits, written(path, "waits"), states


def test_a_drain_predicts_what_a_worker_does(attempts, redis_url, tmp_path):
    waits, states = run_in_harness(attempts)
    real_waits, asked, real_states = run_in_worker(attempts, f"{redis_url}/10", tmp_path)

    assert waits == {
        "backoff": [1, 2],
        "by_hand": [1, 1],
        "own_countdown": [2],
        "no_retries": [],
        "expected": [],
        "rejected": [],
    }
    assert asked == waits
    # How much later a worker begins depends on how busy the machine is.
    for name, predicted in waits.items():
        assert len(real_waits[name]) == len(predicted), name
        assert all(map(operator.le, predicted, real_waits[name])), name
    assert states == real_states


@pytest.mark.parametrize(
    ("task", "raised"),
    [
        (backoff, Busy()),
        (no_retries, Busy()),
        (expected, Busy()),
        (rejected, Reject("no reason", requeue=False)),
    ],
    ids=["backoff", "no_retries", "expected", "rejected"],
)
def test_a_simulation_predicts_what_a_drain_does(task, raised, attempts):
    drained, _ = run_in_harness(attempts)

    with Jobs([CeleryBridge([app])]) as jobs:
        timeline = jobs.simulate_retries(task, raising=raised)
    assert timeline.wait_seconds == drained[task.name]
