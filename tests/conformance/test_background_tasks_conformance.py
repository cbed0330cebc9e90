"""The bridge to background tasks of Starlette does what every bridge must."""

from types import FunctionType, MappingProxyType

import pytest

pytest.importorskip("starlette")

import asyncio

from starlette.applications import Starlette
from starlette.background import BackgroundTask, BackgroundTasks

from pytest_jobs.conformance import BridgeConformance, DeclaredJobs, bodies
from pytest_jobs.conformance.case import sent_record


def here(body):
    """Return a function of the suite as if this module defined it, where an application finds it by its path."""
    function = FunctionType(body.__code__, body.__globals__, body.__name__, body.__defaults__)
    function.__module__ = __name__
    function.__qualname__ = body.__name__
    return function


note = here(bodies.note)
fails = here(bodies.fails)
retries = here(bodies.retries)
breaks = here(bodies.breaks)
asserts = here(bodies.asserts)
coroutine = here(bodies.coroutine)


def parent(value):
    asyncio.run(BackgroundTask(note, value)())


class BackgroundTasksLibrary:
    jobs = DeclaredJobs(note, fails, retries, parent, breaks, asserts, coroutine)
    lacks = MappingProxyType(
        {
            "chains": "a task runs after the one before it, and ends with it if that fails",
            "cron": "there are no schedules",
            "discard": "there are no rules for errors",
            "eta": "a task runs once the response has been sent",
            "headers": "a task has its arguments alone",
            "priority": "tasks run in the order in which they were added",
            "retry": "a task that fails is not tried again",
            "serialise": "a task gets the objects themselves",
            "unique": "a task can be added again",
        }
    )

    def bridge(self):
        from pytest_jobs.bridges.background_tasks import BackgroundTasksBridge

        return BackgroundTasksBridge()

    def enqueue(self, job, args=(), kwargs=None, **options):
        return BackgroundTask(job, *args, **(kwargs or {}))()

    def patched(self):
        return [Starlette, BackgroundTask, BackgroundTasks]


class TestBackgroundTasks(BridgeConformance):
    @pytest.fixture
    def library(self):
        return BackgroundTasksLibrary()

    def test_a_record_has_the_declared_queue(self, library, jobs):
        assert sent_record(jobs, library, note, 7).queue is None

    def test_a_record_has_the_queue_that_was_asked_for(self):
        pytest.skip("background_tasks: there are no queues")
