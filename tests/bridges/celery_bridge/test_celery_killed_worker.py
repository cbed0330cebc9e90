"""What a bridge says of a worker that is killed is what becomes of the tasks of a real one.

Slow: each test has a real worker on a real Redis, and kills it.
"""

import os
import signal

import pytest

pytest.importorskip("redis")

from killed_tasks import SETTINGS, app
from real_workers import real_broker, running_worker
from servers import kill_group, wait_until

from pytest_jobs.bridges.celery.bridge import CeleryBridge

SEMANTICS = {name: CeleryBridge([app]).delivery_semantics(app.tasks[name]) for name in SETTINGS}
LATE = {name for name, said in SEMANTICS.items() if said.acknowledged == "after"}


POOL = ("--pool=prefork", f"--concurrency={len(SETTINGS)}")


class Runs:
    """One task that was sent, and its runs as it wrote them down."""

    def __init__(self, broker, name, directory):
        directory.mkdir()
        self._directory = directory
        self.task_id = broker.send(name, str(directory))

    @property
    def processes(self):
        written = self._directory / "runs"
        text = written.read_text(encoding="utf-8") if written.exists() else ""
        return [int(line) for line in text.splitlines()]

    @property
    def again(self):
        return len(self.processes) > 1

    def release(self):
        (self._directory / "release").touch()


@pytest.fixture
def broker(redis_url):
    with real_broker(f"{redis_url}/9") as broker:
        yield broker


@pytest.fixture
def every(broker, tmp_path):
    """Send a task of each kind, which all run until they are released."""
    return {name: Runs(broker, name, tmp_path / name) for name in SETTINGS}


def test_tasks_whose_process_is_killed(broker, every, tmp_path):
    with running_worker("killed_tasks", broker.url, tmp_path, *POOL):
        wait_until(lambda: all(runs.processes for runs in every.values()), "all to run")
        for runs in every.values():
            os.kill(runs.processes[0], signal.SIGKILL)
            runs.release()
        broker.wait_for(runs.task_id for runs in every.values())
        broker.wait_until_idle()

    again = {name: runs.again for name, runs in every.items()}
    states = {name: broker.state(runs.task_id) for name, runs in every.items()}
    assert again == {name: said.redelivered_on_kill for name, said in SEMANTICS.items()}
    assert states == {name: "SUCCESS" if again[name] else "FAILURE" for name in SETTINGS}


def test_tasks_whose_whole_worker_is_killed(broker, every, tmp_path):
    with running_worker("killed_tasks", broker.url, tmp_path, *POOL, log="first.log") as worker:
        wait_until(lambda: all(runs.processes for runs in every.values()), "all to run")
        wait_until(lambda: broker.unacknowledged() == len(LATE), "the others to be gone")
        kill_group(worker)
    broker.wait_until_deserted()
    for runs in every.values():
        runs.release()
    broker.an_hour_passes()
    with running_worker("killed_tasks", broker.url, tmp_path, *POOL):
        wait_until(lambda: all(every[name].again for name in LATE), "what is left to run")
        broker.wait_until_idle()

    again = {name: runs.again for name, runs in every.items()}
    assert again == {name: said.redelivered_on_outage for name, said in SEMANTICS.items()}


def test_the_settings_are_of_every_kind():
    assert {said.redelivered_on_kill for said in SEMANTICS.values()} == {False, True}
    assert {"late", "late_lost"} <= LATE < set(SETTINGS)
