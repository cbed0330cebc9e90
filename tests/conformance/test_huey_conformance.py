"""The Huey bridge does what every bridge must."""

from types import MappingProxyType

import pytest

pytest.importorskip("huey")

import huey.api
from huey import RedisHuey, crontab
from huey.contrib import asyncio as huey_asyncio

from pytest_jobs.bridges.huey.bridge import HueyBridge
from pytest_jobs.conformance import BridgeConformance, DeclaredJobs, bodies

notes = RedisHuey("notes", port=1)
others = RedisHuey("others", port=1)

note = notes.task()(bodies.note)
others.task()(bodies.note)
fails = notes.task()(bodies.fails)
retries = notes.task(retries=2, retry_delay=30)(bodies.retries)
breaks = notes.task()(bodies.breaks)
asserts = notes.task(retries=2)(bodies.asserts)


@notes.task()
def parent(value):
    note(value)


@notes.periodic_task(crontab(minute="0"))
def hourly():
    return bodies.note("hourly")


class HueyLibrary:
    jobs = DeclaredJobs(note, fails, retries, parent, breaks, asserts, hourly=hourly)
    lacks = MappingProxyType(
        {
            "headers": "a task has no headers",
            "async": "Huey refuses coroutine functions",
            "unique": "a lock keeps a task from running, not from being enqueued",
        }
    )

    def bridge(self):
        return HueyBridge([notes])

    def enqueue(
        self, job, args=(), kwargs=None, *, wait=None, queue=None, priority=None, headers=None
    ):
        application = others if queue == "others" else notes
        task = job.s(*args, **(kwargs or {}))
        if application is not job.huey:
            name = f"{job.func.__module__}.{job.func.__name__}"
            task = application._registry.string_to_task(name)(args, kwargs)
        task.priority = priority
        if wait is not None:
            task.eta = huey.api.normalize_time(delay=wait)
        return application.enqueue(task)

    def patched(self):
        return [
            notes,
            others,
            huey.api,
            huey_asyncio,
            huey.api.Huey,
            RedisHuey,
            huey.api.Result,
            huey.api.ResultGroup,
        ]


class TestHuey(BridgeConformance):
    @pytest.fixture
    def library(self):
        return HueyLibrary()
