"""Real workers agree with the bridge on attempts and waits, and on the message of a worker that is killed."""

import json
import os
import signal
import sys
import textwrap
from itertools import pairwise

import pytest

pytest.importorskip("dramatiq")

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from servers import kill_group, patient, process, wait_until

APPLICATION = """
import json, os, pathlib, time
import dramatiq
from dramatiq.brokers.redis import RedisBroker

# Every command looks for workers that are dead.
broker = RedisBroker(
    url={url!r},
    namespace={namespace!r},
    heartbeat_timeout=int(os.environ["HEARTBEAT"]),
    maintenance_chance=1_000_000,
)
dramatiq.set_broker(broker)

@dramatiq.actor(actor_name="work", max_retries=2, min_backoff=100, max_backoff=10_000)
def work(name):
    runs = pathlib.Path(name)
    with runs.open("a") as file:
        file.write(json.dumps([os.getpid(), time.time()]) + "\\n")
    if name.startswith("raises"):
        raise ValueError(name)
    if name.startswith("killed") and len(runs.read_text().splitlines()) == 1:
        time.sleep(600)
"""


def work(name):
    if name.startswith("raises"):
        raise ValueError(name)


class Service:
    """An application with a real broker, its workers, and what they wrote down."""

    def __init__(self, directory, url):
        self.directory = directory
        self.broker = RedisBroker(url=url, namespace=directory.name)
        source = APPLICATION.format(url=url, namespace=directory.name)
        (directory / "app.py").write_text(textwrap.dedent(source))

    def worker(self, heartbeat=600):
        """Run a worker that takes one for dead after so many seconds: a living one may be slow."""
        command = [sys.executable, "-m", "dramatiq", "app", "--processes", "1", "--threads", "1"]
        environment = {"HEARTBEAT": str(heartbeat * 1_000)}
        return process(command, self.directory, log="worker.log", environment=environment)

    def send(self, name):
        self.broker.enqueue(dramatiq.Message("default", "work", (name,), {}, {}))

    def runs(self, name):
        path = self.directory / name
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    def wait_for(self, name, count=1):
        wait_until(lambda: len(self.runs(name)) >= count, f"{count} runs of {name}", every=0.1)
        return self.runs(name)


@pytest.fixture
def service(tmp_path, redis_url):
    return Service(tmp_path, patient(redis_url))


def test_a_message_of_a_killed_worker_is_delivered_again_as_the_bridge_says(service, open_over):
    broker = RedisBroker(url="redis://localhost:1")
    actor = dramatiq.actor(work, broker=broker)
    (bridge,) = open_over(broker).harness.bridges
    expected = bridge.delivery_semantics(actor)

    with service.worker() as worker:
        service.send("killed")
        ((process_id, _),) = service.wait_for("killed")
        os.kill(process_id, signal.SIGKILL)
        kill_group(worker)
    with service.worker(heartbeat=1):
        service.wait_for("killed", 2)

    assert expected.acknowledged == "after"
    assert expected.redelivered_on_kill
    assert expected.redelivered_on_outage


def test_a_failing_actor_is_tried_as_often_and_as_far_apart_as_the_bridge_says(service, open_over):
    broker = RedisBroker(url="redis://localhost:1")
    options = {"max_retries": 2, "min_backoff": 100, "max_backoff": 10_000}
    actor = dramatiq.actor(work, broker=broker, **options)
    with open_over(broker) as jobs:
        timeline = jobs.simulate_retries(actor, args=("raises",), raising=ValueError())
        semantics = jobs.harness.bridges[0].delivery_semantics(actor)

    with service.worker():
        service.send("raises")
        times = [at for _, at in service.wait_for("raises", len(timeline.attempts))]
        service.send("afterwards")
        service.wait_for("afterwards")

    assert semantics.redelivered_on_raise
    assert len(service.runs("raises")) == len(timeline.attempts) == 3
    waits = [later - earlier for earlier, later in pairwise(times)]
    shortest = [attempt.bounds[0].total_seconds() for attempt in timeline.attempts[:-1]]
    # A worker may be late, and is never early, but for the milliseconds to which Dramatiq rounds.
    assert all(real > low - 0.01 for real, low in zip(waits, shortest, strict=True))
