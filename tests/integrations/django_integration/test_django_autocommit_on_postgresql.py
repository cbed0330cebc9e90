"""On PostgreSQL a statement that fails spoils its transaction: a job in autocommit mode goes on as in a worker."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from servers import postgresql_url  # noqa: F401 - a fixture

pytest.importorskip("django.conf", reason="Django is not installed")
pytest.importorskip("psycopg")

PROGRAM = """
import json, sys

import django
from django.conf import settings

place = json.loads(sys.argv[1])
settings.configure(
    USE_TZ=True, SECRET_KEY="x", DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", **place}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
)
django.setup()

from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import Error, connection, transaction
from django.test import TestCase
from pytest_jobs import job, open_jobs

call_command("migrate", verbosity=0)

def tried(call):
    try:
        return str(call())
    except Exception as error:
        return type(error).__name__

def answers():
    Group.objects.all().delete()
    Group.objects.create(name="a")
    yield tried(lambda: Group.objects.create(name="a"))
    yield tried(Group.objects.count)
    yield tried(lambda: connection.cursor().execute("select 1/0"))
    yield tried(Group.objects.count)
    yield tried(lambda: list(Group.objects.select_for_update()))
    with transaction.atomic():
        yield tried(lambda: len(Group.objects.select_for_update()))
    yield tried(lambda: transaction.set_rollback(True))
    yield tried(lambda: Group.objects.filter(name="a").delete()[0])

@job(enqueue_after_commit=False)
def work():
    return list(answers())

class Case(TestCase):
    pass

real = list(answers())
Case.setUpClass()
case = Case("__init__")
case._pre_setup()
with open_jobs() as jobs:
    work.perform_later()
    jobs.drain()
    made = jobs.performed[0].result
case._post_teardown()
print(json.dumps([real, made]))
"""


@pytest.mark.slow
def test_a_job_in_a_test_case_goes_as_in_a_worker(postgresql_url, tmp_path):  # noqa: F811
    place = {"NAME": "postgres", "USER": "jobs", "HOST": postgresql_url.partition("?host=")[2]}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(place)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    real, made = json.loads(done.stdout)

    assert made == real
    assert real[:5] == ["IntegrityError", "1", "DataError", "1", "TransactionManagementError"]
