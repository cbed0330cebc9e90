"""The SAQ bridge does what every bridge must."""

import functools
import inspect
import time
import uuid
from types import MappingProxyType

import pytest

pytest.importorskip("saq")

import saq
from saq import CronJob, Job, Queue
from saq.queue.redis import RedisQueue

from pytest_jobs.bridges.saq.bridge import SaqBridge
from pytest_jobs.conformance import BridgeConformance, DeclaredJobs, bodies

# The keys of SAQ are of `uuid1`, which asks the system for the address of the machine, once a process.
uuid.getnode()

notes = Queue.from_url("redis://localhost:1", name="notes")
others = Queue.from_url("redis://localhost:1", name="others")


def with_context(body):
    """Return a function that takes the context of a worker before the arguments of the body."""

    @functools.wraps(body)
    def function(ctx, **kwargs):
        return body(**kwargs)

    ctx = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(body).parameters.values()
    function.__signature__ = inspect.Signature([ctx, *parameters])
    return function


note, fails, retries, breaks, asserts = map(
    with_context, (bodies.note, bodies.fails, bodies.retries, bodies.breaks, bodies.asserts)
)


async def coroutine(ctx, value):
    return await bodies.coroutine(value)


async def parent(ctx, value):
    await notes.enqueue("note", value=value)


async def hourly(ctx):
    bodies.note("hourly")


functions = [note, fails, retries, breaks, asserts]
settings = {
    "queue": notes,
    "functions": [*((each.__name__, each) for each in functions), coroutine, parent],
    "cron_jobs": [CronJob(hourly, cron="0 * * * *")],
}
#: How jobs of a function are tried again; SAQ knows that of a job alone.
OPTIONS = {
    "retries": {"retries": 3, "retry_delay": 30},
    "asserts": {"retries": 3},
    "coroutine": {"timeout": 0},
}


async def decide(job):
    for name, value in OPTIONS.get(job.function, {}).items():
        setattr(job, name, value)


notes.register_before_enqueue(decide)


class SaqLibrary:
    jobs = DeclaredJobs(note, fails, retries, parent, breaks, asserts, coroutine, hourly)
    lacks = MappingProxyType(
        {
            "discard": "a function cannot drop its job",
            "unique": "a second job with a `key` that is taken is dropped, and not listed in `jobs.kept_out`",
            "chains": "no job follows upon another one by itself",
        }
    )

    def bridge(self):
        return SaqBridge([notes])

    def enqueue(
        self, job, args=(), kwargs=None, *, wait=None, queue=None, priority=None, headers=None
    ):
        names = [name for name in inspect.signature(job).parameters if name != "ctx"]
        options = {}
        if wait is not None:
            options["scheduled"] = time.time() + wait.total_seconds()
        if priority is not None:
            options["priority"] = priority
        given = {**dict(zip(names, args, strict=False)), **(kwargs or {})}
        sent = Job(job.__name__, kwargs=given, meta=dict(headers or {}), **options)
        return (others if queue == "others" else notes).enqueue(sent)

    def patched(self):
        return [notes, others, saq.utils, Queue, RedisQueue]


class TestSaq(BridgeConformance):
    @pytest.fixture
    def library(self):
        return SaqLibrary()
