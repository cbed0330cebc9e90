"""A backend whose queue is a table takes, changes and refuses arguments and results as the table does."""

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
from pytest_jobs.errors import BridgeError

exec("from {family} import signals, task")

ran = []

@task
def work(value):
    ran.append(value)

RESULTS = {{**VALUES, "bytes": b"x", "a set": {{1}}}}

@task
def give(name):
    return RESULTS[name]

def outcomes(perform):
    enqueued = {{name: give.enqueue(name) for name in RESULTS}}
    perform()
    found = {{}}
    for name, result in enqueued.items():
        result.refresh()
        value = json.dumps(result.return_value) if result.is_finished and not result.errors else None
        found[name] = [result.status, value, [e.exception_class_path for e in result.errors]]
    return found

def refuse(task_result, **_):
    raise LookupError("a receiver")

def of_a_receiver_of_the_end(perform):
    result = work.enqueue(value=1)
    signals.task_finished.connect(refuse)
    try:
        perform()
    except LookupError:
        pass
    finally:
        signals.task_finished.disconnect(refuse)
    result.refresh()
    return [result.status, [e.exception_class_path for e in result.errors]]

def of_a_receiver_of_the_enqueue(perform):
    signals.task_enqueued.connect(refuse)
    try:
        work.enqueue(value=1)
    except LookupError:
        pass
    finally:
        signals.task_enqueued.disconnect(refuse)
    ran.clear()
    perform()
    return len(ran)

def answer(value):
    try:
        result = work.enqueue(value=value)
    except Error as error:
        return [type(error).__name__, type(error.__cause__).__name__]
    return json.dumps(work.get_result(result.id).kwargs)

call_command("migrate", verbosity=0)
def rows(perform):
    arguments = {{name: answer(value) for name, value in VALUES.items()}}
    perform()
    return [arguments, outcomes(perform), of_a_receiver_of_the_end(perform), of_a_receiver_of_the_enqueue(perform)]

def worker():
    call_command("db_worker", batch=True, interval=0, startup_delay=False, verbosity=0)

real = rows(worker)
with open_jobs() as jobs:
    predicted = rows(lambda: jobs.drain(raise_errors=False))
    try:
        worker()
    except BridgeError as error:
        refusal = str(error)
print(json.dumps([real, predicted, refusal]))
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


def test_a_table_on_postgresql_changes_and_refuses_arguments_and_results(postgresql_url, tmp_path):  # noqa: F811
    folder = postgresql_url.partition("?host=")[2]
    place = {"NAME": "postgres", "USER": "jobs", "HOST": folder}
    real, predicted, _ = answers(tmp_path, ENGINE="django.db.backends.postgresql", **place)

    assert predicted == real
    arguments, results, finished, performed = real
    assert arguments["NUL"] == ["DataError", "UntranslatableCharacter"]
    assert results["NUL"] == ["FAILED", None, ["django.db.utils.DataError"]]
    assert results["bytes"] == ["FAILED", None, ["builtins.TypeError"]]
    assert (finished, performed) == (["FAILED", ["builtins.LookupError"]], 1)


def test_a_table_on_sqlite_refuses_what_is_not_json(tmp_path):
    engine = "django.db.backends.sqlite3"
    real, predicted, refusal = answers(tmp_path, ENGINE=engine, NAME=str(tmp_path / "db"))

    assert predicted == real
    arguments, results, *_ = real
    assert arguments["NaN"] == ["IntegrityError", "IntegrityError"]
    assert results["NaN"] == ["FAILED", None, ["django.db.utils.IntegrityError"]]
    assert refusal.startswith("The command db_worker was called under the harness")
