"""A backend whose queue is a table takes, changes and refuses arguments as the table does."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from servers import postgresql_url  # noqa: F401 - a fixture

pytest.importorskip("django.conf", reason="Django is not installed")
pytest.importorskip("psycopg")

import django

FAMILY = "django.tasks" if django.VERSION >= (6,) else "django_tasks"
if importlib.util.find_spec("django_tasks_db") is None:
    pytest.skip("django-tasks-db is not installed", allow_module_level=True)

PROGRAM = """
import json, sys
import django
from django.conf import settings

database, folders, family = json.loads(sys.argv[1])
sys.path[:0] = folders
settings.configure(
    USE_TZ=True,
    SECRET_KEY="x",
    DATABASES={{"default": database}},
    INSTALLED_APPS=["django_tasks_db", *(["django_tasks"] if family == "django_tasks" else [])],
    TASKS={{"default": {{"BACKEND": "django_tasks_db.DatabaseBackend"}}}},
)
django.setup()

from column_values import VALUES
from django.core.management import call_command
from django.db import Error
from pytest_jobs import open_jobs

exec("from {family} import task")

@task
def work(value):
    pass

def answer(value):
    try:
        result = work.enqueue(value=value)
    except Error as error:
        return [type(error).__name__, type(error.__cause__).__name__]
    return json.dumps(work.get_result(result.id).kwargs)

call_command("migrate", verbosity=0)
real = {{name: answer(value) for name, value in VALUES.items()}}
with open_jobs():
    predicted = {{name: answer(value) for name, value in VALUES.items()}}
print(json.dumps([real, predicted]))
"""


def answers(folder, **database):
    """Return what a table and the harness answer to each value."""
    (folder / "program.py").write_text(PROGRAM.format(family=FAMILY))
    given = json.dumps([database, [str(Path(__file__).parents[1])], FAMILY])
    done = subprocess.run(
        [sys.executable, "program.py", given],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_a_table_on_postgresql_changes_and_refuses_arguments(postgresql_url, tmp_path):  # noqa: F811
    folder = postgresql_url.partition("?host=")[2]
    place = {"NAME": "postgres", "USER": "jobs", "HOST": folder}
    real, predicted = answers(tmp_path, ENGINE="django.db.backends.postgresql", **place)

    assert predicted == real
    assert real["NUL"] == ["DataError", "UntranslatableCharacter"]


def test_a_table_on_sqlite_refuses_what_is_not_json(tmp_path):
    engine = "django.db.backends.sqlite3"
    real, predicted = answers(tmp_path, ENGINE=engine, NAME=str(tmp_path / "db"))

    assert predicted == real
    assert real["NaN"] == ["IntegrityError", "IntegrityError"]
