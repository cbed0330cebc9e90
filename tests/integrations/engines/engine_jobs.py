"""Jobs for the workers of engines. What happens to them they tell in a list in redis."""

import json
import os
import signal
import time

from redis import Redis

from pytest_jobs import (
    CurrentAttributes,
    Job,
    attribute,
    discard_on,
    limits_concurrency,
    retry_on,
    unique,
)

URL = os.environ.get("ENGINE_JOBS_URL", "redis://127.0.0.1:1/0")
#: Seconds that a test may take to let a job go on: a machine may be slow.
PATIENCE = 180
redis = Redis.from_url(URL, socket_timeout=2 * PATIENCE)


def tell(job, said, **more):
    """Say something of a job that runs, for the test to hear."""
    payload = job.payload
    known = {"job_id": payload.job_id, "attempt": payload.attempt, "at_ns": time.time_ns()}
    redis.rpush("told", json.dumps({"said": said, **known, **more}))


def session():
    """Return a session for the models of jobs, of a library that only they need."""
    from engine_members import Session

    return Session()


class Current(CurrentAttributes):
    tenant: str | None = attribute(default=None)


class Say(Job):
    def perform(self, said, due_ns=None):
        tell(self, said, tenant=Current.tenant, due_ns=self.payload.due_ns)


class SayLater(Job):
    """A coroutine job."""

    async def perform(self, said):
        tell(self, said)


class Flaky(ConnectionError): ...


class Gone(Exception): ...


@retry_on(Flaky, wait=1, attempts=3)
@discard_on(Gone)
class Fragile(Job):
    """Fails as often as it is told to, and is given up by rule if need be."""

    def perform(self, failures, gone=False):
        attempt = self.payload.attempt
        tell(self, f"attempt {attempt}", tenant=Current.tenant, due_ns=self.payload.due_ns)
        if attempt <= failures:
            raise Gone("gone") if gone else Flaky(f"failure {attempt}")


@retry_on(Flaky, wait=0, attempts=3, queue="low")
class Moving(Job):
    """Is retried in another queue."""

    def perform(self, failures):
        tell(self, f"attempt {self.payload.attempt} in {self.payload.queue}")
        if self.payload.attempt <= failures:
            raise Flaky


class Broken(Job):
    def perform(self):
        tell(self, "broken")
        raise ValueError("no rule knows this")


@unique(key="user_id", ttl=600)
class Sync(Job):
    def perform(self, user_id):
        tell(self, f"synced {user_id}")


@unique(key="user_id", ttl=600, on_conflict="replace")
class Replaced(Job):
    def perform(self, user_id, version):
        tell(self, f"{user_id} is {version}")


@limits_concurrency(key="account", duration=600)
class Import(Job):
    """Goes on when it is told to."""

    def perform(self, account, said):
        tell(self, said)
        redis.blpop(f"go on {said}", timeout=PATIENCE)


@unique(until="while_executing")
@limits_concurrency(duration=600)
class Killed(Job):
    """Says which process runs it, and goes on when it is told to."""

    def perform(self):
        tell(self, "begun", pid=os.getpid())
        if redis.blpop("go on", timeout=PATIENCE):
            tell(self, "done")


class Poison(Job):
    """Kills the process that runs it."""

    def perform(self):
        tell(self, "swallowed")
        os.kill(os.getpid(), signal.SIGKILL)


# An effect and the key that it was done under, in one step.
_EFFECT = """
if redis.call('SADD', 'done', ARGV[1]) == 1 then
  redis.call('RPUSH', 'effects', ARGV[1])
end
"""


@retry_on(Flaky, wait=0, attempts=3)
@unique(key="key", ttl=600)
class Keyed(Job):
    """Does its effect under its key. May fail at first, and may wait to be killed before or after the effect."""

    def perform(self, key, doomed=None):
        redis.incr("runs")
        first = redis.hincrby("runs of", key) == 1
        if first and doomed == "before":
            self._wait_to_be_killed()
        if key % 10 == 0 and self.payload.attempt == 1:
            raise Flaky
        redis.eval(_EFFECT, 0, key)
        if first and doomed == "after":
            self._wait_to_be_killed()

    def _wait_to_be_killed(self):
        redis.rpush("doomed", os.getpid())
        redis.blpop("nothing", timeout=PATIENCE)
