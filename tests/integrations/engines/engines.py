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
from servers import process, wait_until, wait_until_deserted

from pytest_jobs import CeleryAdapter, RqAdapter

_HERE = str(Path(__file__).parent)
#: How long anything may take on a slow machine, in seconds.
_PATIENCE = 60


class Engine:
    """One engine on one database of a redis-server.

    Args:
        url: of the database, which is emptied.
    """

    #: Where the worker runs that all tests of a module share.
    directory = None

    def __init__(self, url):
        self.url = url
        self.redis = redis.Redis.from_url(url, socket_timeout=2 * _PATIENCE)
        self.empty()
        self.adapter = self.make_adapter()

    def empty(self):
        """Forget all jobs, when no worker of an earlier test could still take one."""
        wait_until_deserted(self.redis)
        self.redis.flushdb()

    def hear(self, timeout=_PATIENCE):
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
    stop = signal.SIGKILL

    def make_adapter(self):
        from celery_setup import make_app

        self.app = make_app(self.url)
        return CeleryAdapter(self.app)

    def command(self, queues):
        quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
        names = ",".join("celery" if name == "default" else name for name in queues)
        options = ("--concurrency=1", "--prefetch-multiplier=1")
        return ("celery", "--quiet", "-A", "celery_setup", "worker", *quiet, *options, "-Q", names)

    def waiting(self):
        """Return the ids of the jobs that wait for a worker."""
        messages = [json.loads(raw) for raw in self.redis.lrange("celery", 0, -1)]
        return [message["headers"]["id"] for message in reversed(messages)]

    def an_hour_passes(self):
        """Wait until what was not acknowledged is old enough for the next worker to notice it when it starts."""
        timeout = int(self.noticing["VISIBILITY_TIMEOUT"])

        def old():
            scored = self.redis.zrange("unacked_index", -1, -1, withscores=True)
            return all(moment < time.time() - timeout for _, moment in scored)

        wait_until(old, "messages to time out")

    def in_no_hands(self, job_ids):
        """Return those jobs that are lost if their worker is killed now.

        Celery's redis transport takes a message out of its queue, and writes down that it has it, in two steps.
        """
        held = [json.loads(raw)[0] for raw in self.redis.hvals("unacked")]
        return job_ids - {message["headers"]["id"] for message in held} - set(self.waiting())

    def left(self, jobs):
        """Return how many of so many jobs have not ended."""
        known = self.redis.llen("celery") + self.redis.hlen("unacked")
        return max(known, jobs - self.redis.scard("done"))

    def is_taken(self, job):
        """Wait until a scheduled job is where it waits for its time: a worker holds it."""
        wait_until(lambda: self.redis.llen("celery") == 0, "a worker to hold what is scheduled")

    def state(self, job_id):
        """Return what the engine says of a job: `done`, `failed`, or what else it is."""
        status = self.app.AsyncResult(job_id).status
        return {"SUCCESS": "done", "FAILURE": "failed"}.get(status, status)

    def error(self, job_id):
        """Return the text of the error that the engine shows of a job."""
        return self.app.AsyncResult(job_id).traceback
