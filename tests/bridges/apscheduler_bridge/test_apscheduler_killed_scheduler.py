"""A real scheduler is killed, and what comes of its runs is what the bridge says."""

import sys

import pytest

pytest.importorskip("apscheduler.schedulers.background")
pytest.importorskip("sqlalchemy")

from servers import kill_group, process, wait_until

APPLICATION = """
import pathlib, sys, time
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.blocking import BlockingScheduler

scheduler = BlockingScheduler(
    jobstores={"default": SQLAlchemyJobStore("sqlite:///jobs.sqlite3")},
    # On a busy machine a run is late, and the default drops one that is a second late.
    job_defaults={"misfire_grace_time": 600},
    timezone="UTC",
)

def work(name):
    runs = pathlib.Path(name)
    with runs.open("a") as file:
        file.write("run\\n")
    if name == "raises":
        raise ValueError(name)
    if "killed" in name and len(runs.read_text().split()) == 1:
        time.sleep(600)

if __name__ == "__main__":
    sys.modules["app"] = sys.modules["__main__"]
    work.__module__ = "app"
    if "recurs and is killed" in sys.argv:
        recurring = {"id": "recurs", "replace_existing": True, "seconds": 1}
        scheduler.add_job(work, "interval", args=("recurs and is killed",), **recurring)
    for name in sys.argv[1:]:
        if "recurs" not in name:
            scheduler.add_job(work, args=(name,), id=name)
    scheduler.start()
"""


class Service:
    """An application with a job store in a file, and what its jobs wrote down."""

    def __init__(self, directory):
        self.directory = directory
        (directory / "app.py").write_text(APPLICATION)

    def scheduler(self, *names):
        command = [sys.executable, "app.py", *names]
        return process(command, self.directory, log="scheduler.log")

    def runs(self, name):
        path = self.directory / name
        return len(path.read_text().split()) if path.exists() else 0

    def wait_for_runs(self, name, count=1):
        wait_until(lambda: self.runs(name) >= count, f"{count} runs of {name!r}")


def work(name):
    """Stand for the function of the application."""


@pytest.mark.slow
def test_a_run_of_a_killed_scheduler_is_lost_and_its_job_comes_at_its_next_time(
    tmp_path, scheduler, jobs
):
    scheduler.add_job(work, args=("any",), next_run_time=None)
    expected = jobs.harness.bridges[0].delivery_semantics(work)
    service = Service(tmp_path)
    names = ("raises", "is killed", "recurs and is killed")

    with service.scheduler(*names) as running:
        for name in names:
            service.wait_for_runs(name)
        kill_group(running)
    with service.scheduler("comes later"):
        service.wait_for_runs("recurs and is killed", 2)
        service.wait_for_runs("comes later")

    assert (service.runs("raises") > 1) is expected.redelivered_on_raise is False
    assert (service.runs("is killed") > 1) is expected.redelivered_on_kill is False
    assert expected.redelivered_on_outage is False
