"""The Django bridge does what every bridge must."""

import types
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType

import pytest

pytest.importorskip("django.conf", reason="Django is not installed")

from django.test import override_settings
from django_project import configure

from pytest_jobs.bridges.django.bridge import DjangoBridge
from pytest_jobs.conformance import BridgeConformance, DeclaredJobs, bodies

PACKAGE = "django.tasks" if find_spec("django.tasks") else "django_tasks"
SETTINGS = override_settings(
    TASKS={"default": {"BACKEND": f"{PACKAGE}.backends.dummy.DummyBackend", "QUEUES": []}}
)

configure()
task = import_module(PACKAGE).task


def here(function):
    """Return the function as one of this module, where a worker looks for its task."""
    copy = types.FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__
    )
    copy.__module__ = __name__
    return copy


with SETTINGS:
    note = task(queue_name="notes")(here(bodies.note))
    fails = task(here(bodies.fails))
    retries = task(here(bodies.retries))
    breaks = task(here(bodies.breaks))
    asserts = task(here(bodies.asserts))
    coroutine = task(here(bodies.coroutine))

    @task
    def parent(value):
        note.enqueue(value)


class DjangoLibrary:
    survives_exit = True
    lacks = MappingProxyType(
        {
            "chains": "a task enqueues the one that follows itself",
            "cron": "Django tasks have no schedule, and jobs.recurring fires one",
            "discard": "Django tasks have no rules for errors",
            "headers": "a task carries nothing but its arguments",
            "retry": "Django tasks are not retried",
            "unique": "Django tasks have no locks",
        }
    )
    jobs = DeclaredJobs(note, fails, retries, parent, breaks, asserts, coroutine)

    def bridge(self):
        return DjangoBridge()

    def enqueue(
        self, job, args=(), kwargs=None, *, wait=None, queue=None, priority=None, headers=None
    ):
        run_after = None if wait is None else datetime.now(UTC) + wait
        changed = job.using(run_after=run_after, queue_name=queue, priority=priority)
        return changed.enqueue(*args, **(kwargs or {}))

    def patched(self):
        handler = import_module(PACKAGE).task_backends
        return [type(handler), type(handler["default"])]


class TestDjangoTasks(BridgeConformance):
    @pytest.fixture
    def library(self):
        with SETTINGS:
            yield DjangoLibrary()
