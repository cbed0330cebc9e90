"""Huey's Django app: its tasks, and those that wait for the commit."""

import os

import pytest

pytest.importorskip("huey")
pytest.importorskip("django")
pytest.importorskip("pytest_django")

SETTINGS = """
SECRET_KEY = "tests"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "huey.contrib.djhuey"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
DEBUG = True
HUEY = {"name": "site", "connection": {"host": "localhost", "port": 1}, "consumer": {"workers": 4}}
"""
TASKS = """
from django.contrib.auth.models import User
from django.db import transaction
from huey import crontab
from huey.contrib.djhuey import db_periodic_task, db_task, lock_task, on_commit_task, task

@task()
def plain(number):
    return number

@db_task(retries=1, retry_delay=60)
def rename(pk, name):
    User.objects.filter(pk=pk).update(username=name)

@on_commit_task()
def welcome(pk):
    return User.objects.get(pk=pk).username

@db_periodic_task(crontab(minute="0"))
@lock_task("tidy")
def tidy():
    return User.objects.count()

def register(name):
    with transaction.atomic():
        user = User.objects.create(username=name)
        welcome(user.pk)
    return user
"""
TESTS = """
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from tasks import plain, register, rename, tidy, welcome

def test_a_task_is_captured(jobs, assert_enqueued):
    plain(7)
    assert_enqueued(plain, args=(7,), queue="site")
    assert jobs.drain() == {"performed": 1}

@pytest.mark.django_db
def test_a_task_sees_the_rows_of_the_test(jobs):
    user = User.objects.create(username="ann")
    rename(user.pk, "bob")
    jobs.drain()
    user.refresh_from_db()
    assert user.username == "bob"

@pytest.mark.django_db
def test_a_task_that_waits_for_the_commit_comes_after_it(jobs, assert_enqueued, assert_not_enqueued):
    with transaction.atomic():
        user = User.objects.create(username="ann")
        welcome(user.pk)
        assert_not_enqueued(welcome)
    jobs.commit()
    assert_enqueued(welcome, args=(user.pk,))
    jobs.drain()
    assert jobs.performed[0].result == "ann"

@pytest.mark.django_db
def test_a_task_of_a_block_that_is_rolled_back_never_comes(jobs):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        welcome(1)
        1 / 0
    assert jobs.enqueued == []

@pytest.mark.django_db
def test_a_periodic_task_comes_each_hour(jobs, assert_performed):
    jobs.clock.move_to(datetime(2030, 1, 1, tzinfo=UTC))
    jobs.run_for(timedelta(hours=2))
    assert_performed(tidy, count=2, result=0)

@pytest.mark.django_db(transaction=True)
def test_with_real_transactions(jobs):
    register("ann")
    jobs.drain()
    assert jobs.performed[0].result == "ann"
"""


def test_a_project_with_the_app(pytester, monkeypatch):
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    pytester.makepyfile(proj_settings=SETTINGS, tasks=TASKS, test_tasks=TESTS)
    pytester.makeini("[pytest]\npythonpath = .\nDJANGO_SETTINGS_MODULE = proj_settings\n")

    # The tests of pytest-jobs keep pytest-django from their inner runs.
    options = os.environ["PYTEST_ADDOPTS"].replace("-p no:django", "")
    monkeypatch.setenv("PYTEST_ADDOPTS", options)
    result = pytester.runpytest_subprocess()

    result.assert_outcomes(passed=6)
