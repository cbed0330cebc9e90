"""Results are those of the deliveries, and what was not performed has none."""

from datetime import date
from typing import Annotated

import pytest

pytest.importorskip("taskiq.receiver")
pytest.importorskip("taskiq_redis")

from taskiq import Context, TaskiqDepends, gather
from taskiq.depends.progress_tracker import ProgressTracker, TaskState
from taskiq.exceptions import NoResultError, ResultGetError
from taskiq.serializers import JSONSerializer
from taskiq_redis import RedisAsyncResultBackend

from pytest_jobs.errors import NoHarnessError, NotPerformedError

ASK = ["is_ready", "get_result", "wait_result"]


@pytest.fixture
def broker(make_broker):
    return make_broker().with_result_backend(RedisAsyncResultBackend("redis://localhost:1"))


@pytest.fixture
def add(broker):
    @broker.task("add")
    async def add(a: int, b: int = 0) -> float:
        return a + b

    return add


def test_a_task_that_was_not_performed_has_no_result_and_is_not_waited_for(jobs, broker, add, run):
    @broker.task("outer")
    async def outer(ask):
        await getattr(await add.kiq(1), ask)()

    async def gathered():
        await gather(await add.kiq(1), await add.kiq(2))

    task = run(add.kiq(1))
    for ask in ASK:
        with pytest.raises(NotPerformedError) as caught:
            run(getattr(task, ask)())
        assert str(caught.value) == (
            "<#0 add(1) queue=None> has not been performed, so it has no result, and waiting for it would never "
            "end: drain first."
        ), ask
        run(outer.kiq(ask))
        assert isinstance(jobs.perform(jobs.enqueued[-1]).error, NotPerformedError), ask
    with pytest.raises(NotPerformedError):
        run(gathered())


def test_the_result_is_that_of_the_library(jobs, broker, add, run):
    @broker.task("fail")
    async def fail():
        raise ValueError("no")

    async def send():
        return [await add.kicker().with_labels(x=1).kiq(n, 2) for n in range(3)]

    async def results():
        return await gather(*tasks, periodicity=0)

    tasks = run(send())
    failed = run(fail.kiq())
    jobs.drain(raise_errors=False)
    result = run(tasks[1].wait_result())

    assert run(tasks[1].is_ready()) is True
    assert (result.is_err, result.return_value, result.error) == (False, 3.0, None)
    assert type(result.return_value) is float
    assert result.labels == {"x": 1}
    assert run(tasks[1].get_result()) is not result
    assert jobs.result_of(jobs.enqueued[1]) == 3
    assert [result.return_value for result in run(results())] == [2, 3, 4]

    result = run(failed.wait_result())
    assert (result.is_err, str(result.error)) == (True, "no")
    with pytest.raises(ValueError, match="no"):
        result.raise_for_error()


def test_a_task_whose_retry_is_pending_has_no_result(jobs, broker, run):
    from taskiq import SimpleRetryMiddleware

    broker.add_middlewares(SimpleRetryMiddleware(default_retry_label=True))

    @broker.task("flaky")
    async def flaky(context: Annotated[Context, TaskiqDepends()]):
        if "_retries" not in context.message.labels:
            raise ValueError
        return "done"

    task = run(flaky.kiq())
    jobs.perform(jobs.pending[0])
    with pytest.raises(NotPerformedError, match="drain first"):
        run(task.wait_result())
    jobs.drain()

    assert run(task.wait_result()).return_value == "done"


def test_a_task_that_saved_no_result_or_is_not_of_this_test_is_not_waited_for(jobs, broker, run):
    @broker.task("silent")
    async def silent():
        raise NoResultError

    task = run(silent.kiq())
    jobs.drain()
    with pytest.raises(NotPerformedError, match="was performed, and its result was not saved"):
        run(task.wait_result())
    assert run(task.is_ready()) is False
    with pytest.raises(NotPerformedError, match="No task with the id gone has been performed here"):
        run(broker.result_backend.get_result("gone"))


def test_a_result_is_read_as_the_backend_has_encoded_it(jobs, make_broker, run):
    backend = RedisAsyncResultBackend("redis://localhost:1", serializer=JSONSerializer())
    broker = make_broker().with_result_backend(backend)

    @broker.task("give")
    async def give():
        return {1: (2, date(2030, 1, 1))}

    task = run(give.kiq())
    jobs.drain()

    assert run(task.get_result()).return_value == {"1": [2, "2030-01-01"]}
    assert jobs.performed[0].result == {1: (2, date(2030, 1, 1))}


def test_a_result_that_the_backend_cannot_encode_fails_the_delivery(jobs, broker, run):
    """A worker logs the error, and whoever waits for the result waits for ever."""

    @broker.task("give")
    async def give():
        return object()

    task = run(give.kiq())
    with pytest.raises(Exception, match="Unable to serialize unknown type"):
        jobs.drain()

    assert run(task.is_ready()) is False
    with pytest.raises(NotPerformedError, match="its result was not saved"):
        run(task.wait_result())


def test_a_task_has_no_result_once_the_harness_is_closed(broker, add, open_over, run):
    with open_over(broker) as jobs:
        task = run(add.kiq(1))
        jobs.drain()
    with pytest.raises(ResultGetError) as caught:
        run(task.get_result())

    assert isinstance(caught.value.__cause__, NoHarnessError)


def test_an_application_without_a_result_backend_gets_what_it_gets_in_production(
    make_broker, open_over, run
):
    broker = make_broker()

    @broker.task("add")
    async def add(a: int):
        return a

    with open_over(broker) as outer, open_over(broker) as jobs:
        task = run(add.kiq(1))
        with pytest.raises(NotPerformedError):
            run(task.wait_result())
        jobs.drain()
        with pytest.warns(UserWarning, match="No result backend configured"):
            result = run(task.wait_result())

        assert (result.return_value, jobs.performed[0].result) == (None, 1)
        assert outer.enqueued == []


def test_progress_is_kept(jobs, broker, run):
    @broker.task("slow")
    async def slow(progress: Annotated[ProgressTracker[str], TaskiqDepends()]):
        await progress.set_progress(TaskState.STARTED, "half")

    task = run(slow.kiq())
    assert run(task.get_progress()) is None
    jobs.drain()

    assert run(task.get_progress()).meta == "half"


def test_other_result_backends_are_left_alone(jobs, run):
    from taskiq.brokers.inmemory_broker import InmemoryResultBackend
    from taskiq.task import AsyncTaskiqTask

    task = AsyncTaskiqTask("an-id", InmemoryResultBackend())

    assert run(task.is_ready()) is False
