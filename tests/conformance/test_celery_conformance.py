"""The Celery bridge does what every bridge must."""

from pathlib import Path
from types import MappingProxyType

import pytest

pytest.importorskip("celery")

from celery import Celery
from celery.schedules import crontab
from celery.utils import time as celery_time

from pytest_jobs.bridges.celery.bridge import CeleryBridge
from pytest_jobs.conformance import BridgeConformance, DeclaredJobs, bodies

app = Celery("conformance", broker="redis://127.0.0.1:1/0", backend="redis://127.0.0.1:1/1")

app.conf.task_routes = {"conformance.note": {"queue": "notes"}}

hourly = app.task(name="conformance.hourly")(bodies.note)
note = app.task(name="conformance.note")(bodies.note)
fails = app.task(bodies.fails)
retries = app.task(autoretry_for=(bodies.Flaky,), max_retries=2, default_retry_delay=30)(
    bodies.retries
)
breaks = app.task(bodies.breaks)
asserts = app.task(autoretry_for=(Exception,), max_retries=2)(bodies.asserts)


@app.task
def parent(value):
    note.delay(value)


class CeleryLibrary:
    survives_exit = True
    lacks = MappingProxyType(
        {"async": "Celery runs functions only", "unique": "Celery has no unique tasks"}
    )
    jobs = DeclaredJobs(note, fails, retries, parent, breaks, asserts, hourly=hourly)

    def bridge(self):
        return CeleryBridge([app])

    def enqueue(self, job, args=(), kwargs=None, *, wait=None, **options):
        countdown = None if wait is None else wait.total_seconds()
        given = {name: value for name, value in options.items() if value is not None}
        return job.apply_async(args, kwargs, countdown=countdown, **given)

    def patched(self):
        tasks = [app.tasks[task.name] for task in (note, fails, retries, breaks, asserts, parent)]
        return [app, app.amqp, app.conf, type(app), type(app.amqp), celery_time, *tasks]


class TestCelery(BridgeConformance):
    @pytest.fixture
    def library(self):
        # No longer than the test: the application would fire in every test of this process.
        app.conf.beat_schedule = {
            "hourly": {"task": hourly.name, "schedule": crontab(minute=0), "args": ("hourly",)}
        }
        yield CeleryLibrary()
        app.conf.beat_schedule = {}


@pytest.mark.wide
def test_it_passes_after_other_tests_too(pytester):
    """The session has kept the classes of the library patched since the first test with a harness."""
    pytester.makepyfile(
        test_first="from celery import Celery\n\n\ndef test_it(jobs):\n    assert Celery()\n",
        test_second=Path(__file__).read_text("utf-8").partition("\n\n@pytest.mark.wide")[0],
    )

    result = pytester.runpytest_subprocess("-p", "no:randomly", "-k", "test_it or as_it_was")

    result.assert_outcomes(passed=3)
