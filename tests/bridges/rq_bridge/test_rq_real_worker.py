"""A real worker on a real redis does with a job what the bridge does, and with its killed process what it says.

Slow: the worker waits in real seconds.
"""

import os
import signal
import sys
from datetime import timedelta
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

SECOND = timedelta(seconds=1)


@pytest.fixture
def queue(redis_url):  # noqa: F811
    with Redis.from_url(f"{redis_url}/5") as connection:
        connection.flushdb()
        yield Queue("real", connection=connection)


def working(url, directory):
    command = [sys.executable, "-m", "rq.cli", "worker", "real", "--with-scheduler"]
    command += ["--url", f"{url}/5", "--quiet"]
    environment = {"PYTHONPATH": str(Path(__file__).parent)}
    return process(command, directory, log="rq.log", environment=environment, stop=signal.SIGTERM)


@pytest.fixture
def worker(queue, redis_url, tmp_path):  # noqa: F811
    with working(redis_url, tmp_path):
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


def one_id_for_two_jobs(queue, text):
    queue.enqueue(worker_tasks.writes, *text("first"), job_id="one")
    queue.enqueue(worker_tasks.writes, *text("second"), job_id="one")


def one_id_for_two_times(queue, text):
    queue.enqueue_in(SECOND, worker_tasks.writes, *text("first"), job_id="one")
    queue.enqueue_in(2 * SECOND, worker_tasks.writes, *text("second"), job_id="one")


def scheduled_and_enqueued(queue, text):
    queue.enqueue_job(queue.enqueue_in(SECOND, worker_tasks.writes, *text("both")))


def changed_meanwhile(queue, text):
    job = queue.enqueue_in(SECOND, worker_tasks.writes, *text("before"))
    job.args = text("after")
    job.save()


@pytest.mark.parametrize(
    "enqueue",
    [one_id_for_two_jobs, one_id_for_two_times, scheduled_and_enqueued, changed_meanwhile],
)
def test_a_worker_performs_what_the_server_has(queue, redis_url, tmp_path, enqueue):  # noqa: F811
    def texts(name):
        directory = tmp_path / name
        directory.mkdir()
        enqueue(queue, lambda text: (str(directory), text))
        yield
        yield (directory / "texts").read_text("utf-8").split()

    real, simulated = texts("real"), texts("simulated")
    next(real)
    last = queue.enqueue_in(4 * SECOND, worker_tasks.writes, str(tmp_path), "last")
    with working(redis_url, tmp_path):
        wait_until(lambda: has_ended(last), "the last job")
    with Jobs([RqBridge()]) as jobs:
        next(simulated)
        jobs.drain()

    assert next(simulated) == next(real)


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
        semantics = jobs.harness.bridges[0].delivery_semantics(worker_tasks.waits_to_be_killed)
    assert (len(runs(tmp_path)) == 2) is semantics.redelivered_on_kill
