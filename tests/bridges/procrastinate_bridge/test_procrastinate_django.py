"""Procrastinate's Django app."""

import os

import pytest

pytest.importorskip("procrastinate")
pytest.importorskip("django")
pytest.importorskip("pytest_django")

SETTINGS = """
SECRET_KEY = "tests"
INSTALLED_APPS = [
    "django.contrib.auth", "django.contrib.contenttypes", "procrastinate.contrib.django",
]
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
    "jobs": {"ENGINE": "django.db.backends.postgresql", "HOST": "127.0.0.1", "PORT": 1},
}
PROCRASTINATE_DATABASE_ALIAS = "jobs"
PROCRASTINATE_AUTODISCOVER_MODULE_NAME = None
PROCRASTINATE_IMPORT_PATHS = ["tasks"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
MIGRATION_MODULES = {"procrastinate": None}
USE_TZ = True
"""
TASKS = """
from django.contrib.auth.models import User
from django.db import transaction
from procrastinate.contrib.django import app

@app.task(name="rename", queue="names", retry=2)
def rename(pk, name):
    User.objects.filter(pk=pk).update(username=name)

@app.task(name="greet")
async def greet(name):
    return f"hello {name}"

@app.periodic(cron="0 * * * *")
@app.task(name="tidy")
def tidy(timestamp):
    return User.objects.count()

def register(name):
    with transaction.atomic():
        user = User.objects.create(username=name)
        transaction.on_commit(lambda: greet.defer(name=name))
    return user
"""
TESTS = """
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from tasks import greet, register, rename, tidy

def test_a_job_is_captured(jobs, assert_enqueued, assert_performed):
    greet.defer(name="ann")
    assert_enqueued(greet, params={"name": "ann"}, queue="default")
    jobs.drain()
    assert_performed(greet, result="hello ann")

@pytest.mark.django_db
def test_a_job_sees_the_rows_of_the_test(jobs):
    user = User.objects.create(username="ann")
    rename.configure(schedule_in={"hours": 1}).defer(pk=user.pk, name="bob")
    jobs.drain()
    user.refresh_from_db()
    assert user.username == "bob"

@pytest.mark.django_db
def test_a_job_that_waits_for_the_commit_comes_after_it(jobs, assert_enqueued, assert_not_enqueued):
    register("ann")
    assert_not_enqueued(greet)
    jobs.commit()
    assert_enqueued(greet, params={"name": "ann"})

@pytest.mark.django_db
def test_a_periodic_task_comes_each_hour(jobs, assert_performed):
    jobs.clock.move_to(datetime(2030, 1, 1, tzinfo=UTC))
    jobs.run_for(timedelta(hours=2))
    assert_performed(tidy, count=2, result=0)

@pytest.mark.django_db(transaction=True)
def test_with_real_transactions(jobs, assert_performed):
    user = register("ann")
    rename.defer(pk=user.pk, name="bob")
    jobs.drain()
    assert User.objects.get().username == "bob"
    assert_performed(greet)
"""


def test_a_project_with_the_app(pytester, monkeypatch):
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    pytester.makepyfile(proj_settings=SETTINGS, tasks=TASKS, test_tasks=TESTS)
    pytester.makeini("[pytest]\npythonpath = .\nDJANGO_SETTINGS_MODULE = proj_settings\n")

    # The tests of pytest-jobs keep pytest-django from their inner runs.
    options = os.environ["PYTEST_ADDOPTS"].replace("-p no:django", "")
    monkeypatch.setenv("PYTEST_ADDOPTS", options)
    result = pytester.runpytest_subprocess()

    result.assert_outcomes(passed=5)
