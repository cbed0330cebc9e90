"""One delivery of a Django task takes it from READY to its end, as a worker does."""

from contextlib import nullcontext
from importlib import import_module

import pytest

pytest.importorskip("django.conf", reason="Django is not installed")

from django.core.exceptions import SynchronousOnlyOperation

from pytest_jobs.bridges.django.attempt import WORKER_ID
from pytest_jobs.errors import CriterionError, UnknownJobError


def test_what_is_returned_is_as_json_has_it_and_a_task_can_have_its_context(jobs, tasks):
    tasks.echo.enqueue(1, a="b")
    tasks.tell.enqueue("a")
    tasks.tell_later.enqueue("b")
    jobs.drain()

    assert [d.result for d in jobs.performed] == [
        {"args": [1], "kwargs": {"a": "b"}},
        ["a", 1, "RUNNING"],
        ["b", 1],
    ]


def test_a_result_that_json_has_not_and_arguments_that_do_not_fit_fail_the_task(jobs, tasks):
    result = tasks.unserialisable.enqueue()
    tasks.add.enqueue(amonut=1)
    deliveries = [jobs.perform(record) for record in jobs.pending]
    result.refresh()

    assert [(d.status, type(d.error)) for d in deliveries] == [("failed", TypeError)] * 2
    assert str(deliveries[0].error) == "Unsupported type: <class 'object'>"
    assert result.errors[0].exception_class is TypeError


@pytest.mark.parametrize("inline", [False, True])
@pytest.mark.parametrize(
    ("name", "end"),
    [("add", "SUCC"), ("refuse", "FAILED"), ("nap", "SUCC"), ("refuse_later", "FAILED")],
)
def test_signals_are_sent_once_each_and_in_order(jobs, tasks, heard, name, end, inline):
    refused = pytest.raises(tasks.Refused) if inline and end == "FAILED" else nullcontext()
    with refused, jobs.inline() if inline else nullcontext():
        getattr(tasks, name).enqueue(1)
    jobs.drain(raise_errors=False)

    assert [(signal, sender) for signal, _, sender in heard] == [
        ("task_enqueued", "DummyBackend"),
        ("task_started", "DummyBackend"),
        ("task_finished", "DummyBackend"),
    ]
    statuses = [status for _, status, _ in heard]
    assert statuses[:2] == ["READY", "RUNNING"]
    assert statuses[2].startswith(end)


def test_a_receiver_that_refuses_the_start_fails_the_task(jobs, tasks, package):
    signal = import_module(f"{package}.signals").task_started

    def refuse(**kwargs):
        raise LookupError("not today")

    signal.connect(refuse)
    tasks.add.enqueue(1)
    try:
        delivery = jobs.perform(jobs.pending[0])
    finally:
        signal.disconnect(refuse)

    assert (delivery.status, str(delivery.error)) == ("failed", "not today")


@pytest.mark.parametrize("redeliveries", [1, 3])
def test_a_redelivery_performs_the_task_again_and_counts_as_an_attempt(jobs, tasks, redeliveries):
    result = tasks.tell.enqueue("a")
    first = jobs.pending[0]
    jobs.perform(first)
    for _ in range(redeliveries):
        jobs.perform(jobs.redeliver(first))
    result.refresh()

    attempts = redeliveries + 1
    assert [d.result[1] for d in jobs.performed] == list(range(1, attempts + 1))
    assert (result.attempts, result.worker_ids) == (attempts, [WORKER_ID] * attempts)


def test_a_killed_worker_leaves_the_task_running(jobs, tasks, heard):
    result = tasks.leave.enqueue()
    record = jobs.pending[0]
    with pytest.raises(KeyboardInterrupt):
        jobs.perform(record)
    result.refresh()

    assert (str(result.status), result.finished_at) == ("RUNNING", None)
    assert [signal for signal, _, _ in heard] == ["task_enqueued", "task_started"]
    assert jobs.deliveries == []
    assert list(jobs.pending) == [record]


def test_the_higher_priority_goes_first(jobs, tasks):
    for priority in (0, 10, -5, 7):
        tasks.echo.using(priority=priority).enqueue(priority)
    jobs.drain()

    assert [d.record.priority for d in jobs.performed] == [10, 7, 0, -5]


def test_a_task_that_no_worker_finds_or_that_is_gone_is_enqueued_and_fails(
    jobs, tasks, monkeypatch
):
    result, gone = tasks.found_under_another_name.enqueue(1), tasks.add
    monkeypatch.delattr(tasks, "add")
    gone.enqueue(1)
    unknown, missing = (jobs.perform(record).error for record in jobs.pending)
    result.refresh()

    assert type(unknown) is type(missing) is UnknownJobError
    assert str(unknown) == (
        f"A worker imports the task from '{tasks.__name__}.hidden', where its function is, and finds "
        f"{tasks.hidden!r}, which is not a Task: give the Task the name of the function, as `@task` does."
    )
    assert str(missing).startswith(
        f"A worker imports the task from '{tasks.__name__}.add', where its function is, and cannot: "
    )
    assert str(result.status) == "FAILED"


def test_a_failed_task_is_logged_with_its_error(jobs, tasks, caplog):
    tasks.refuse.enqueue(7)
    jobs.drain(raise_errors=False)

    (error,) = [entry for entry in caplog.records if entry.levelname == "ERROR"]
    assert error.exc_info[0] is tasks.Refused


@pytest.mark.parametrize("name", ["add", "nap"])
def test_simulated_retries_show_that_there_are_none(jobs, tasks, name):
    timeline = jobs.simulate_retries(getattr(tasks, name), raising=TimeoutError)

    assert (timeline.status, timeline.wait_seconds) == ("failed", [])
    assert jobs.enqueued == []


def test_a_task_cannot_be_told_that_it_is_another_attempt(jobs, tasks):
    tasks.add.enqueue(1, second=2)

    with pytest.raises(CriterionError) as caught:
        jobs.perform(jobs.pending[0], attempt=2)
    assert str(caught.value) == (
        "jobs.perform(record, attempt=2): the jobs of django do not carry the number of their attempt, so add "
        "cannot be told that it is another. Leave attempt= out."
    )
    assert len(jobs.pending) == 1


def test_an_a_verb_that_meets_a_query_says_how_to_drain(jobs, tasks, run):
    tasks.call.enqueue("django.db.transaction.set_autocommit", [True])

    with pytest.raises(SynchronousOnlyOperation) as caught:
        run(jobs.adrain())

    assert "`await sync_to_async(jobs.drain)()`" in caught.value.__notes__[0]


def test_a_receiver_that_refuses_the_end_leaves_the_result_where_there_is_no_table(
    jobs, tasks, package
):
    finished = import_module(f"{package}.signals").task_finished

    def refuse(**given):
        raise LookupError("a receiver")

    finished.connect(refuse)
    try:
        result = tasks.add.enqueue(1)
        with pytest.raises(LookupError):
            jobs.drain()
    finally:
        finished.disconnect(refuse)
    result.refresh()

    assert result.status.startswith("SUCC")
