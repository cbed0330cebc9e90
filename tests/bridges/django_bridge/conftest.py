"""A Django project, a family of tasks, and an open harness."""

from __future__ import annotations

from importlib import import_module

import family_tasks
import pytest

from pytest_jobs.bridges.core.bridge import ReferenceBridge
from pytest_jobs.harness.jobs import Jobs


@pytest.fixture(scope="session")
def _django():
    from django_project import configure

    configure()


@pytest.fixture(params=family_tasks.installed())
def family(request, _django):
    """Return the name of one of the families that are installed, whose backends are in the settings."""
    from django.test import override_settings

    with override_settings(TASKS=family_tasks.settings_of(request.param)):
        yield request.param


@pytest.fixture
def package(family):
    """Return the name of the package of the family."""
    return family_tasks.PACKAGES[family]


@pytest.fixture
def tasks(family):
    """Return the tasks of the family."""
    return family_tasks.load(family)


@pytest.fixture
def task_backends(package):
    """Return what the backends are taken from."""
    return import_module(package).task_backends


@pytest.fixture
def bridge(family):
    """Return a bridge that is not installed."""
    from pytest_jobs.bridges.django.bridge import DjangoBridge

    return DjangoBridge()


@pytest.fixture
def jobs(bridge):
    """Return a harness with the bridge."""
    with Jobs([ReferenceBridge(), bridge]) as jobs:
        yield jobs


@pytest.fixture
def heard(package):
    """Return the list of the signals that are sent: their names, and the status they were sent with."""
    signals = import_module(f"{package}.signals")
    heard = []
    receivers = {}
    for name in ("task_enqueued", "task_started", "task_finished"):

        def hear(sender, task_result, name=name, **kwargs):
            heard.append((name, str(task_result.status), sender.__name__))

        receivers[name] = hear
        getattr(signals, name).connect(hear)
    yield heard
    for name, hear in receivers.items():
        getattr(signals, name).disconnect(hear)
