"""`JobsTestCase` beside the test cases of Django, under its own runner and under pytest."""

import subprocess
import sys

import pytest

pytest.importorskip("django.conf")

SETTINGS = """
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
    INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth"]
    SECRET_KEY = "tests"
    USE_TZ = True
"""
JOBS = """
    from pytest_jobs import job

    @job(queue="mailers")
    def welcome(user_id):
        from django.contrib.auth.models import User
        return User.objects.get(pk=user_id).username

    @job
    async def fetch(page):
        return page
"""
CASES = """
    from django.contrib.auth.models import User
    from django.db import transaction
    from django.test import SimpleTestCase, TestCase, TransactionTestCase
    from pytest_jobs import JobsTestCase
    from shop import fetch, welcome


    def sign_up(name):
        with transaction.atomic():
            user = User.objects.create(username=name)
            transaction.on_commit(lambda: welcome.perform_later(user.pk))
        return user


    class SignUpTest(JobsTestCase, TestCase):
        @classmethod
        def setUpTestData(cls):
            cls.ann = User.objects.create(username="ann")
            welcome.perform_later(cls.ann.pk)

        def setUp(self):
            self.bob = sign_up("bob")

        def test_what_waits_for_the_commit(self):
            self.assert_not_enqueued(welcome)
            self.jobs.commit()
            self.assert_enqueued(welcome, args=[self.bob.pk], queue="mailers")
            self.jobs.drain()
            self.assert_performed(welcome, result="bob")

        def test_what_set_up_test_data_enqueued(self):
            self.assertEqual([record.args for record in self.class_jobs.enqueued], [(self.ann.pk,)])
            self.assertEqual(list(self.jobs.enqueued), [])

        def test_subtests(self):
            for name in ("cid", "dan"):
                with self.subTest(name=name):
                    with self.jobs.capture() as sent, self.captureOnCommitCallbacks(execute=True):
                        user = sign_up(name)
                    self.assert_enqueued(welcome, args=[user.pk], within=sent)

        async def test_coroutine(self):
            fetch.perform_later(3)
            await self.jobs.adrain()
            self.assert_performed(fetch, result=3)


    class TheOtherOrder(TestCase, JobsTestCase):
        def test_it(self):
            user = sign_up("eve")
            self.jobs.commit()
            self.assert_enqueued(welcome, args=[user.pk])


    class CommittedTest(JobsTestCase, TransactionTestCase):
        def test_it(self):
            user = sign_up("fay")
            self.jobs.drain()
            self.assert_performed(welcome, result="fay")


    class WithoutDatabase(JobsTestCase, SimpleTestCase):
        def test_it(self):
            fetch.perform_later(1)
            self.assert_enqueued(fetch)
"""


@pytest.fixture
def project(pytester):
    pytester.makepyfile(settings=SETTINGS, shop=JOBS, test_cases=CASES)
    return pytester.path


def run(project, *arguments):
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_runner_of_django(project):
    result = run(project, "-m", "django", "test", "--settings", "settings", "--pythonpath", ".")

    assert "Ran 7 tests" in result.stderr, result.stderr
    assert result.stderr.rstrip().endswith("OK\nDestroying test database for alias 'default'...")


def test_the_runner_of_django_in_parallel(project):
    result = run(
        project,
        "-m",
        "django",
        "test",
        "--settings",
        "settings",
        "--pythonpath",
        ".",
        "--parallel=2",
    )

    assert "Ran 7 tests" in result.stderr, result.stderr
    assert result.returncode == 0, result.stderr


def test_pytest_django(project, pytester, monkeypatch):
    pytest.importorskip("pytest_django")
    pytester.makeini("[pytest]\nDJANGO_SETTINGS_MODULE = settings")
    monkeypatch.delenv("PYTEST_ADDOPTS")

    pytester.runpytest_subprocess("-p", "no:randomly").assert_outcomes(passed=7)
