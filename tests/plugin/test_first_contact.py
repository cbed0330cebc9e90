"""The first test of a project, with no setting and with a broker at port 1 that cannot be reached.

Each runs in a process of its own. The environments of tox for the versions of each library run this file too.
"""

import sys
from importlib.util import find_spec

import pytest

DJANGO_TASKS = "django.tasks"
if find_spec("django") is not None and find_spec("django.tasks") is None:
    DJANGO_TASKS = "django_tasks"

SETTINGS = f"""
    SECRET_KEY = "secret"
    INSTALLED_APPS = ["shop"]
    DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}}
    USE_TZ = True
    TASKS = {{"default": {{"BACKEND": "{DJANGO_TASKS}.backends.dummy.DummyBackend"}}}}
    CELERY_TASK_ALWAYS_EAGER = True
"""
MANAGE = """
    import os
    import sys

    from django.core.management import execute_from_command_line

    os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
    execute_from_command_line(sys.argv)
"""


def django_project(pytester, **files):
    pytester.makepyfile(settings=SETTINGS, manage=MANAGE)
    pytester.mkpydir("shop")
    pytester.makepyfile(**{f"shop/{name}": text for name, text in files.items()})


def manage_test(pytester):
    return pytester.run(sys.executable, "-W", "error", "manage.py", "test", "-v", "2")


def test_of_celery(pytester):
    pytest.importorskip("celery")
    pytester.makepyfile(
        proj="""
        from celery import Celery

        app = Celery("proj", broker="redis://localhost:1/0", backend="redis://localhost:1/1")

        @app.task
        def charge(number):
            return number
        """,
        test_proj="""
        from proj import charge

        def test_it(jobs, assert_enqueued, assert_performed):
            result = charge.delay(7)
            assert_enqueued(charge, args=(7,))
            jobs.drain()
            assert_performed(charge, args=(7,))
            assert result.get() == 7
        """,
    )

    pytester.runpytest_subprocess().assert_outcomes(passed=1)


@pytest.mark.wide
def test_of_taskiq(pytester):
    pytest.importorskip("taskiq_redis")
    pytester.makepyfile(
        proj="""
        from taskiq_redis import ListQueueBroker

        broker = ListQueueBroker("redis://localhost:1")

        @broker.task
        async def charge(number: int) -> int:
            return number
        """,
        test_proj="""
        import asyncio
        from proj import charge

        def test_it(jobs, assert_enqueued, assert_performed):
            asyncio.run(charge.kiq(7))
            assert_enqueued(charge, args=(7,))
            jobs.drain()
            assert_performed(charge, args=(7,))
        """,
    )

    pytester.runpytest_subprocess().assert_outcomes(passed=1)


@pytest.mark.wide
def test_of_django_tasks(pytester):
    pytest.importorskip(DJANGO_TASKS)
    django_project(
        pytester,
        jobs=f"""
        from {DJANGO_TASKS} import task

        @task
        def charge(number):
            return number
        """,
    )
    pytester.makeconftest("""
        import os

        import django

        os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
        django.setup()
    """)
    pytester.makepyfile("""
        from shop.jobs import charge

        def test_it(jobs, assert_enqueued, assert_performed):
            charge.enqueue(7)
            assert_enqueued(charge, args=(7,))
            jobs.drain()
            assert_performed(charge, args=(7,))
    """)

    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_of_django_tasks_under_manage_py(pytester):
    pytest.importorskip(DJANGO_TASKS)
    django_project(
        pytester,
        jobs=f"""
        from {DJANGO_TASKS} import task

        @task
        def charge(number):
            return number
        """,
        tests="""
        from django.test import TestCase
        from pytest_jobs import JobsTestCase
        from shop.jobs import charge

        class ChargeTest(JobsTestCase, TestCase):
            def test_it(self):
                charge.enqueue(7)
                self.assert_enqueued(charge, args=(7,))
                self.jobs.drain()
                self.assert_performed(charge, args=(7,))
        """,
    )

    result = manage_test(pytester)

    assert result.ret == 0
    result.stderr.fnmatch_lines(["Ran 1 test in *", "OK"])


def test_of_celery_under_manage_py(pytester):
    pytest.importorskip("celery")
    pytest.importorskip("django")
    django_project(
        pytester,
        jobs="""
        from celery import Celery, shared_task

        app = Celery("shop", broker="redis://localhost:1/0")
        app.config_from_object("django.conf:settings", namespace="CELERY")

        @shared_task
        def charge(number):
            return number
        """,
        tests="""
        from django.test import TestCase
        from pytest_jobs import JobsTestCase
        from shop.jobs import charge

        class ChargeTest(JobsTestCase, TestCase):
            def test_it(self):
                charge.delay(7)
                self.assert_enqueued(charge, args=(7,))
                self.assert_not_performed(charge)
                self.jobs.drain()
                self.assert_performed(charge, args=(7,))
        """,
    )

    result = manage_test(pytester)

    assert result.ret == 0
    result.stderr.fnmatch_lines(["Ran 1 test in *", "OK"])
