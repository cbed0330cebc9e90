"""Results are those of performed tasks, and nothing waits for ever."""

import asyncio

import pytest

pytest.importorskip("huey")

from huey import RedisHuey
from huey.contrib.asyncio import aget_result, aget_result_group
from huey.exceptions import TaskException

from pytest_jobs.errors import NotPerformedError


@pytest.fixture
def work(huey):
    return huey.task(name="work")(lambda value=None: value)


def test_a_result_or_an_error_is_there_and_waited_for_once_the_task_was_performed(jobs, huey, work):
    result, task_id = work(7), work(8).id
    results = work.map([1, 2])
    failed = huey.task(name="fails")(lambda: 1 / 0)()
    assert result.get() is None

    jobs.drain(raise_errors=False)

    assert (result.get(), huey.result(task_id), huey.result(task_id)) == (7, 8, None)
    with pytest.raises(TaskException, match="ZeroDivisionError"):
        failed.get()
    assert list(results.as_completed()) == [1, 2]
    assert [asyncio.run(aget_result(each)) for each in results] == [1, 2]
    assert results[0] == 1


@pytest.mark.parametrize(
    "wait",
    [
        lambda work: work(7).get(blocking=True),
        lambda work: work(7).get(blocking=True, timeout=5),
        lambda work: work(7)(blocking=True),
        lambda work: work.huey.result(work(7).id, blocking=True),
        lambda work: asyncio.run(aget_result(work(7))),
        lambda work: list(work.map([1, 2]).as_completed()),
        lambda work: work.map([1, 2])[0],
        lambda work: asyncio.run(aget_result_group(work.map([1, 2]))),
    ],
    ids=["get", "timeout", "call", "id", "coroutine", "as_completed", "index", "several"],
)
def test_waiting_for_a_task_that_nobody_performs_is_an_error(jobs, work, wait):
    with pytest.raises(NotPerformedError, match="drain"):
        wait(work)


def test_waiting_for_none_is_an_error_since_huey_does_not_keep_it(jobs, work):
    result = work(None)
    jobs.drain()

    with pytest.raises(NotPerformedError) as caught:
        result.get(blocking=True)
    assert str(caught.value) == (
        f"The task {result.id} was performed, and Huey kept no result of it, so waiting for one would never end: "
        "Huey keeps no None without `store_none=True`, and a result is read once."
    )


def test_a_huey_that_keeps_none_returns_it(open_over):
    huey = RedisHuey("mail", port=1, store_none=True)
    work = huey.task(name="work")(lambda: None)
    with open_over(huey) as jobs:
        result = work()
        jobs.drain()

        assert result.get(blocking=True) is None


def test_a_job_that_waits_for_another_one_fails(jobs, huey, work):
    huey.task(name="parent")(lambda: work(7).get(blocking=True))()

    with pytest.raises(NotPerformedError):
        jobs.drain()


def test_outside_of_a_harness_waiting_goes_on(huey, open_over):
    from huey import MemoryHuey

    real = MemoryHuey("real")
    work = real.task(name="work")(lambda: 7)
    with open_over(huey):
        pass

    async def get():
        result = work()
        getting = asyncio.create_task(aget_result(result))
        await asyncio.sleep(0)
        real.execute(real.dequeue())
        return await getting

    assert asyncio.run(get()) == 7
