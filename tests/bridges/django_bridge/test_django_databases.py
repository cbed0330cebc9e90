"""Tasks see what the test wrote in its transaction, and the test sees what they wrote."""

import asyncio

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


def test_a_function_uses_the_connection_of_the_test(jobs, tasks, table):
    visit("test")
    tasks.call.enqueue(f"{__name__}.visit", ["task"])
    jobs.drain()

    assert visitors() == ["task", "test"]


def test_a_coroutine_uses_the_connection_of_the_test(jobs, tasks, table):
    visit("test")
    tasks.call_later.enqueue(f"{__name__}.visit", ["task"])
    tasks.call_later.enqueue(f"{__name__}.visitors", [])
    jobs.drain()

    assert jobs.performed[1].result == ["task", "test"]
    assert visitors() == ["task", "test"]


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


def test_a_coroutine_may_change_threads_to_and_fro(jobs, tasks, table):
    tasks.call_later.enqueue(f"{__name__}.both_ways", [])
    jobs.drain()

    assert visitors() == ["both ways"]


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


def test_an_async_test_drains_in_the_thread_of_the_database(jobs, tasks, table):
    """Do as a TestCase does with an async method."""

    async def test():
        await tasks.call.aenqueue(f"{__name__}.visit", ["function"])
        await tasks.call_later.aenqueue(f"{__name__}.visit", ["coroutine"])
        await sync_to_async(jobs.drain)()

    async_to_sync(test)()

    assert visitors() == ["coroutine", "function"]


def test_inline_mode_performs_in_the_thread_of_the_database_too(jobs, tasks, table):
    async def test():
        with jobs.inline():
            await tasks.call.aenqueue(f"{__name__}.visit", ["function"])
            await tasks.call_later.aenqueue(f"{__name__}.visit", ["coroutine"])

    async_to_sync(test)()

    assert visitors() == ["coroutine", "function"]


def test_coroutines_are_performed_on_the_loop_of_an_async_test(jobs, tasks, table):
    async def test():
        await tasks.call_later.aenqueue(f"{__name__}.visit", ["coroutine"])
        await jobs.adrain()

    async_to_sync(test)()

    assert visitors() == ["coroutine"]


def test_a_function_that_uses_the_database_is_refused_on_the_loop_of_an_async_test(
    jobs, tasks, table
):
    async def test():
        await tasks.call.aenqueue(f"{__name__}.visit", ["function"])
        await jobs.adrain()

    with pytest.raises(SynchronousOnlyOperation, match="use a thread or sync_to_async"):
        async_to_sync(test)()
