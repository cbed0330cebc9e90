"""A real consumer is killed, and what comes of its task is what the bridge says."""

import os
import signal
import sys
import textwrap

import pytest

pytest.importorskip("huey")

from servers import kill_group, process, wait_until

APPLICATION = """
import os, pathlib, time
from huey import RedisHuey, SqliteHuey

huey = {huey}

@huey.task(name="work")
def work(name):
    runs = pathlib.Path(name)
    with runs.open("a") as file:
        file.write(f"{{os.getpid()}}\\n")
    if name == "raises":
        raise ValueError(name)
    if name.startswith("killed") and len(runs.read_text().split()) == 1:
        time.sleep(600)
"""


class Service:
    """An application, its consumer, and what its tasks wrote down."""

    def __init__(self, directory, huey, monkeypatch):
        self.directory = directory
        (directory / "app.py").write_text(textwrap.dedent(APPLICATION.format(huey=huey)))
        monkeypatch.chdir(directory)
        self.application = {}
        exec((directory / "app.py").read_text(), {"__name__": "app"}, self.application)

    def consumer(self):
        command = [sys.executable, "-m", "huey.bin.huey_consumer", "app.huey"]
        options = ["-k", "process", "-w", "1", "-d", "0.01", "-m", "0.05", "-c", "1"]
        return process([*command, *options], self.directory, log="consumer.log")

    def send(self, name):
        self.application["work"](name)

    def runs(self, name):
        path = self.directory / name
        return path.read_text().split() if path.exists() else []

    def wait_for_run(self, name):
        wait_until(lambda: self.runs(name), f"a run of {name}")
        return int(self.runs(name)[0])

    def is_redelivered(self, name):
        """Let the worker empty the queue, and say whether the task has run again."""
        self.send(f"after {name}")
        self.wait_for_run(f"after {name}")
        huey = self.application["huey"]
        assert (huey.pending_count(), huey.scheduled_count()) == (0, 0)
        return len(self.runs(name)) > 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["redis", "sqlite"])
def test_a_task_is_delivered_again_as_the_bridge_says(
    tmp_path, request, monkeypatch, open_over, kind
):
    if kind == "redis":
        huey = f"RedisHuey('killed', url={request.getfixturevalue('redis_url')!r})"
    else:
        huey = "SqliteHuey('killed', filename='huey.db')"
    service = Service(tmp_path, huey, monkeypatch)
    # The connection of this process to the store; a storage of redis has nothing to close by itself.
    storage = service.application["huey"].storage
    request.addfinalizer(storage.pool.disconnect if kind == "redis" else storage.close)
    (bridge,) = open_over(service.application["huey"]).harness.bridges
    expected = bridge.delivery_semantics(service.application["work"])

    with service.consumer() as consumer:
        service.send("raises")
        service.wait_for_run("raises")
        on_raise = service.is_redelivered("raises")

        service.send("killed alone")
        os.kill(service.wait_for_run("killed alone"), signal.SIGKILL)
        on_kill = service.is_redelivered("killed alone")

        service.send("killed with its consumer")
        service.wait_for_run("killed with its consumer")
        kill_group(consumer)
    with service.consumer():
        on_outage = service.is_redelivered("killed with its consumer")

    assert on_raise is expected.redelivered_on_raise
    assert on_kill is expected.redelivered_on_kill
    assert on_outage is expected.redelivered_on_outage
