"""The Oban bridge does what every bridge must."""

from types import MappingProxyType

import pytest

pytest.importorskip("oban")

import oban
import oban._backoff
import oban._executor
from oban import Oban, _scheduler, job
from oban._query import Query
from psycopg_pool import AsyncConnectionPool

from pytest_jobs.bridges.oban.bridge import ObanBridge
from pytest_jobs.conformance import BridgeConformance, DeclaredJobs, bodies

pool = AsyncConnectionPool("postgresql://localhost:1/jobs", open=False)


def declared(instance):
    note = job(queue="notes")(bodies.note)
    retries = job(max_attempts=3)(bodies.retries)
    retries.backoff = lambda worker, job: 30

    async def parent(value):
        await instance.enqueue(note.new(value))

    def hourly():
        bodies.note("hourly")

    return DeclaredJobs(
        note,
        job(max_attempts=1)(bodies.fails),
        retries,
        job()(parent),
        job()(bodies.breaks),
        job(max_attempts=3)(bodies.asserts),
        job()(bodies.coroutine),
        job()(hourly),
    )


class ObanLibrary:
    lacks = MappingProxyType(
        {
            "discard": "a job that returns `Cancel` is cancelled, and no rule drops a job for its error",
            "unique": "unique jobs belong to Oban Pro",
            "chains": "no job follows upon another one by itself",
        }
    )

    def __init__(self):
        self.oban = Oban(pool=pool, name="conformance")
        self.jobs = declared(self.oban)

    def bridge(self):
        return ObanBridge([self.oban])

    async def enqueue(
        self, job, args=(), kwargs=None, *, wait=None, queue=None, priority=None, headers=None
    ):
        changes = {"schedule_in": wait, "queue": queue, "priority": priority, "meta": headers}
        given = {name: value for name, value in changes.items() if value is not None}
        await self.oban.enqueue(job.new(*args, **(kwargs or {})).update(given))

    def patched(self):
        return [Oban, Query, self.oban._query, oban._executor, oban._backoff]


class TestOban(BridgeConformance):
    @pytest.fixture
    def library(self, monkeypatch):
        library = ObanLibrary()
        # Not by `@job(cron=...)`: a test of something else would see the job come.
        monkeypatch.setattr(_scheduler, "_scheduled_entries", [])
        _scheduler.register_scheduled("0 * * * *", library.jobs.hourly)
        return library
