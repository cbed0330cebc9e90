"""Every way to defer a job ends in a record, and nothing else."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("procrastinate")

import procrastinate
import psycopg
from procrastinate import Blueprint, SyncPsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException, TaskNotFound
from procrastinate.testing import InMemoryConnector


@pytest.fixture
def add(app):
    @app.task(name="add", queue="sums", priority=3, lock="sums")
    def add(a, b=0):
        return a + b

    return add


def test_a_job_makes_a_record(jobs, add):
    job_id = add.defer(a=1, b=2)

    (record,) = jobs.enqueued
    assert (record.bridge, record.name, record.job) == ("procrastinate", "add", add)
    assert (record.args, record.kwargs, record.params) == ((), {"a": 1, "b": 2}, {"a": 1, "b": 2})
    assert (record.job_id, record.attempt, record.due_at) == (str(job_id), 1, None)
    assert (record.queue, record.priority, record.payload) == ("sums", 3, '{"a": 1, "b": 2}')


def test_every_asynchronous_way_makes_a_record(jobs, app, add, run):
    async def defer():
        async with app.open_async():
            await add.defer_async(a=1)
            await add.configure(queue="other").defer_async(a=2)
            await add.batch_defer_async({"a": 3}, {"a": 4})
            await app.configure_task("add").defer_async(a=5)
            await asyncio.gather(*(add.defer_async(a=n) for n in (6, 7)))

    run(defer())

    assert [record.kwargs["a"] for record in jobs.enqueued] == [1, 2, 3, 4, 5, 6, 7]


def test_every_synchronous_way_makes_a_record_also_in_a_running_loop(jobs, app, add, run):
    async def defer():
        add.defer(a=6)

    with app.open():
        add.batch_defer({"a": 1}, {"a": 2})
        add.configure(task_kwargs={"b": 5}).defer(a=3)
        app.configure_task("add", queue="other").defer(a=4)
        add.configure(connection=object()).defer(a=5)
    run(defer())

    assert [record.kwargs["a"] for record in jobs.enqueued] == [1, 2, 3, 4, 5, 6]
    assert jobs.enqueued[2].kwargs == {"a": 3, "b": 5}
    assert jobs.enqueued[3].queue == "other"


@pytest.mark.parametrize(
    ("schedule", "due"),
    [
        ({"schedule_in": {"hours": 1}}, timedelta(hours=1)),
        ({"schedule_at": datetime(2099, 1, 1, tzinfo=UTC)}, datetime(2099, 1, 1, tzinfo=UTC)),
        ({"schedule_at": datetime(2020, 1, 1, tzinfo=UTC)}, None),
    ],
    ids=["in", "at", "past"],
)
def test_a_job_is_due_when_it_is_scheduled(jobs, add, schedule, due):
    add.configure(**schedule).defer(a=1)

    found = jobs.enqueued[0].due_at
    expected = datetime.now(UTC) + due if isinstance(due, timedelta) else due
    assert found == expected or abs(found - expected) < timedelta(seconds=60)


def test_the_higher_priority_is_performed_first(jobs, app):
    seen = []

    @app.task(name="see")
    def see(n):
        seen.append(n)

    for n, priority in enumerate([1, 9, -5]):
        see.configure(priority=priority).defer(n=n)
    jobs.drain()

    assert seen == [1, 0, 2]


def test_tasks_of_blueprints_by_their_alias_and_of_another_service_are_found(jobs, app):
    blueprint = Blueprint()

    @blueprint.task(name="sync")
    def sync(x):
        return x

    app.add_tasks_from(blueprint, namespace="crm")
    app.task(lambda: 7, name="new", aliases=["old"])
    sync.defer(x=1)
    app.configure_task("old").defer()
    jobs.drain()

    assert [each.record.name for each in jobs.performed] == ["crm:sync", "new"]
    assert [each.result for each in jobs.performed] == [1, 7]
    app.configure_task("elsewhere").defer(x=1)
    assert (jobs.enqueued[2].job, jobs.enqueued[2].kwargs) == ("elsewhere", {"x": 1})
    with pytest.raises(TaskNotFound):
        app.configure_task("elsewhere", allow_unknown=False)


def test_apps_of_any_connector_have_ids_of_their_own(make_app, open_over):
    first, second = make_app(), make_app(SyncPsycopgConnector)
    tasks = [app.task(lambda: None, name=name) for app, name in ((first, "a"), (second, "b"))]
    with open_over() as jobs:
        for task in tasks:
            task.defer()

        assert [(record.job, record.job_id) for record in jobs.enqueued] == [
            (tasks[0], "1"),
            (tasks[1], "2"),
        ]


@pytest.mark.parametrize("value", ["a\0b", float("nan"), "\ud800", {"\0": 1}])
def test_json_that_the_column_refuses_is_refused_with_the_error_of_the_library(jobs, add, value):
    with pytest.raises(ConnectorException) as refused:
        add.defer(a=value)

    assert isinstance(refused.value.__cause__, psycopg.DataError)
    assert jobs.enqueued == []


def test_arguments_have_the_order_and_types_of_the_column_and_go_through_the_connectors_functions(
    jobs, add, make_app, open_over
):
    add.defer(total=1, a=(1, 2), b=3)
    assert list(jobs.enqueued[0].kwargs.items()) == [("a", [1, 2]), ("b", 3), ("total", 1)]

    app = make_app(json_dumps=lambda value: json.dumps(value, default=str), json_loads=json.loads)
    task = app.task(lambda at: at, name="note")
    with open_over(app) as inner:
        task.defer(at=datetime(2030, 1, 1, tzinfo=UTC))

        assert inner.enqueued[0].kwargs == {"at": "2030-01-01 00:00:00+00:00"}


def test_an_app_whose_connector_has_no_database_refuses_nothing(open_over):
    app = procrastinate.App(connector=InMemoryConnector())
    task = app.task(lambda text: text, name="note")
    with open_over(app) as jobs:
        task.defer(text="a\0b")
        jobs.drain()

        assert jobs.performed[0].result == "a\0b"


def test_a_queueing_lock_keeps_a_second_job_out_and_a_batch_of_two(jobs, add):
    deferrer = add.configure(queueing_lock="one")
    with pytest.raises(AlreadyEnqueued):
        deferrer.batch_defer({"a": 1}, {"a": 2})
    assert jobs.enqueued == []
    deferrer.defer(a=1)

    with pytest.raises(AlreadyEnqueued, match="with the queueing lock one"):
        deferrer.defer(a=2)

    kept_out = jobs.kept_out[-1]
    assert (kept_out.kwargs, kept_out.kept_out_by) == ({"a": 2}, jobs.enqueued[0])
    jobs.drain()
    deferrer.defer(a=3)
    assert [record.kwargs["a"] for record in jobs.enqueued] == [1, 3]


def test_jobs_are_listed_and_cancelled(jobs, app, add, run):
    first, second = add.defer(a=1), add.configure(queue="other").defer(a=2)

    listed = app.job_manager.list_jobs()
    assert [(job.task_name, job.queue, job.status) for job in listed] == [
        ("add", "sums", "todo"),
        ("add", "other", "todo"),
    ]
    assert app.job_manager.cancel_job_by_id(first)
    assert run(app.job_manager.cancel_job_by_id_async(second, delete_job=True))
    assert not app.job_manager.cancel_job_by_id(first)
    assert not app.job_manager.cancel_job_by_id(77)
    assert jobs.pending == []
    assert app.job_manager.get_job_status(first).value == "cancelled"


def test_a_failed_job_is_put_back_by_hand(jobs, app, run):
    if "retry_job_v2" not in procrastinate.sql.queries["retry_job"]:
        pytest.skip("the schema of Procrastinate 3.3 refuses that")

    fail = [True]

    @app.task(name="flaky")
    def flaky():
        if fail:
            raise ValueError

    job_id = flaky.defer()
    jobs.drain(raise_errors=False)
    assert app.job_manager.get_job_status(job_id).value == "failed"
    fail.clear()

    app.job_manager.retry_job_by_id(job_id, retry_at=datetime.now(UTC))

    assert [record.attempt for record in jobs.pending] == [3]
    assert jobs.drain() == {"performed": 1}
    assert len(jobs.enqueued) == 1
