"""A real worker is killed, and what comes of its task is what the bridge says."""

import asyncio
import os
import signal
import sys
import textwrap

import pytest

pytest.importorskip("taskiq.receiver")
pytest.importorskip("taskiq_redis")

import redis
from servers import kill_group, patient, process, wait_until
from taskiq.kicker import AsyncKicker
from taskiq_redis import ListQueueBroker, RedisStreamBroker

APPLICATION = """
import os, pathlib, time
from taskiq_redis import {kind}

broker = {kind}({url!r}, queue_name={queue!r}{options})

@broker.task("work")
def work(name: str) -> None:
    runs = pathlib.Path(name)
    with runs.open("a") as file:
        file.write(f"{{os.getpid()}}\\n")
    if name.startswith("raises"):
        raise ValueError(name)
    if name.startswith("killed") and len(runs.read_text().split()) == 1:
        time.sleep(600)
"""
#: Another consumer may take a message over after an hour, which a test lets pass.
STREAM_OPTIONS = ", idle_timeout=3_600_000, xread_block=50"
GROUP = "taskiq"


class Service:
    """An application with a real broker, its workers, and what they wrote down."""

    def __init__(self, directory, url, kind, ack_type):
        self.directory = directory
        self.ack_type = ack_type
        self.queue = f"{kind.__name__}-{ack_type}"
        self.redis = redis.Redis.from_url(url)
        self.broker = kind(url, queue_name=self.queue)
        self._new_messages = 0
        options = STREAM_OPTIONS if kind is RedisStreamBroker else ""
        source = APPLICATION.format(kind=kind.__name__, url=url, queue=self.queue, options=options)
        (directory / "app.py").write_text(textwrap.dedent(source))

    def worker(self):
        command = [sys.executable, "-m", "taskiq", "worker", "app:broker", "--workers", "1"]
        return process([*command, "--ack-type", self.ack_type], self.directory, log="worker.log")

    def send(self, name):
        async def send():
            await self.broker.startup()
            await AsyncKicker("work", self.broker, {}).kiq(name)
            await self.broker.shutdown()

        asyncio.run(send())

    def runs(self, name):
        path = self.directory / name
        return path.read_text().splitlines() if path.exists() else []

    def wait_for_run(self, name):
        wait_until(lambda: self.runs(name), f"a run of {name}")
        return int(self.runs(name)[0])

    def wait_for_new_worker(self, name):
        """Send a task until one runs: what is sent while a worker dies may still go to that worker."""
        wait_until(lambda: self.runs(name) or self.send(name), f"a run of {name}", every=0.1)

    def an_hour_passes(self):
        """Let what a dead consumer has be so old that another may take it over."""
        if self.redis.type(self.queue) != b"stream":
            return
        self.redis.delete(f"autoclaim:{GROUP}:{self.queue}")
        for each in self.redis.xpending_range(self.queue, GROUP, "-", "+", 1_000):
            self.redis.xclaim(
                self.queue, GROUP, each["consumer"], 0, [each["message_id"]], idle=7_200_000
            )

    def is_redelivered(self, name):
        """Wait until the task has run again, or the server keeps nothing of it any more."""
        wait_until(lambda: self._is_decided(name), f"what becomes of {name}", every=0.1)
        return len(self.runs(name)) > 1

    def _is_decided(self, name):
        if len(self.runs(name)) > 1 or not self._kept():
            return True
        # A stream is searched for what another worker left only after a new message has come.
        if len(self.runs("a new message")) >= self._new_messages:
            self._new_messages += 1
            self.send("a new message")
        return False

    def _kept(self):
        if self.redis.type(self.queue) == b"stream":
            group = self.redis.xinfo_groups(self.queue)[0]
            return group["pending"] + (group["lag"] or 0)
        return self.redis.llen(self.queue)


@pytest.mark.parametrize(
    ("kind", "ack_type"),
    [
        (ListQueueBroker, "when_saved"),
        (RedisStreamBroker, "when_saved"),
        (RedisStreamBroker, "when_received"),
    ],
)
def test_a_task_is_delivered_again_as_the_bridge_says(
    tmp_path, redis_url, open_over, kind, ack_type
):
    service = Service(tmp_path, patient(redis_url), kind, ack_type)
    broker = kind("redis://localhost:1")
    (bridge,) = open_over(broker, ack_type=ack_type).harness.bridges
    expected = bridge.delivery_semantics(broker.register_task(lambda name: None, "work"))

    with service.worker() as worker:
        service.send("raises")
        service.wait_for_run("raises")
        on_raise = service.is_redelivered("raises")

        service.send("killed alone")
        os.kill(service.wait_for_run("killed alone"), signal.SIGKILL)
        service.wait_for_new_worker("after the kill")
        service.an_hour_passes()
        on_kill = service.is_redelivered("killed alone")

        service.send("killed with its worker")
        service.wait_for_run("killed with its worker")
        kill_group(worker)
    with service.worker():
        service.wait_for_new_worker("after the outage")
        service.an_hour_passes()
        on_outage = service.is_redelivered("killed with its worker")

    assert on_raise is expected.redelivered_on_raise
    assert on_kill is expected.redelivered_on_kill
    assert on_outage is expected.redelivered_on_outage
