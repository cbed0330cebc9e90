"""`refresh`, `get_result` and `aget_result` are served from the deliveries of the harness."""

import asyncio
from datetime import UTC, datetime, timedelta
from importlib import import_module

import pytest

pytest.importorskip("django.conf", reason="Django is not installed")

from pytest_jobs.bridges.core.bridge import ReferenceBridge
from pytest_jobs.harness.jobs import Jobs

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_result_is_what_it_was_until_it_is_refreshed(jobs, tasks, asynchronous):
    result = tasks.add.enqueue(1)
    result.refresh()
    assert (str(result.status), result.is_finished, result.attempts) == ("READY", False, 0)
    with pytest.raises(ValueError, match="Task has not finished yet"):
        _ = result.return_value

    jobs.drain()

    assert str(result.status) == "READY"
    asyncio.run(result.arefresh()) if asynchronous else result.refresh()
    assert (result.is_finished, result.return_value) == (True, 1)
    found = tasks.add.get_result(result.id)
    assert found.return_value == 1
    assert asyncio.run(tasks.add.aget_result(result.id)).return_value == 1


def test_the_times_are_those_of_the_clock(jobs, tasks):
    jobs.clock.move_to(NOON)
    result = tasks.add.using(run_after=NOON + timedelta(hours=1)).enqueue(1)
    jobs.drain()
    record = jobs.performed[0].record
    jobs.clock.advance(60)
    jobs.perform(jobs.redeliver(record))
    result.refresh()

    assert result.enqueued_at == NOON
    assert result.started_at == NOON + timedelta(hours=1)
    assert result.last_attempted_at == result.finished_at == NOON + timedelta(hours=1, seconds=60)


def test_a_failed_task_tells_its_error(jobs, tasks):
    result = tasks.refuse.enqueue(7)
    jobs.drain(raise_errors=False)
    result.refresh()

    (error,) = result.errors
    assert error.exception_class is tasks.Refused
    assert error.traceback.endswith("Refused: no 7\n")
    assert "in refuse" in error.traceback
    with pytest.raises(ValueError, match="Task failed"):
        _ = result.return_value


def test_get_result_of_another_task_is_a_mismatch(jobs, tasks, package):
    result = tasks.add.enqueue(1)

    with pytest.raises(import_module(f"{package}.exceptions").TaskResultMismatch):
        tasks.refuse.get_result(result.id)


@pytest.mark.parametrize("name", ["add", "reach"])
def test_an_id_that_nobody_has_does_not_exist(jobs, tasks, package, name):
    with pytest.raises(
        import_module(f"{package}.exceptions").TaskResultDoesNotExist, match="nowhere"
    ):
        getattr(tasks, name).get_result("nowhere")


def test_results_can_be_changed_without_consequences(jobs, tasks):
    result = tasks.echo.enqueue([1])
    jobs.drain()
    for _ in range(2):
        found = tasks.echo.get_result(result.id)
        assert found.args == [[1]]
        assert found.return_value["args"] == [[1]]
        assert len(found.worker_ids) == 1
        found.args[0].append(2)
        found.return_value["args"].clear()
        found.worker_ids.clear()


def test_a_harness_inside_knows_the_results_of_the_one_outside(jobs, tasks, bridge):
    result = tasks.add.enqueue(1)
    jobs.drain()
    with Jobs([ReferenceBridge(), type(bridge)()]):
        result.refresh()

    assert result.return_value == 1


def test_a_sandbox_has_results_of_its_own(jobs, tasks, bridge):
    result = tasks.add.enqueue(1)
    record = jobs.pending[0]
    with bridge.sandbox(jobs.harness.ledger):
        bridge.perform(record, now_ns=0, around=lambda call: call())
        inside = tasks.add.get_result(result.id)
    result.refresh()

    assert (inside.return_value, str(result.status)) == (1, "READY")


def test_metadata_is_kept_where_the_family_has_it(jobs, tasks):
    result = tasks.mark.enqueue()
    if not hasattr(result, "metadata"):
        pytest.skip("this version has no metadata")
    jobs.drain()
    result.refresh()

    assert result.metadata == {"saved": 1, "before": {"saved": 1}, "asaved": 2}


def test_a_uuid_is_the_id(jobs, tasks):
    from uuid import UUID

    result = tasks.add.enqueue(1)

    assert (str(UUID(result.id)), UUID(result.id).version) == (result.id, 4)
