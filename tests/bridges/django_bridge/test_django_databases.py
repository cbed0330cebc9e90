"""Tasks see what the test wrote in its transaction, and the test sees what they wrote."""

import asyncio
from contextlib import nullcontext

import pytest

pytest.importorskip("django.conf", reason="Django is not installed")

from asgiref.sync import async_to_sync, sync_to_async
from django.core.exceptions import SynchronousOnlyOperation
from django.db import connection, connections, transaction


@pytest.fixture
def table(family):
    """Make a table in a transaction, as a TestCase does, which is rolled back."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE visits (visitor TEXT)")
        yield
        transaction.set_rollback(True)
    connection.close()


def visit(visitor):
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO visits VALUES (%s)", [visitor])


def visitors():
    with connection.cursor() as cursor:
        cursor.execute("SELECT visitor FROM visits ORDER BY visitor")
        return [visitor for (visitor,) in cursor.fetchall()]


def test_functions_and_coroutines_use_the_connection_of_the_test_in_whatever_thread(
    jobs, tasks, table
):
    visit("test")
    tasks.call.enqueue(f"{__name__}.visit", ["function"])
    tasks.call_later.enqueue(f"{__name__}.visit", ["coroutine"])
    tasks.call_later.enqueue(f"{__name__}.both_ways", [])
    tasks.call_later.enqueue(f"{__name__}.visitors", [])
    jobs.drain()

    assert visitors() == jobs.performed[3].result == ["both ways", "coroutine", "function", "test"]


def test_the_connections_are_given_back(jobs, tasks, table):
    before = [c.allow_thread_sharing for c in connections.all()]
    tasks.call_later.enqueue(f"{__name__}.fail", [])
    jobs.drain(raise_errors=False)

    assert before == [c.allow_thread_sharing for c in connections.all()] == [False, False]


def fail():
    raise LookupError


def both_ways():
    """Go from a thread to the loop and from there to a thread again."""

    async def on_the_loop():
        await sync_to_async(visit)("both ways")
        await asyncio.sleep(0)

    async_to_sync(on_the_loop)()


def test_receivers_of_the_signals_of_a_coroutine_may_use_the_database(jobs, tasks, table, package):
    from importlib import import_module

    signals = import_module(f"{package}.signals")

    def note(task_result, **kwargs):
        visit(str(task_result.status))

    for signal in (signals.task_started, signals.task_finished):
        signal.connect(note)
    try:
        tasks.nap.enqueue(1)
        jobs.drain()
    finally:
        for signal in (signals.task_started, signals.task_finished):
            signal.disconnect(note)

    assert visitors()[0] == "RUNNING"
    assert len(visitors()) == 2


@pytest.mark.parametrize("inline", [True, False])
def test_an_async_test_drains_and_inline_mode_performs_in_the_thread_of_the_database(
    jobs, tasks, table, inline
):
    """Do as a TestCase does with an async method."""

    async def test():
        with jobs.inline() if inline else nullcontext():
            await tasks.call.aenqueue(f"{__name__}.visit", ["function"])
            await tasks.call_later.aenqueue(f"{__name__}.visit", ["coroutine"])
        if not inline:
            await sync_to_async(jobs.drain)()

    async_to_sync(test)()

    assert visitors() == ["coroutine", "function"]


def test_on_the_loop_of_an_async_test_coroutines_are_performed_and_functions_refused(
    jobs, tasks, table
):
    async def test(task):
        await task.aenqueue(f"{__name__}.visit", ["coroutine"])
        await jobs.adrain()

    async_to_sync(test)(tasks.call_later)
    assert visitors() == ["coroutine"]
    with pytest.raises(SynchronousOnlyOperation, match="use a thread or sync_to_async"):
        async_to_sync(test)(tasks.call)
