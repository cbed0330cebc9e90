"""The database backend makes rows: a task that a rollback takes back was not enqueued."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("django.conf", reason="Django is not installed")

import django
from servers import postgresql_url  # noqa: F401 - a fixture

TESTS = Path(__file__).parents[2]

PROJECT = """
import django
from django.conf import settings

settings.configure(
    DATABASES={{"default": {database!r}}},
    INSTALLED_APPS={apps!r},
    SECRET_KEY="tests",
    TASKS={{"default": {{"BACKEND": "django_tasks_db.DatabaseBackend"}}}},
    USE_TZ=True,
)
django.setup()

from blocks_of_django import compared, refused
from django.core.management import call_command
from django_tasks_db.models import DBTaskResult
from pytest_jobs import open_jobs
from {package} import task

@task
def work(number): ...

def rows():
    found = [row.args_kwargs["kwargs"]["number"] for row in DBTaskResult.objects.order_by("enqueued_at")]
    DBTaskResult.objects.all().delete()
    return found

call_command("migrate", verbosity=0)
for name, (real, shown) in compared(lambda number: work.enqueue(number=number), rows).items():
    print(name, real, shown)
    assert real == shown, name
with open_jobs():
    ids = []
    refused(lambda number: ids.append(work.enqueue(number=number).id), 1)
    try:
        print(work.get_result(ids[0]))
        raise SystemExit("a task that was taken back has a result")
    except Exception as error:
        assert type(error).__name__ == "TaskResultDoesNotExist", error
"""


@pytest.mark.skipif(not find_spec("django_tasks_db"), reason="django-tasks-db is not installed")
@pytest.mark.parametrize("kind", ["sqlite3", pytest.param("postgresql", marks=pytest.mark.slow)])
def test_the_harness_shows_what_the_table_has(tmp_path, request, kind):
    database = {"ENGINE": f"django.db.backends.{kind}", "NAME": str(tmp_path / "db")}
    if kind == "postgresql":
        conninfo = pytest.importorskip("psycopg.conninfo")
        found = conninfo.conninfo_to_dict(request.getfixturevalue("postgresql_url"))
        database |= {"NAME": found["dbname"], "USER": found["user"], "HOST": found["host"]}
    package = "django.tasks" if django.VERSION >= (6,) else "django_tasks"
    apps = ["django_tasks_db", *(["django_tasks"] if package == "django_tasks" else [])]
    project = PROJECT.format(database=database, apps=apps, package=package)
    (tmp_path / "project.py").write_text(project)
    path = {"PYTHONPATH": ":".join([*sys.path, str(TESTS), str(TESTS.parent)])}

    subprocess.run(
        [sys.executable, "-W", "error", "project.py"], cwd=tmp_path, env=path, check=True
    )
