"""A backend whose queue is a table on PostgreSQL takes, changes and refuses arguments as the table does."""

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
    DATABASES={{"default": {{"ENGINE": "django.db.backends.postgresql", **database}}}},
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


def test_a_task_has_the_arguments_of_its_row_or_is_refused(postgresql_url, tmp_path):  # noqa: F811
    (tmp_path / "program.py").write_text(PROGRAM.format(family=FAMILY))
    database = {
        "NAME": "postgres",
        "USER": "jobs",
        "HOST": postgresql_url.partition("?host=")[2],
    }
    given = json.dumps([database, [str(Path(__file__).parents[1])], FAMILY])

    done = subprocess.run(
        [sys.executable, "program.py", given],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )

    real, predicted = json.loads(done.stdout)
    assert predicted == real
    assert real["NUL"] == ["DataError", "UntranslatableCharacter"]
