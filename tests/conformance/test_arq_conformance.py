"""The arq bridge does what every bridge must."""

import functools
import inspect
import json
from types import MappingProxyType

import pytest

pytest.importorskip("arq")

from arq import Retry, cron
from arq.connections import ArqRedis
from arq.jobs import Job
from arq.worker import func

from pytest_jobs.bridges.arq.bridge import ArqBridge
from pytest_jobs.conformance import BridgeConformance, DeclaredJobs, bodies


class Again(bodies.Flaky, Retry):
    """An error for which arq retries a job: it retries for no other."""

    def __init__(self, text):
        super().__init__(defer=30)
        self.text = text

    def __str__(self):
        return self.text


def with_context(body):
    """Return a coroutine function with a `ctx` before the parameters of a body."""

    @functools.wraps(body)
    async def task(ctx, *args, **kwargs):
        result = body(*args, **kwargs)
        return await result if inspect.isawaitable(result) else result

    context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(body).parameters.values()
    task.__signature__ = inspect.Signature([context, *parameters])
    return task


def retrying(value):
    try:
        bodies.retries(value)
    except bodies.Flaky as error:
        raise Again(str(error)) from error


async def parent(ctx, value):
    await ctx["redis"].enqueue_job("note", value)


async def hourly(ctx):
    bodies.noted.get().append("hourly")


def written(value):
    return json.dumps(value).encode()


def client():
    return ArqRedis(
        port=1, job_serializer=written, job_deserializer=json.loads, default_queue_name="notes"
    )


class ArqLibrary:
    """The settings are no variable of a module: other tests would find them, and fire their cron job."""

    class Settings:
        note, fails, breaks, asserts, coroutine = map(
            with_context,
            (bodies.note, bodies.fails, bodies.breaks, bodies.asserts, bodies.coroutine),
        )
        retries = with_context(retrying)
        functions = (
            *(func(each, name=each.__name__) for each in (note, fails, breaks, asserts, coroutine)),
            func(retries, name="retries", max_tries=3),
            parent,
        )
        cron_jobs = (cron(hourly, minute=0),)
        queue_name = "notes"
        job_serializer = written
        job_deserializer = json.loads

    jobs = DeclaredJobs(
        Settings.note,
        Settings.fails,
        Settings.retries,
        parent,
        Settings.breaks,
        Settings.asserts,
        Settings.coroutine,
        hourly,
    )
    flaky = Again
    lacks = MappingProxyType(
        {
            "priority": "arq has no priorities",
            "headers": "a job has its arguments alone",
            "discard": "a job cannot drop itself",
            "chains": "a job that follows is enqueued by the job before it",
        }
    )

    def bridge(self):
        return ArqBridge([self.Settings])

    def enqueue(self, job, args=(), kwargs=None, *, wait=None, queue=None, **options):
        names = {
            task.body: name
            for name, task in ArqBridge([self.Settings]).applications.named[0].tasks.items()
        }
        return client().enqueue_job(
            names[job], *args, _defer_by=wait, _queue_name=queue, **(kwargs or {})
        )

    def patched(self):
        return [ArqRedis, Job]


class TestArq(BridgeConformance):
    @pytest.fixture
    def library(self):
        return ArqLibrary()
