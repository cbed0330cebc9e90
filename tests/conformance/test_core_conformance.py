"""The reference core does what every bridge must."""

from datetime import timedelta
from types import MappingProxyType

import pytest

from pytest_jobs import job, retry_on
from pytest_jobs.bridges.core.bridge import ReferenceBridge
from pytest_jobs.conformance import BridgeConformance, DeclaredJobs, bodies
from pytest_jobs.core.foundation.settings import settings

note = job(queue="notes")(bodies.note)
fails = job(bodies.fails)
retries = retry_on(bodies.Flaky, wait=timedelta(seconds=30), attempts=3)(job(bodies.retries))
breaks = job(bodies.breaks)
asserts = retry_on(Exception, wait=timedelta(seconds=1), attempts=3)(job(bodies.asserts))
coroutine = job(bodies.coroutine)


@job
def parent(value):
    note.perform_later(value)


class Core:
    lacks = MappingProxyType(
        {
            "chains": "a job enqueues the one that follows itself",
            "cron": "jobs.recurring fires a schedule instead",
            "headers": "only current attributes travel beside the arguments",
        }
    )
    jobs = DeclaredJobs(note, fails, retries, parent, breaks, asserts, coroutine)

    def bridge(self):
        return ReferenceBridge()

    def enqueue(self, job, args=(), kwargs=None, *, headers=None, **options):
        given = {name: value for name, value in options.items() if value is not None}
        return job.set(**given).perform_later(*args, **(kwargs or {}))

    def patched(self):
        return [_Settings()]


class _Settings:
    """The core's settings have slots."""

    def __init__(self):
        self.adapter = settings._adapter
        self.draw = settings.draw


class TestCore(BridgeConformance):
    @pytest.fixture
    def library(self):
        return Core()
