"""What comes of a task in a real cluster, a killed one too, is what the bridge says."""

import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

pytest.importorskip("django_q")

from django_project import configure
from q_tasks import greet
from servers import kill_group, process, redis_url, wait_until  # noqa: F401 - a fixture

configure()

APPLICATION = """
import pathlib, sys, time
import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=["django_q"],
    DATABASES={{
        "default": {{
            "ENGINE": "django.db.backends.sqlite3", "NAME": "app.sqlite3", "OPTIONS": {{"timeout": 60}}
        }}
    }},
    Q_CLUSTER={{**{broker!r}, "workers": 2, "poll": 0.05, "guard_cycle": 0.1, "timeout": 60, "retry": {retry}}},
    SECRET_KEY="tests",
    USE_TZ=True,
)

def work(name):
    runs = pathlib.Path(name)
    with runs.open("a") as file:
        file.write("run\\n")
    if name == "raises":
        raise ValueError(name)
    if name == "returns a function":
        return lambda: name
    if name == "is killed" and len(runs.read_text().split()) == 1:
        time.sleep(600)
    return name

if __name__ == "__main__":
    sys.modules["app"] = sys.modules["__main__"]
    django.setup()
    from django.core.management import call_command
    from django_q.tasks import async_task

    if sys.argv[1] == "cluster":
        call_command("qcluster")
    if sys.argv[1] == "migrate":
        call_command("migrate", verbosity=0)
    for name in sys.argv[2:]:
        async_task("app.work", name, group=name)
"""


class Service:
    """A project with its cluster, and what its tasks wrote down."""

    def __init__(self, directory, broker, retry):
        self.directory = directory
        (directory / "app.py").write_text(APPLICATION.format(broker=broker, retry=retry))

    def do(self, *arguments):
        command = [sys.executable, "-W", "ignore", "app.py", *arguments]
        subprocess.run(command, cwd=self.directory, check=True, timeout=120)

    def cluster(self):
        command = [sys.executable, "-W", "ignore", "app.py", "cluster"]
        return process(command, self.directory, log="cluster.log")

    def expire_locks(self):
        """Let the time pass after which the table gives a task that is in work to another cluster."""
        with (
            closing(sqlite3.connect(self.directory / "app.sqlite3", timeout=60)) as database,
            database,
        ):
            database.execute("UPDATE django_q_ormq SET lock = '2000-01-01 00:00:00'")

    def runs(self, name):
        path = self.directory / name
        return len(path.read_text().split()) if path.exists() else 0

    def outcomes(self):
        """Return whether each task has succeeded, as the cluster has saved it."""
        with closing(sqlite3.connect(self.directory / "app.sqlite3", timeout=60)) as database:
            return dict(database.execute('SELECT "group", success FROM django_q_task'))

    def wait_for_runs(self, name, count=1):
        wait_until(lambda: self.runs(name) >= count, f"{count} runs of {name!r}")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["orm", "redis"])
def test_a_task_is_delivered_again_as_the_bridge_says(tmp_path, request, monkeypatch, bridge, kind):
    from django_q.conf import Conf

    if kind == "orm":
        service = Service(tmp_path, {"orm": "default"}, retry=600)
        monkeypatch.setattr(Conf, "ORM", "default")
    else:
        service = Service(tmp_path, {"redis": request.getfixturevalue("redis_url")}, retry=600)
    expected = bridge.delivery_semantics(greet)

    service.do("migrate", "is killed", "returns", "raises")
    with service.cluster() as cluster:
        for name in ("is killed", "returns", "raises"):
            service.wait_for_runs(name)
        wait_until(lambda: len(service.outcomes()) == 2, "two outcomes")
        kill_group(cluster)
    assert service.runs("is killed") == 1
    service.expire_locks()
    with service.cluster():
        if expected.redelivered_on_kill:
            service.wait_for_runs("is killed", 2)
            service.wait_for_runs("raises", 2)
        else:
            service.do("send", "comes later")
            service.wait_for_runs("comes later")

    assert (service.runs("is killed") > 1) is expected.redelivered_on_kill
    assert (service.runs("is killed") > 1) is expected.redelivered_on_outage
    assert (service.runs("raises") > 1) is expected.redelivered_on_raise
    assert service.outcomes().items() >= {"returns": 1, "raises": 0}.items()


@pytest.mark.slow
def test_a_result_that_cannot_be_pickled_leaves_no_outcome_and_the_task_comes_again(tmp_path):
    service = Service(tmp_path, {"orm": "default"}, retry=1)
    service.do("migrate", "returns a function", "returns")

    with service.cluster():
        service.wait_for_runs("returns a function", 2)
        wait_until(service.outcomes, "an outcome")

    assert service.outcomes() == {"returns": 1}
