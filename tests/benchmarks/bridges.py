"""What each bridge costs, beside the library's own way through the same job."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

from celery import Celery
from celery.concurrency.solo import TaskPool
from celery.worker.request import Request
from django.conf import settings
from measure import loop, median
from rows import Row
from taskiq import InMemoryBroker

from pytest_jobs import open_jobs
from pytest_jobs.bridges.libraries.capture import HeldSeams, bridge_module

_CALLS = 1_000
_BUDGET = 1.3
_SETUP_BUDGET_US = 1_000.0
_UNUSED_BUDGET_US = 20.0

celery_app = Celery("bench", broker="redis://127.0.0.1:1/0", backend="redis://127.0.0.1:1/1")
memory_app = Celery("memory", broker="memory://", backend="cache+memory://")
taskiq_broker = InMemoryBroker(await_inplace=True)


@celery_app.task(shared=False)
def celery_task(number: int) -> int:
    """Do nothing."""
    return number


@memory_app.task(shared=False)
def memory_task(number: int) -> int:
    """Do nothing."""
    return number


@taskiq_broker.task
def taskiq_task(number: int) -> int:
    """Do nothing."""
    return number


def django_task(number: int) -> int:
    """Do nothing; a task once Django is set up."""
    return number


def bridged(applications: list[Any], enqueue: Callable[[int], object]) -> Callable[[int], float]:
    """Return a run that enqueues and drains through a bridge."""

    def run(calls: int) -> float:
        with open_jobs(apps=applications) as jobs:
            start = time.process_time()
            enqueue(calls)
            tally = jobs.drain()
            seconds = time.process_time() - start
        assert tally.total == calls
        assert len(jobs.performed) == calls
        return seconds

    return run


def set_up(applications: list[Any]) -> float:
    def once() -> None:
        with open_jobs(apps=applications):
            pass

    return median(loop(once), 200)


def unused(library: str) -> float:
    """Return what a test pays for a library that is imported, while the session keeps it patched."""
    module, held = bridge_module(library), HeldSeams()
    nowhere: Any = None

    def once(*, kept: bool = False) -> None:
        bridge = module.bridge(())
        bridge.install(nowhere, float)
        if kept:
            held.hold(bridge)
        bridge.uninstall()

    once(kept=True)
    try:
        return median(loop(once), 2_000, 5)
    finally:
        held.close()


# Celery


def celery_enqueue(calls: int) -> None:
    for _ in range(calls):
        celery_task.delay(7)


def celery_alone(calls: int) -> float:
    """Publish to a broker in memory, fetch each message, and perform it as a solo worker does."""
    pool = TaskPool(1, app=memory_app)
    task = memory_app.tasks[memory_task.name]
    performed = 0
    with memory_app.connection_for_read() as connection:
        queue = memory_app.amqp.queues[memory_app.conf.task_default_queue].bind(
            connection.default_channel
        )
        queue.declare()
        queue.purge()
        memory_app.set_current()
        start = time.process_time()
        for _ in range(calls):
            memory_task.delay(7)
        while (message := queue.get(no_ack=True)) is not None:
            Request(message, app=memory_app, task=task).execute_using_pool(pool)
            performed += 1
        seconds = time.process_time() - start
    assert performed == calls
    return seconds


# Taskiq


def taskiq_enqueue(calls: int) -> None:
    async def enqueue() -> None:
        for _ in range(calls):
            await taskiq_task.kiq(7)

    asyncio.run(enqueue())


def taskiq_alone(calls: int) -> float:
    async def enqueue() -> float:
        start = time.process_time()
        for _ in range(calls):
            await taskiq_task.kiq(7)
        return time.process_time() - start

    return asyncio.run(enqueue())


# Procrastinate


def procrastinate_workloads() -> tuple[Any, Callable[[int], None], Callable[[int], float]]:
    """Return an app, what defers jobs of it, and a run in its own connector for tests."""
    import procrastinate
    from procrastinate.testing import InMemoryConnector

    app = procrastinate.App(connector=InMemoryConnector())

    @app.task(name="bench")
    async def task(number: int) -> int:
        return number

    def enqueue(calls: int) -> None:
        for _ in range(calls):
            task.defer(number=7)

    def alone(calls: int) -> float:
        async def work() -> float:
            with app.replace_connector(InMemoryConnector()):
                start = time.process_time()
                for _ in range(calls):
                    await task.defer_async(number=7)
                await app.run_worker_async(
                    wait=False, install_signal_handlers=False, listen_notify=False
                )
                return time.process_time() - start

        return asyncio.run(work())

    return app, enqueue, alone


# Django


def django_tasks() -> tuple[str, Callable[..., Any]]:
    """Configure Django, and return its tasks: the built-in ones, or those of the backport."""
    try:
        import django.tasks

        package = "django.tasks"
    except ImportError:
        package = "django_tasks"
    backend = f"{package}.backends.immediate.ImmediateBackend"
    settings.configure(
        USE_TZ=True,
        INSTALLED_APPS=["django_tasks"] if package == "django_tasks" else [],
        TASKS={"default": {"BACKEND": backend}},
    )
    import importlib

    import django

    django.setup()
    return package, importlib.import_module(package).task


def bridge_rows() -> Iterator[Row]:
    package, task = django_tasks()
    globals()["django_task"] = declared = task(django_task)

    def django_enqueue(calls: int) -> None:
        for _ in range(calls):
            declared.enqueue(7)

    django_alone = loop(declared.enqueue, 7)
    app, defer, procrastinate_alone = procrastinate_workloads()
    for library, name, applications, enqueue, alone in (
        ("celery", "celery", [celery_app], celery_enqueue, celery_alone),
        ("django", package, ["django"], django_enqueue, django_alone),
        ("taskiq", "taskiq", [taskiq_broker], taskiq_enqueue, taskiq_alone),
        ("procrastinate", "procrastinate", [app], defer, procrastinate_alone),
    ):
        # The connector of Procrastinate looks at every job for each one.
        calls = _CALLS // 10 if library == "procrastinate" else _CALLS
        ours = median(bridged(applications, enqueue), calls, 5)
        theirs = median(alone, calls, 5)
        shown = f"{ours:.1f} us / {theirs:.1f} us"
        yield Row(f"{name}: enqueue + drain / its own path", shown, ours / theirs, _BUDGET)
        opened = set_up(applications)
        yield Row(
            f"{name}: set-up and teardown", f"{opened:.1f} us", opened, _SETUP_BUDGET_US, "us"
        )
        idle = unused(library)
        yield Row(
            f"{name}: imported and not used, a test",
            f"{idle:.1f} us",
            idle,
            _UNUSED_BUDGET_US,
            "us",
        )
