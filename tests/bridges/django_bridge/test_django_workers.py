"""What the bridge says of a killed worker is what the worker of the database backend does."""

import importlib
import importlib.util
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib.metadata import version

import pytest

pytest.importorskip("django.conf", reason="Django is not installed")

from pytest_jobs.bridges.django.bridge import semantics_of
from pytest_jobs.harness.records.bridge import DeliverySemantics

BACKENDS = {"django_tasks_db": "django_tasks_db", "django_tasks.backends.database": "django_tasks"}

SETTINGS = """
SECRET_KEY = "x"
USE_TZ = True
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": {database!r}}}}}
INSTALLED_APPS = {apps!r}
TASKS = {{"default": {{"BACKEND": "{backend}"}}}}
"""

TASKS = """
import os, signal
from {package} import task

@task
def work(how):
    with open({log!r}, "a") as log:
        print(how, file=log)
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "raises":
        raise LookupError(how)
"""

ENQUEUE = """
import django; django.setup()
from killed_tasks import work
for how in ("raises", "killed", "returns"):
    work.enqueue(how)
"""


def installed(name):
    try:
        return importlib.util.find_spec(f"{name}.models") is not None
    except ModuleNotFoundError:
        return False


@pytest.fixture(params=BACKENDS)
def backend(request):
    """Return the name of the database backend's package."""
    if not installed(request.param):
        pytest.skip(f"{request.param} is not installed")
    return request.param


def test_the_database_worker_runs_a_task_at_most_once(backend, tmp_path):
    if backend == "django_tasks.backends.database" and version("django_tasks") < "0.11":
        pytest.skip("its models cannot make a TaskResult on this Python")
    python = _project(backend, tmp_path)
    python("-m", "django", "migrate", "-v0")
    python("-c", ENQUEUE)
    for _ in range(3):
        python("-m", "django", "db_worker", "--batch", "--no-startup-delay", check=False)

    assert (tmp_path / "log").read_text().split() == ["raises", "killed", "returns"]
    with closing(sqlite3.connect(tmp_path / "db")) as database:
        table = "django_tasks_database_dbtaskresult"
        rows = database.execute(f"SELECT status FROM {table} ORDER BY enqueued_at").fetchall()
    assert [status for (status,) in rows][:2] == ["FAILED", "RUNNING"]
    assert semantics_of(
        importlib.import_module(f"{backend}.backend").DatabaseBackend
    ) == DeliverySemantics(
        acknowledged="before",
        redelivered_on_raise=False,
        redelivered_on_kill=False,
        redelivered_on_outage=False,
    )


def _project(backend, path):
    """Make a project; return a function that runs Python in it."""
    import django

    package = "django.tasks" if backend == "django_tasks_db" and django.VERSION >= (6,) else None
    package = package or "django_tasks"
    apps = [backend] if package == "django.tasks" else ["django_tasks", backend]
    settings = SETTINGS.format(
        database=str(path / "db"), apps=apps, backend=f"{backend}.DatabaseBackend"
    )
    (path / "killed_settings.py").write_text(settings)
    (path / "killed_tasks.py").write_text(TASKS.format(package=package, log=str(path / "log")))
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "killed_settings",
        "PYTHONPATH": str(path),
    }

    def python(*arguments, check=True):
        subprocess.run([sys.executable, *arguments], env=environment, cwd=path, check=check)

    return python
