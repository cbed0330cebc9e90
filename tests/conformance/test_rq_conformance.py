"""The RQ bridge does what every bridge must."""

from types import FunctionType, MappingProxyType

import pytest

pytest.importorskip("rq")
pytest.importorskip("lupa")

from redis import Redis
from rq import Queue, Retry
from rq.cron import CronScheduler
from rq.decorators import job
from rq.job import Job
from rq.registry import BaseRegistry

from pytest_jobs.bridges.rq.bridge import RqBridge
from pytest_jobs.conformance import BridgeConformance, DeclaredJobs, bodies

redis = Redis(port=1)


def job_of(body, lane="default", *, name=None, **options):
    """Return a function of the suite as if this module defined it under `@job`."""
    name = name or body.__name__
    function = FunctionType(body.__code__, body.__globals__, name, body.__defaults__)
    function.__module__, function.__qualname__ = __name__, name
    return job(lane, connection=redis, **options)(function)


note = job_of(bodies.note, "notes")
hourly = job_of(bodies.note, name="hourly")
fails = job_of(bodies.fails)
retries = job_of(bodies.retries, retry=Retry(max=2, interval=30))
breaks = job_of(bodies.breaks)
asserts = job_of(bodies.asserts, retry=Retry(max=2))
coroutine = job_of(bodies.coroutine)


@job("default", connection=redis)
def parent(value):
    note.delay(value)


def hourly_scheduler():
    """Return a scheduler that no module has: it would fire in every test of this process."""
    scheduler = CronScheduler(redis)
    scheduler.register(hourly, "default", args=("hourly",), cron="0 * * * *")
    return scheduler


notes = Queue("notes", connection=redis)


class RqLibrary:
    survives_exit = True
    jobs = DeclaredJobs(note, fails, retries, parent, breaks, asserts, coroutine, hourly)
    lacks = MappingProxyType(
        {
            "discard": "a job cannot drop itself",
            "priority": "a queue has a front, and the order of queues is the priority",
            "serialise": "pickle takes almost every argument",
            "unique": "a second job of the same id is refused, by RQ's own error",
        }
    )

    def bridge(self):
        return RqBridge([hourly_scheduler()])

    def enqueue(self, job, args=(), kwargs=None, *, wait=None, queue=None, headers=None, **_):
        if wait is None and queue is None and headers is None:
            return job.delay(*args, **(kwargs or {}))
        where = notes if queue is None else Queue(queue, connection=redis)
        options = {"args": args, "kwargs": kwargs or {}, "meta": headers}
        if wait is None:
            return where.enqueue(job, **options)
        return where.enqueue_in(wait, job, **options)

    def patched(self):
        return [notes, Queue, Job, BaseRegistry]


class TestRq(BridgeConformance):
    @pytest.fixture
    def library(self):
        return RqLibrary()
