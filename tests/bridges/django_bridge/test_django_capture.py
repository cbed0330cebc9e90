"""Whatever backend a task goes to, the task is captured, and whenever the backend or its class is made."""

import os
import subprocess
import sys
from importlib import import_module

import family_tasks
import pytest

pytest.importorskip("django.conf", reason="Django is not installed")

from asgiref.sync import async_to_sync
from django.test import override_settings

from pytest_jobs import open_jobs
from pytest_jobs.bridges.django.bridge import DjangoBridge, bridge as make_bridge
from pytest_jobs.errors import BridgeError
from pytest_jobs.harness.jobs import Jobs


@pytest.fixture
def base(package):
    """Return a class that backends are derived from."""

    class Base(import_module(f"{package}.backends.base").BaseTaskBackend):
        save_metadata = None  # abstract in django-tasks 0.11

    return Base


def test_a_backend_that_an_application_keeps_is_captured(tasks, task_backends, bridge):
    kept = task_backends["immediate"]
    with Jobs([bridge]) as jobs:
        kept.enqueue(tasks.hurry, [1], {})
        tasks.reach.enqueue(2)

        assert [record.args for record in jobs.enqueued] == [(1,), (2,)]


def test_a_backend_of_a_class_that_is_made_later_is_captured(jobs, tasks, base):
    class Later(base):
        def enqueue(self, task, args, kwargs):
            raise ConnectionError("the real backend was contacted")

        async def aenqueue(self, task, args, kwargs):
            raise ConnectionError("the real backend was contacted")

        def get_result(self, result_id):
            raise ConnectionError("the real backend was contacted")

    backend = Later("default", {"QUEUES": []})
    results = [
        backend.enqueue(tasks.add, [1], {}),
        async_to_sync(backend.aenqueue)(tasks.add, [2], {}),
    ]
    jobs.drain()

    assert [record.args for record in jobs.enqueued] == [(1,), (2,)]
    assert [backend.get_result(result.id).return_value for result in results] == [1, 2]


def test_an_enqueue_that_calls_super_runs_and_one_that_captures_nothing_is_an_error(
    jobs, tasks, task_backends, base
):
    class Tenant(type(task_backends["default"])):
        def enqueue(self, task, args, kwargs):
            return super().enqueue(task, [*args, 5], kwargs) if args else None

        async def aenqueue(self, task, args, kwargs):
            return await super().aenqueue(task, [args[0] + 1], kwargs)

    backend = Tenant("default", {"QUEUES": []})
    backend.enqueue(tasks.add, [1], {})
    async_to_sync(backend.aenqueue)(tasks.add, [1], {})

    assert [record.args for record in jobs.enqueued] == [(1, 5), (2, 5)]
    with pytest.raises(BridgeError, match=r"Tenant\.enqueue returned and no message was captured"):
        backend.enqueue(tasks.add, [], {})


def test_a_backend_that_hands_on_to_another_lands_in_that_one(jobs, tasks, task_backends, base):
    class Routing(base):
        supports_async_task = supports_defer = supports_priority = True

        def enqueue(self, task, args, kwargs):
            return self.backend.enqueue(task, args, kwargs)

    backend = Routing("routing", {"QUEUES": []})
    backend.backend = task_backends["other"]
    result = backend.enqueue(tasks.add.using(queue_name="others"), [1], {})

    assert (result.backend, len(jobs.enqueued)) == ("other", 1)


def test_the_settings_that_are_not_used_are_described(family, package):
    dummy = {"BACKEND": f"{package}.backends.dummy.DummyBackend"}
    described = []
    for settings in ({"default": dummy}, {"default": dummy, "a": dummy, "b": dummy}, {}, 5):
        with override_settings(TASKS=settings):
            described.append(DjangoBridge().described())

    assert described == [
        "TASKS default (DummyBackend) is not used",
        "TASKS default (DummyBackend) and 2 more are not used",
        "",
        "",
    ]


def test_the_version_is_that_of_django_and_of_the_backport():
    import django

    version = DjangoBridge().version
    assert version.split()[0] == django.__version__
    assert ("with django-tasks" in version) == ("backport_family_tasks" in family_tasks.installed())


UNCONFIGURED = """
import importlib
from django.conf import settings
from pytest_jobs import open_jobs
from pytest_jobs.bridges.core.bridge import ReferenceBridge
from pytest_jobs.bridges.django.bridge import bridge
from pytest_jobs.harness.jobs import Jobs

made = bridge([])
assert made.described() == ""
with Jobs([ReferenceBridge(), made]) as jobs:
    assert not settings.configured
    settings.configure(TASKS={{"default": {{"BACKEND": "{package}.backends.immediate.ImmediateBackend"}}}})
    task = importlib.import_module("{package}").task

    @task
    def add(a, b):
        return a + b

    add.enqueue(1, b=2)
    print([(record.name, record.params) for record in jobs.enqueued])
"""


@pytest.mark.parametrize("family", family_tasks.installed())
def test_settings_may_be_configured_while_a_harness_is_open(family):
    clean = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    script = UNCONFIGURED.format(package=family_tasks.PACKAGES[family])
    done = subprocess.run(
        [sys.executable, "-c", script], env=clean, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[('__main__.add', {'a': 1, 'b': 2})]"


def test_nobody_who_asked_for_nothing_gets_an_error_of_settings(family):
    with override_settings(TASKS={}):
        assert make_bridge([]).name == "django"


def test_a_harness_for_django_has_no_need_of_named_backends(tasks):
    with open_jobs(apps=["django"]) as jobs:
        tasks.add.enqueue(1)

        assert jobs.drain() == {"performed": 1}
