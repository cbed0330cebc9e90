"""The tasks that the tests of the Django bridge enqueue, declared once for each family.

`load` runs this file under a name of its own for each family, since a Task is known by its module.
"""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from importlib import import_module
from types import ModuleType

from django_project import configure

PACKAGES = {"builtin_family_tasks": "django.tasks", "backport_family_tasks": "django_tasks"}


def installed() -> list[str]:
    """Return the names of the families that can be imported here."""
    return [name for name, package in PACKAGES.items() if _is_there(package)]


def settings_of(name: str) -> dict[str, dict[str, object]]:
    """Return what TASKS is in the tests of a family."""
    package = PACKAGES[name]
    return {
        "default": {"BACKEND": f"{package}.backends.dummy.DummyBackend", "QUEUES": []},
        "other": {"BACKEND": f"{package}.backends.dummy.DummyBackend", "QUEUES": ["others"]},
        "immediate": {"BACKEND": f"{package}.backends.immediate.ImmediateBackend"},
        "unreachable": {"BACKEND": f"{name}.UnreachableBackend"},
    }


def load(name: str) -> ModuleType:
    """Return the tasks of a family."""
    configure()
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, __file__)
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


def _is_there(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:
        return False


if __name__ in PACKAGES:
    from asgiref.sync import sync_to_async
    from django.test import override_settings
    from django.utils.module_loading import import_string

    package = PACKAGES[__name__]
    task = import_module(package).task
    base = import_module(f"{package}.backends.base")

    class UnreachableBackend(base.BaseTaskBackend):
        """Supports nothing beyond the least, and must not be contacted."""

        def enqueue(self, task, args, kwargs):
            raise ConnectionError("the real backend was contacted")

        async def aenqueue(self, task, args, kwargs):
            raise ConnectionError("the real backend was contacted")

        def get_result(self, result_id):
            raise ConnectionError("the real backend was contacted")

        def save_metadata(self, result_id, metadata):
            raise ConnectionError("the real backend was contacted")

        async def asave_metadata(self, result_id, metadata):
            raise ConnectionError("the real backend was contacted")

    class Refused(Exception):
        pass

    with override_settings(TASKS=settings_of(__name__)):

        @task
        def add(first, second=0):
            return first + second

        @task(priority=5, queue_name="mail")
        def echo(*args, **kwargs):
            return {"args": args, "kwargs": kwargs}

        @task
        def refuse(number):
            raise Refused(f"no {number}")

        @task
        def unserialisable():
            return object()

        @task(takes_context=True)
        def tell(context, label):
            return [label, context.attempt, str(context.task_result.status)]

        @task(takes_context=True)
        async def mark(context):
            if not hasattr(context, "metadata"):
                return
            result = context.task_result
            context.metadata["saved"] = 1
            context.save_metadata()
            context.metadata["before"] = mark.get_result(result.id).metadata
            context.metadata["asaved"] = 2
            await context.asave_metadata()

        @task
        async def nap(seconds):
            await asyncio.sleep(seconds)
            return seconds

        @task
        async def refuse_later(number):
            raise Refused(f"no {number}")

        @task(takes_context=True)
        async def tell_later(context, label):
            return [label, context.attempt]

        @task
        def add_and_echo(first):
            echo.enqueue(first)

        @task
        async def nap_and_add(seconds):
            await add.aenqueue(seconds)

        @task
        def call(path, args):
            return import_string(path)(*args)

        @task
        async def call_later(path, args):
            return await sync_to_async(import_string(path))(*args)

        @task
        def leave():
            raise KeyboardInterrupt

        @task(backend="unreachable")
        def reach(number):
            return number

        @task(backend="immediate")
        def hurry(number):
            return number

        def hidden(number):
            return number

        found_under_another_name = task(hidden)
