"""From the word "django" in `jobs_apps` to a bridge, or to an error that says what to do."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("django.conf", reason="Django is not installed")

ASK = """
import sys
from pytest_jobs.bridges.opening import bridges_to
{before}
try:
    print([bridge.name for bridge in bridges_to(["django"])])
except Exception as error:
    print(f"{{type(error).__name__}}: {{error}}")
"""


def ask(before="", **environment):
    """Return what comes of naming Django, in a process of its own since settings are process-wide."""
    clean = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    return subprocess.run(
        [sys.executable, "-c", ASK.format(before=before)],
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def configured(**settings):
    return f"from django.conf import settings; settings.configure(**{settings!r})"


def hidden(*packages):
    """Return code that lets packages seem not to be installed."""
    return f"""
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *args: None if name in {packages!r} else find(name, *args)
"""


def test_settings_that_are_there_lead_to_a_bridge():
    assert ask(configured()) == "['django']"


def test_without_settings_it_says_what_to_set():
    assert ask().startswith("ApplicationError: The settings of Django cannot be read (")
    assert ask().endswith(
        "set DJANGO_SETTINGS_MODULE, or install pytest-django and write `DJANGO_SETTINGS_MODULE = "
        '"proj.settings"` into the configuration of pytest.'
    )


def test_a_settings_module_that_is_not_there_is_named():
    answer = ask(DJANGO_SETTINGS_MODULE="nowhere.settings")

    assert answer.startswith(
        "ApplicationError: The settings of Django cannot be read (No module named 'nowhere'): "
    )


def test_settings_without_any_backend_are_an_error():
    assert ask(configured(TASKS={})) == (
        "ApplicationError: TASKS in the settings of Django is empty, so no task can be enqueued: name a backend "
        'there, as in TASKS = {"default": {"BACKEND": "django.tasks.backends.dummy.DummyBackend"}}, or leave '
        "TASKS out."
    )


def test_a_django_without_tasks_needs_the_backport():
    assert ask(configured() + hidden("django.tasks", "django_tasks")) == (
        "ApplicationError: This Django has no tasks of its own: they came with Django 6.0. Upgrade Django, or "
        "install the backport: pip install django-tasks."
    )


def test_a_version_without_a_seam_is_an_error():
    before = (
        configured()
        + hidden("django.tasks")
        + "import django_tasks.base; django_tasks.__version__ = '0.99.1'; del django_tasks.base.normalize_json"
    )
    pytest.importorskip("django_tasks")

    assert ask(before).startswith(
        "UnknownVersionError: django-tasks 0.99.1 has no django_tasks.base.normalize_json, and pytest-jobs "
    )
