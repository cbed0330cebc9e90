"""The Procrastinate bridge does what every bridge must."""

import inspect
from types import MappingProxyType

import pytest

pytest.importorskip("procrastinate")

import procrastinate
from procrastinate import App, PsycopgConnector, RetryStrategy
from procrastinate.manager import JobManager

from pytest_jobs.bridges.procrastinate.bridge import ProcrastinateBridge
from pytest_jobs.conformance import BridgeConformance, DeclaredJobs, bodies


def declared():
    """Return an app and its tasks. It is no variable of a module: other tests would find its periodic task."""
    app = App(connector=PsycopgConnector(conninfo="host=127.0.0.1 port=1"))
    retry = RetryStrategy(max_attempts=2, wait=30, retry_exceptions=(bodies.Flaky, AssertionError))
    note = app.task(bodies.note, name="note", queue="notes")

    @app.task(name="parent")
    def parent(value):
        note.defer(value=value)

    @app.periodic(cron="0 * * * *")
    @app.task(name="hourly")
    def hourly(timestamp):
        bodies.noted.get().append("hourly")

    return app, DeclaredJobs(
        note,
        app.task(bodies.fails, name="fails"),
        app.task(bodies.retries, name="retries", retry=retry),
        parent,
        app.task(bodies.breaks, name="breaks"),
        app.task(bodies.asserts, name="asserts", retry=retry),
        app.task(bodies.coroutine, name="coroutine"),
        hourly,
    )


class ProcrastinateLibrary:
    survives_exit = True
    app, jobs = declared()
    lacks = MappingProxyType(
        {
            "headers": "a job has its arguments alone",
            "discard": "a job cannot drop itself: `JobAborted` cancels it",
            "chains": "a job that follows is deferred by the job before it",
        }
    )

    def bridge(self):
        return ProcrastinateBridge([self.app])

    def enqueue(
        self, job, args=(), kwargs=None, *, wait=None, queue=None, priority=None, **options
    ):
        names = inspect.signature(job.func).parameters
        schedule = {} if wait is None else {"schedule_in": {"seconds": wait.total_seconds()}}
        deferrer = job.configure(queue=queue, priority=priority, **schedule)
        deferrer.defer(**dict(zip(names, args, strict=False)), **(kwargs or {}))

    def patched(self):
        return [App, JobManager, self.app, self.app.job_manager, procrastinate.utils]


class TestProcrastinate(BridgeConformance):
    @pytest.fixture
    def library(self):
        return ProcrastinateLibrary()
