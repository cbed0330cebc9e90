"""The engines as the tests know them: how to run a worker, and what the engine knows of a job."""

import json
import signal
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import redis
from servers import PATIENCE, process, wait_until, wait_until_deserted, waiting_clients

from pytest_jobs import CeleryAdapter, RqAdapter
from pytest_jobs.core.foundation.settings import settings

_HERE = str(Path(__file__).parent)


class Engine:
    """One engine on one database of a redis-server.

    Args:
        url: of the database, which is emptied.
    """

    #: Where the worker runs that all tests of a module share.
    directory = None

    def __init__(self, url):
        self.url = url
        self.redis = redis.Redis.from_url(url, socket_timeout=2 * PATIENCE)
        self.empty()
        self.adapter = self.make_adapter()

    def close(self):
        self.redis.close()

    def empty(self):
        """Forget all jobs, when no worker of an earlier test could still take one."""
        wait_until_deserted(self.redis)
        self.redis.flushdb()

    def hear(self, timeout=PATIENCE):
        """Return the next thing that a job tells."""
        found = self.redis.blpop("told", timeout=timeout)
        assert found is not None, f"no job told anything for {timeout} s"
        return json.loads(found[1])

    def go_on(self, said=None):
        """Let a job that waits for it go on."""
        self.redis.rpush("go on" if said is None else f"go on {said}", "1")

    @contextmanager
    def worker(self, directory, *options, queues=("default",), environment=None):
        """Run a worker for a block, and stop it."""
        log = f"{self.name}.log"
        variables = {"ENGINE_JOBS_URL": self.url, "PYTHONPATH": _HERE, **(environment or {})}
        command = [sys.executable, "-m", *self.command(queues), *options]
        try:
            with process(
                command, directory, log=log, environment=variables, stop=self.stop
            ) as worker:
                yield worker
        finally:
            # Shown when the test fails.
            sys.stdout.write((directory / log).read_text(encoding="utf-8"))


class Rq(Engine):
    name = "rq"
    # What jobs say that are to go before others, and those others.
    urgent, late = -1, None
    # What a worker needs to perform scheduled jobs, to say little, and to notice dead ones soon.
    scheduling = ("--with-scheduler",)
    quietly = ("--quiet",)
    noticing = MappingProxyType({})
    # What performs a job is in a process group of its own, and its worker waits for it.
    stop = signal.SIGTERM

    def make_adapter(self):
        return RqAdapter(self.redis)

    def command(self, queues):
        return ("rq.cli", "worker", "-c", "rq_setup", *queues)

    def waiting(self):
        """Return the ids of the jobs that wait for a worker."""
        import rq

        return rq.Queue("default", connection=self.redis).job_ids

    def is_taken(self, job):
        """Wait until a scheduled job is where it waits for its time."""

    def is_dropped(self, job):
        """Wait until a job that was taken back is not performed any more: at once."""

    def a_worker_died(self):
        """Let what a dead worker has run out that would stop others: nothing."""

    def an_hour_passes(self):
        """Let a worker look after the jobs of dead ones, as it does from time to time, an hour and two later."""
        import time_machine
        from rq import Queue, Worker

        queue = Queue("default", connection=self.redis)
        for hours in (1, 2):
            later = datetime.now(UTC) + timedelta(hours=hours)
            with time_machine.travel(later):
                Worker([queue], connection=self.redis).clean_registries()

    def in_no_hands(self, job_ids):
        """Return those jobs that are lost if their worker is killed now: RQ moves them in one step."""
        return set()

    def could_lose_what_comes(self):
        """Return whether a dead worker could be given a job: it would be found when an hour has passed."""
        return False

    def left(self, _):
        """Return how many jobs wait; those of dead workers are found when an hour has passed."""
        from rq import Queue

        return Queue("default", connection=self.redis).count

    def job(self, job_id):
        from rq.job import Job

        return Job.fetch(job_id, connection=self.redis)

    def state(self, job_id):
        """Return what the engine says of a job: `done`, `failed`, or what else it is."""
        status = self.job(job_id).get_status().value
        return {"finished": "done"}.get(status, status)

    def error(self, job_id):
        """Return the text of the error that the engine shows of a job."""
        return self.job(job_id).latest_result().exc_string


class Celery(Engine):
    name = "celery"
    urgent, late = 0, 9
    scheduling = ()
    quietly = ("--loglevel=ERROR",)
    noticing = MappingProxyType({"VISIBILITY_TIMEOUT": "3"})
    stop = None

    def make_adapter(self):
        from celery_setup import make_app

        self.app = make_app(self.url)
        return CeleryAdapter(self.app)

    def close(self):
        super().close()
        # Before 5.7 an application leaves the connections to its results open.
        self.app.backend.client.connection_pool.disconnect()
        self.app.close()

    def command(self, queues):
        quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
        names = ",".join("celery" if name == "default" else name for name in queues)
        options = ("--concurrency=1", "--prefetch-multiplier=1")
        return ("celery", "--quiet", "-A", "celery_setup", "worker", *quiet, *options, "-Q", names)

    def waiting(self):
        """Return the ids of the jobs that wait for a worker."""
        messages = [json.loads(raw) for raw in self.redis.lrange("celery", 0, -1)]
        return [message["headers"]["id"] for message in reversed(messages)]

    def a_worker_died(self):
        """Let what a dead worker has run out that would stop others.

        Who looks after the messages of dead workers has a lock meanwhile, for five minutes if it is killed.
        """
        self.redis.delete("unacked_mutex")

    def an_hour_passes(self):
        """Let what was not acknowledged be so old that the next worker notices it when it starts."""
        self.a_worker_died()
        for tag in self.redis.zrange("unacked_index", 0, -1):
            self.redis.zincrby("unacked_index", -2 * 3600, tag)

    def in_no_hands(self, job_ids):
        """Return those jobs that are lost if their worker is killed now.

        Celery's redis transport takes a message out of its queue, and writes down that it has it, in two steps.
        """
        held = [json.loads(raw)[0] for raw in self.redis.hvals("unacked")]
        return job_ids - {message["headers"]["id"] for message in held} - set(self.waiting())

    def could_lose_what_comes(self):
        """Return whether a worker waits for a message, which it may be given although it is killed now."""
        return any(client["cmd"] == "brpop" for client in waiting_clients(self.redis))

    def left(self, jobs):
        """Return how many of so many jobs have not ended."""
        known = self.redis.llen("celery") + self.redis.hlen("unacked")
        # A message that a worker is just taking is nowhere: its job may have had its effect, and been killed.
        held = settings.store.held(time.time_ns())
        return max(known, jobs - self.redis.scard("done"), len(held))

    def is_taken(self, job):
        """Wait until a scheduled job is where it waits for its time: a worker holds it."""
        wait_until(lambda: self.redis.llen("celery") == 0, "a worker to hold what is scheduled")

    def is_dropped(self, job):
        """Wait until a job that was taken back is not performed any more, or its time has come."""
        asked = self.app.control.inspect(timeout=10, limit=1)

        def dropped():
            if time.time_ns() > job.payload.due_ns:
                return True
            return any(job.job_id in revoked for revoked in (asked.revoked() or {}).values())

        wait_until(dropped, "the worker to hear that a job was taken back")

    def state(self, job_id):
        """Return what the engine says of a job: `done`, `failed`, or what else it is."""
        status = self.app.AsyncResult(job_id).status
        return {"SUCCESS": "done", "FAILURE": "failed"}.get(status, status)

    def error(self, job_id):
        """Return the text of the error that the engine shows of a job."""
        return self.app.AsyncResult(job_id).traceback
