"""Every way to enqueue a Django task ends in the ledger, and none in a backend."""

import asyncio
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from importlib import import_module

import pytest

pytest.importorskip("django.conf", reason="Django is not installed")

from django.test import override_settings

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


class Colour(IntEnum):
    RED = 1


def test_enqueue_records_the_task_and_runs_nothing(jobs, tasks):
    result = tasks.add.enqueue(1, second=2)

    (record,) = jobs.enqueued
    assert (record.name, record.args, record.kwargs) == (
        f"{tasks.__name__}.add",
        (1,),
        {"second": 2},
    )
    assert (record.job, record.job_id, record.bridge) == (tasks.add, result.id, "django")
    assert (record.queue, record.priority, record.wait) == ("default", 0, None)
    assert record.headers == {"backend": "default"}
    assert jobs.deliveries == []


def test_what_the_decorator_and_using_say_is_recorded(jobs, tasks):
    jobs.clock.move_to(NOON)
    tasks.echo.enqueue(1)
    tasks.echo.using(priority=-7, run_after=NOON + timedelta(hours=1)).enqueue(2)
    tasks.add.using(backend="other", queue_name="others").enqueue(3)

    plain, later, other = jobs.enqueued
    assert (plain.queue, plain.priority, plain.due_at) == ("mail", 5, None)
    assert (later.queue, later.priority, later.wait) == ("mail", -7, timedelta(hours=1))
    assert (other.queue, other.headers) == ("others", {"backend": "other"})
    assert list(jobs.scheduled) == [later]


@pytest.mark.parametrize("way", ["enqueue", "aenqueue"])
def test_a_backend_asked_directly_is_taken_over(jobs, tasks, task_backends, package, way):
    default = import_module(package).default_task_backend
    for backend in (task_backends["default"], default):
        result = getattr(backend, way)(tasks.add, [1], {"second": 2})
        if way == "aenqueue":
            asyncio.run(awaited(result))

    assert [record.params for record in jobs.enqueued] == [{"first": 1, "second": 2}] * 2
    assert task_backends["default"].results == []


async def awaited(coroutine):
    return await coroutine


def test_a_backend_that_was_fetched_before_is_taken_over(task_backends, tasks, request):
    kept = task_backends["unreachable"]
    jobs = request.getfixturevalue("jobs")

    kept.enqueue(tasks.reach, [1], {})

    assert len(jobs.enqueued) == 1


@pytest.mark.parametrize("way", ["enqueue", "aenqueue"])
def test_the_real_backend_is_never_contacted(jobs, tasks, way):
    result = getattr(tasks.reach, way)(7)
    if way == "aenqueue":
        result = asyncio.run(awaited(result))
    jobs.drain()
    result.refresh()

    assert result.return_value == 7


def test_a_backend_of_other_settings_is_taken_over_and_each_is_what_it_was(
    jobs, tasks, task_backends, package
):
    settings = {"default": {"BACKEND": f"{tasks.__name__}.UnreachableBackend"}}
    with override_settings(TASKS=settings):
        tasks.add.enqueue(1)

    assert len(jobs.enqueued) == 1
    dummy = import_module(f"{package}.backends.dummy").DummyBackend
    assert type(task_backends["default"]) is dummy
    assert task_backends["default"].alias == "default"


def test_arguments_are_recorded_as_json_has_them(jobs, tasks):
    result = tasks.echo.enqueue((1, 2), b"abc", Colour.RED, nested={"a": ("b",), 3: None})

    (record,) = jobs.enqueued
    assert record.args == ([1, 2], "abc", 1)
    assert type(record.args[2]) is int
    assert record.kwargs == {"nested": {"a": ["b"], "3": None}}
    assert result.args[0] == [1, 2]


@pytest.mark.parametrize("argument", [object(), {1, 2}, NOON])
def test_what_is_not_in_json_is_refused_by_django(jobs, tasks, argument):
    with pytest.raises(TypeError, match="Unsupported type"):
        tasks.add.enqueue(argument)

    assert jobs.enqueued == []


def test_a_naive_run_after_is_local_time_where_django_allows_it(jobs, tasks):
    with override_settings(USE_TZ=False):
        local = NOON.astimezone().replace(tzinfo=None)
        tasks.add.using(run_after=local).enqueue(1)

    assert jobs.enqueued[0].due_at == NOON


def test_a_receiver_that_raises_loses_no_task(jobs, tasks, package):
    signal = import_module(f"{package}.signals").task_enqueued

    def refuse(**kwargs):
        raise LookupError("not today")

    signal.connect(refuse)
    try:
        with pytest.raises(LookupError):
            tasks.add.enqueue(1)
    finally:
        signal.disconnect(refuse)

    assert len(jobs.enqueued) == 1
