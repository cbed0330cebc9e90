"""A job whose only line is the effect charges twice when its worker is killed after it, in every library."""

from __future__ import annotations

import os
import textwrap
from importlib.util import find_spec

import pytest

#: For each library: its module, and how the job is declared.
LIBRARIES = {
    "core": (
        "pytest_jobs",
        """
        from pytest_jobs import job

        @job
        def pay():
            charges.append(7)
        """,
    ),
    "celery": (
        "celery",
        """
        from celery import Celery

        app = Celery("shop", broker="redis://localhost:1")

        @app.task(acks_late=True)
        def pay():
            charges.append(7)
        """,
    ),
    "rq": (
        "rq",
        """
        from redis import Redis
        from rq import Queue

        queue = Queue(connection=Redis(port=1))

        def pay():
            charges.append(7)
        """,
    ),
    "dramatiq": (
        "dramatiq",
        """
        import dramatiq
        from dramatiq.brokers.redis import RedisBroker

        dramatiq.set_broker(RedisBroker(url="redis://localhost:1"))

        @dramatiq.actor
        def pay():
            charges.append(7)
        """,
    ),
    "huey": (
        "huey",
        """
        from huey import RedisHuey

        huey = RedisHuey("shop", url="redis://localhost:1")

        @huey.task()
        def pay():
            charges.append(7)
        """,
    ),
    "taskiq": (
        "taskiq_redis",
        """
        import asyncio
        from taskiq_redis import ListQueueBroker

        broker = ListQueueBroker("redis://localhost:1")

        @broker.task
        async def pay():
            charges.append(7)
        """,
    ),
    "arq": (
        "arq",
        """
        import asyncio
        from arq.connections import ArqRedis

        async def pay(ctx):
            charges.append(7)

        class WorkerSettings:
            functions = [pay]
        """,
    ),
    "saq": (
        "saq",
        """
        import asyncio
        from saq import Queue

        queue = Queue.from_url("redis://localhost:1")

        async def pay(ctx):
            charges.append(7)

        settings = {"queue": queue, "functions": [pay]}
        """,
    ),
    "procrastinate": (
        "procrastinate",
        """
        from procrastinate import App, PsycopgConnector

        app = App(connector=PsycopgConnector(conninfo="host=localhost port=1"))

        @app.task
        def pay():
            charges.append(7)
        """,
    ),
    "django": (
        "django_tasks",
        """
        try:
            from django.tasks import task
        except ImportError:
            from django_tasks import task

        @task
        def pay():
            charges.append(7)
        """,
    ),
    "django_q": (
        "django_q",
        """
        from django_q.tasks import async_task

        def pay():
            charges.append(7)
        """,
    ),
    "apscheduler": (
        "apscheduler",
        """
        from apscheduler.schedulers.background import BackgroundScheduler

        scheduler = BackgroundScheduler(timezone="UTC")

        def pay():
            charges.append(7)
        """,
    ),
}
SETTINGS = """
from importlib.util import find_spec

INSTALLED_APPS = [app for app in ("django_tasks", "django_q") if find_spec(app)]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
Q_CLUSTER = {"redis": {"port": 1}, "timeout": 60, "retry": 120}
SECRET_KEY = "tests"
USE_TZ = True
"""
TESTS = """
import pytest
from pytest_jobs import check_idempotent
from pytest_jobs.errors import NotIdempotent
from shop_{name} import *

def world():
    charges.clear()
    yield lambda: list(charges)

def test_check():
    with pytest.raises(NotIdempotent, match="worker killed here, after the last line, line"):
        check_idempotent(pay, world=world, histories=["crash"])
"""


@pytest.fixture
def libraries(pytester, without_colour, monkeypatch):
    """Make a job and its tests for each library that is installed; return their names."""
    found = [name for name, (module, _) in LIBRARIES.items() if find_spec(module)]
    if find_spec("django"):
        pytester.makepyfile(settings=SETTINGS)
        pytester.makeconftest("import django\n\ndjango.setup()\n")
        monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "settings")
        monkeypatch.setenv("PYTHONPATH", str(pytester.path), prepend=os.pathsep)
    for name in found:
        _, declared = LIBRARIES[name]
        shop = f"charges = []\n{textwrap.dedent(declared)}"
        tests = TESTS.format(name=name)
        files = {f"shop_{name}": shop, f"test_{name}": tests}
        # Of two libraries that enqueue by a name, each has its own.
        pytester.makepyfile(
            **{file: text.replace("pay", f"pay_{name}") for file, text in files.items()}
        )
    return found


def test_a_crash_of_a_check_shows_it(pytester, libraries):
    result = pytester.runpytest_subprocess()

    result.assert_outcomes(passed=len(libraries))
