"""A real worker on a real redis does with a job what the bridge does, and with its killed process what it says.

Slow: the worker waits in real seconds.
"""

import os
import signal
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import worker_tasks
from redis import Redis
from rq import Queue, Retry
from rq.job import JobStatus
from servers import process, redis_url, wait_until  # noqa: F401 - a fixture

from pytest_jobs.bridges.rq.bridge import RqBridge
from pytest_jobs.harness.jobs import Jobs

pytestmark = pytest.mark.slow


@pytest.fixture
def queue(redis_url):  # noqa: F811
    with Redis.from_url(f"{redis_url}/5") as connection:
        connection.flushdb()
        yield Queue("real", connection=connection)


@pytest.fixture
def worker(queue, redis_url, tmp_path):  # noqa: F811
    command = [sys.executable, "-m", "rq.cli", "worker", "real", "--with-scheduler"]
    command += ["--url", f"{redis_url}/5", "--quiet"]
    environment = {"PYTHONPATH": str(Path(__file__).parent)}
    with process(command, tmp_path, log="rq.log", environment=environment, stop=signal.SIGTERM):
        yield


def runs(directory):
    written = directory / "runs"
    lines = written.read_text(encoding="utf-8").splitlines() if written.exists() else []
    return [(int(line.split()[0]), float(line.split()[1])) for line in lines]


def has_ended(job):
    return job.get_status(refresh=True) in (JobStatus.FINISHED, JobStatus.FAILED)


@pytest.mark.parametrize(
    ("function", "retry"),
    [
        (worker_tasks.fails, None),
        (worker_tasks.fails, Retry(max=2, interval=[1, 2])),
        (worker_tasks.asks_again, None),
    ],
)
def test_a_worker_makes_as_many_runs_as_far_apart_and_ends_the_same(
    queue, worker, tmp_path, function, retry
):
    real = tmp_path / "real"
    real.mkdir()
    job = queue.enqueue(function, str(real), retry=retry)
    wait_until(lambda: has_ended(job), "the end of the job")

    simulated = tmp_path / "simulated"
    simulated.mkdir()
    with Jobs([RqBridge()]) as jobs:
        here = queue.enqueue(function, str(simulated), retry=retry)
        jobs.drain(raise_errors=False)
        status = here.get_status()
        waits = [delivery.wait for delivery in jobs.deliveries if delivery.wait is not None]

    assert status == job.get_status()
    assert len(runs(simulated)) == len(runs(real))
    times = [at for _, at in runs(real)]
    for (before, after), wait in zip(pairwise(times), waits, strict=True):
        # RQ cuts the fraction of a second off, and its scheduler looks each second.
        assert after - before > wait.total_seconds() - 1


@pytest.mark.parametrize("retry", [None, Retry(max=1)])
def test_a_job_whose_process_is_killed_comes_again_as_the_bridge_says(
    queue, worker, tmp_path, retry
):
    job = queue.enqueue(worker_tasks.waits_to_be_killed, str(tmp_path), retry=retry)
    wait_until(lambda: runs(tmp_path), "its first run")

    os.kill(runs(tmp_path)[0][0], signal.SIGKILL)
    wait_until(lambda: has_ended(job), "the end of the job")

    with Jobs([RqBridge()]) as jobs:
        queue.enqueue(worker_tasks.waits_to_be_killed, str(tmp_path), retry=retry)
        semantics = jobs.bridges[0].delivery_semantics(worker_tasks.waits_to_be_killed)
    assert (len(runs(tmp_path)) == 2) is semantics.redelivered_on_kill
