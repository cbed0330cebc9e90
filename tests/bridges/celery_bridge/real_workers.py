"""Real Celery workers, each a process of its own, and what talks to them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from celery import Celery
from redis import Redis
from servers import patient, process, wait_until, wait_until_deserted

_HERE = str(Path(__file__).parent)
_ENDED = ("SUCCESS", "FAILURE")


@contextmanager
def running_worker(
    module: str, url: str, directory: Path, *options: str, log: str = "worker.log"
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker of the application in a module for a block, and kill what is left of it."""
    command = [sys.executable, "-m", "celery", "-A", module, "worker", "--loglevel=INFO"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    variables = {"CELERY_BROKER_URL": url, "CELERY_RESULT_BACKEND": url, "PYTHONPATH": _HERE}
    try:
        with process(
            [*command, *quiet, *options], directory, log=log, environment=variables
        ) as worker:
            yield worker
    finally:
        # Shown when the test fails.
        sys.stdout.write((directory / log).read_text(encoding="utf-8"))


class RealBroker:
    """A real Redis as broker and as result backend, and a client that knows the tasks by name."""

    def __init__(self, url: str, client: Celery, server: Redis) -> None:
        self.url = url
        self._client = client
        self._server = server

    def send(self, name: str, *args: object) -> str:
        """Send a task and return its id."""
        task_id: str = self._client.send_task(name, args).id
        return task_id

    def state(self, task_id: str) -> str | None:
        """Return the state that a worker stored last."""
        stored = self._server.get(f"celery-task-meta-{task_id}")
        return None if stored is None else json.loads(stored)["status"]

    def error(self, task_id: str) -> str | None:
        """Return the name of the class of the error that a worker stored; None for a task that has none."""
        stored = self._server.get(f"celery-task-meta-{task_id}")
        result = None if stored is None else json.loads(stored)["result"]
        return result["exc_type"] if isinstance(result, dict) else None

    def wait_for(self, task_ids: Iterable[str]) -> None:
        """Wait until tasks have ended: one that waits for a retry has not."""
        left = list(task_ids)
        wait_until(lambda: all(self.state(found) in _ENDED for found in left), "tasks to end")

    def unacknowledged(self) -> int:
        """Return how many messages no worker has acknowledged that were delivered to one."""
        return self._server.zcard("unacked_index")

    def an_hour_passes(self) -> None:
        """Let what was not acknowledged be so old that the next worker notices it when it starts."""
        # Whoever looks after old messages has it meanwhile, and for five minutes when killed.
        self._server.delete("unacked_mutex")
        for tag in self._server.zrange("unacked_index", 0, -1):
            self._server.zincrby("unacked_index", -2 * 3600, tag)

    def wait_until_deserted(self) -> None:
        """Wait until no worker listens."""
        wait_until_deserted(self._server)

    def wait_until_idle(self) -> None:
        """Wait until a worker has dealt with everything that is in the queue."""
        self.wait_for([self.send("idle")])
        wait_until(lambda: not self.unacknowledged(), "all to be acknowledged")


@contextmanager
def real_broker(url: str) -> Iterator[RealBroker]:
    """Return a broker that is empty, for a block.

    Args:
        url: of a database of a Redis, which is emptied.
    """
    with (
        Redis.from_url(patient(url)) as server,
        Celery("client", broker=url, set_as_current=False) as client,
    ):
        broker = RealBroker(url, client, server)
        broker.wait_until_deserted()
        server.flushdb()
        yield broker
