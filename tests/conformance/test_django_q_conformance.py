"""The bridge to Django-Q2 does what every bridge must."""

from datetime import UTC, datetime, timedelta
from functools import partial
from types import FunctionType, MappingProxyType

import pytest

pytest.importorskip("django_q")

from importlib import import_module

from django.core.management import call_command
from django_project import configure

from pytest_jobs import django_world
from pytest_jobs.conformance import BridgeConformance, DeclaredJobs, bodies

configure()
tasks = import_module("django_q.tasks")


def here(body):
    """Return a function of the suite as if this module defined it: pickle finds it by its path."""
    function = FunctionType(body.__code__, body.__globals__, body.__name__, body.__defaults__)
    function.__module__ = __name__
    function.__qualname__ = body.__name__
    return function


note = here(bodies.note)
fails = here(bodies.fails)
retries = here(bodies.retries)
breaks = here(bodies.breaks)
hourly = here(bodies.note)
hourly.__name__ = hourly.__qualname__ = "hourly"
asserts = here(bodies.asserts)


def parent(value):
    tasks.async_task(note, value, cluster="notes")


class DjangoQLibrary:
    jobs = DeclaredJobs(note, fails, retries, parent, breaks, asserts, hourly=hourly)
    lacks = MappingProxyType(
        {
            "async": "a worker calls functions",
            "discard": "there are no rules for errors",
            "eta": "a schedule of the database enqueues later",
            "headers": "a task has no place for them",
            "priority": "a cluster has one queue",
            "retry": "a broker delivers a task that failed again, if it keeps tasks",
            "serialise": "pickle takes almost every argument",
            "unique": "a task can be enqueued again",
        }
    )

    def bridge(self):
        from pytest_jobs.bridges.django_q.bridge import DjangoQBridge

        return DjangoQBridge()

    def enqueue(self, job, args=(), kwargs=None, *, queue=None, **options):
        cluster = queue or ("notes" if job is note else None)
        tasks.async_task(job, *args, **(kwargs or {}), cluster=cluster)

    def patched(self):
        from django_q.brokers.redis_broker import Redis

        return [Redis, tasks]


class TestDjangoQ(BridgeConformance):
    @pytest.fixture
    def library(self, request):
        if "recur" in request.node.name:
            request.getfixturevalue("hourly_row")
        return DjangoQLibrary()

    @pytest.fixture
    def surroundings(self):
        models = import_module("django_q.models")
        return partial(django_world, [models.Task, models.Schedule])

    @pytest.fixture
    def hourly_row(self):
        call_command("migrate", "django_q", verbosity=0)
        tasks.schedule(
            f"{__name__}.hourly",
            "hourly",
            schedule_type="H",
            next_run=datetime.now(UTC) + timedelta(minutes=30),
        )
        yield
        call_command("flush", verbosity=0, interactive=False)
