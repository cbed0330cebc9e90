"""A delivery goes through the receiver of the worker."""

import asyncio
import json
import sys
import threading
import time
from datetime import timedelta
from typing import Annotated

import pytest

pytest.importorskip("taskiq.receiver")
pytest.importorskip("taskiq_redis")

from taskiq import Context, InMemoryBroker, TaskiqDepends, TaskiqMiddleware, TaskiqState
from taskiq.abc.serializer import TaskiqSerializer
from taskiq_redis import RedisStreamBroker

from pytest_jobs.errors import DeserializationError, LeftTaskWarning, UnknownJobError


class Log(TaskiqMiddleware):
    def __init__(self):
        super().__init__()
        self.calls = []

    def pre_execute(self, message):
        self.calls.append("pre_execute")
        return message

    async def on_error(self, message, result, exception):
        self.calls.append(f"on_error {exception!r}")

    def post_execute(self, message, result):
        self.calls.append("post_execute")

    async def post_save(self, message, result):
        self.calls.append("post_save")


@pytest.fixture
def log(broker):
    log = Log()
    broker.add_middlewares(log)
    return log


class Reversed(TaskiqSerializer):
    def dumpb(self, value):
        return json.dumps(value).encode()[::-1]

    def loadb(self, value):
        return json.loads(value[::-1])


def test_a_message_is_written_and_read_by_the_serializer_of_its_broker(make_broker, open_over, run):
    broker = make_broker().with_serializer(Reversed())
    task = broker.task("shop.send_receipt")(lambda number, copy=False: number)
    with open_over(broker) as jobs:
        run(task.kiq(7, copy=True))

        assert (jobs.enqueued[0].args, jobs.enqueued[0].kwargs) == ((7,), {"copy": True})
        assert jobs.drain() == {"performed": 1}


def test_a_task_that_is_no_coroutine_is_performed_in_this_thread(jobs, broker, run):
    @broker.task("thread")
    def thread():
        time.sleep(60)
        return threading.get_ident()

    run(thread.kiq())
    jobs.drain()

    assert jobs.performed[0].result == threading.get_ident()


def test_a_task_that_is_no_coroutine_may_run_a_loop_of_its_own(jobs, broker, run):
    @broker.task("inner")
    async def inner(n: int):
        return n

    @broker.task("outer")
    def outer():
        asyncio.run(inner.kiq(7))

    run(outer.kiq())

    assert jobs.drain() == {"performed": 2}
    assert jobs.enqueued[1].parent == jobs.enqueued[0].sequence


def test_middlewares_are_called_in_order(jobs, broker, log, run):
    @broker.task("fail")
    def fail(really: bool):
        if really:
            raise ValueError("no")

    run(fail.kiq(False))
    run(fail.kiq(True))
    tally = jobs.drain(raise_errors=False)

    assert tally == {"performed": 1, "failed": 1}
    assert log.calls == [
        *("pre_execute", "post_execute", "post_save"),
        *("pre_execute", "on_error ValueError('no')", "post_execute", "post_save"),
    ]
    assert broker.middlewares == [log]


async def number():
    yield 42


@pytest.mark.parametrize(("overrides", "given"), [({}, 42), ({number: lambda: 43}, 43)])
def test_dependencies_are_given_and_can_be_overridden(jobs, broker, run, overrides, given):
    broker.dependency_overrides = overrides
    broker.add_dependency_context({str: "from the context"})
    broker.state.database = "a database"

    @broker.task("depends", team="blue")
    async def depends(
        given: int,
        number: Annotated[int, TaskiqDepends(number)],
        text: Annotated[str, TaskiqDepends()],
        context: Annotated[Context, TaskiqDepends()],
        state: Annotated[TaskiqState, TaskiqDepends()],
    ):
        return given, number, text, context.message.labels, context.broker is broker, state.database

    run(depends.kiq(1))
    jobs.drain()

    assert jobs.performed[0].result == (
        *(1, given, "from the context"),
        *({"team": "blue"}, True, "a database"),
    )


def test_an_error_of_a_dependency_or_a_middleware_is_that_of_the_delivery(jobs, broker, run):
    class Broken(TaskiqMiddleware):
        def pre_execute(self, message):
            raise LookupError("broken")

    def broken():
        raise LookupError("no database")

    @broker.task("depends")
    async def depends(database: Annotated[int, TaskiqDepends(broken)]):
        raise AssertionError("not reached")

    run(depends.kiq())
    run(depends.kiq())
    deliveries = [jobs.perform(jobs.pending[0])]
    middleware = Broken()
    broker.add_middlewares(middleware)
    deliveries.append(jobs.perform(jobs.pending[0]))

    assert [(d.status, d.raises) for d in deliveries] == [("failed", True)] * 2
    assert [str(d.error) for d in deliveries] == ["no database", "broken"]
    assert broker.middlewares == [middleware]


# Taskiq's own call, on Python 3.12 and newer.
@pytest.mark.filterwarnings("ignore:the .type, exc, tb. signature of throw:DeprecationWarning")
@pytest.mark.parametrize(("propagates", "heard"), [(True, ["ValueError"]), (False, [])])
def test_dependencies_hear_of_the_error_where_the_worker_says_so(
    broker, open_over, run, propagates, heard
):
    errors = []

    def resource():
        try:
            yield 1
        except ValueError as error:
            errors.append(type(error).__name__)

    @broker.task("depends")
    def depends(resource: Annotated[int, TaskiqDepends(resource)]):
        raise ValueError

    with open_over(broker, propagate_exceptions=propagates) as jobs:
        run(depends.kiq())
        jobs.drain(raise_errors=False)

    assert errors == heard


def test_a_rejected_task_is_discarded(jobs, broker, run):
    @broker.task("reject")
    async def reject(context: Annotated[Context, TaskiqDepends()]):
        context.reject()

    run(reject.kiq())

    assert jobs.drain() == {"discarded": 1}
    assert type(jobs.discarded[0].error).__name__ == "TaskRejectedError"


def test_a_requeued_task_is_snoozed_and_delivered_again(jobs, broker, run):
    @broker.task("requeue")
    async def requeue(context: Annotated[Context, TaskiqDepends()]):
        if "X-Taskiq-requeue" not in context.message.labels:
            await context.requeue()
        return "done"

    run(requeue.kiq())
    tally = jobs.drain()
    first, second = jobs.deliveries

    assert tally == {"snoozed": 1, "performed": 1}
    assert (first.next, first.wait) == (second.record, timedelta(0))
    assert (second.record.attempt, second.record.retry_of) == (1, first.record.sequence)
    assert len(jobs.enqueued) == 1


def test_a_timeout_ends_a_coroutine_on_the_virtual_clock_and_gives_a_function_up(jobs, broker, run):
    @broker.task("slow", timeout=5)
    async def slow():
        await asyncio.sleep(60)

    @broker.task("function", timeout=5)
    def function():
        time.sleep(60)
        done.append("done")

    done = []
    run(slow.kiq())
    run(function.kiq())
    start = jobs.clock.advance(0)
    with pytest.raises(TimeoutError):
        jobs.drain()

    assert jobs.clock.now() - start == timedelta(seconds=5)
    with pytest.raises(TimeoutError):
        jobs.drain()
    # The thread of a worker goes on, though nobody waits for it.
    assert done == ["done"]


def test_a_task_that_no_broker_knows_is_enqueued_by_its_name_and_fails(jobs, broker, run):
    from taskiq.kicker import AsyncKicker

    run(AsyncKicker("nowhere", broker, {}).kiq(1))
    (record,) = jobs.enqueued
    delivery = jobs.perform(record)

    assert (record.job, record.args) == ("nowhere", (1,))
    assert record.source.identify("nowhere") == "nowhere"
    assert (delivery.status, delivery.raises) == ("failed", True)
    assert isinstance(delivery.error, UnknownJobError)
    assert "has no task named 'nowhere', so a worker logs that and drops the message" in str(
        delivery.error
    )


def test_a_message_that_cannot_be_read_fails(jobs, broker, run):
    from taskiq.message import BrokerMessage

    @broker.task("known")
    def known():
        pass

    run(broker.kick(BrokerMessage(task_id="1", task_name="known", message=b"{", labels={})))
    (record,) = jobs.pending
    delivery = jobs.perform(record)

    assert delivery.status == "failed"
    assert isinstance(delivery.error, DeserializationError)
    with pytest.raises(DeserializationError):
        record.args  # noqa: B018


@pytest.mark.parametrize("error", [KeyboardInterrupt, GeneratorExit])
@pytest.mark.parametrize("kind", ["coroutine", "function"])
def test_what_ends_a_worker_passes_out_and_leaves_nothing(jobs, broker, log, run, kind, error):
    if kind == "coroutine":

        @broker.task("die")
        async def die():
            raise error
    else:

        @broker.task("die")
        def die():
            raise error

    run(die.kiq())
    with pytest.raises(error):
        jobs.drain()

    assert (len(jobs.pending), jobs.deliveries) == (1, [])
    assert log.calls == ["pre_execute"]
    assert broker.middlewares == [log]


def test_a_task_can_stop_iteration_only_by_an_error(jobs, broker, run):
    @broker.task("stop")
    def stop():
        raise StopIteration

    run(stop.kiq())
    delivery = jobs.perform(jobs.pending[0])

    assert delivery.status == "failed"
    assert isinstance(delivery.error, RuntimeError)


@pytest.mark.asyncio
async def test_deliveries_at_the_same_time_are_told_apart(jobs, broker, log):
    @broker.task("turn")
    async def turn(n: int):
        await asyncio.sleep(0)
        if n % 2:
            raise ValueError(n)
        return n

    for n in range(4):
        await turn.kiq(n)
    deliveries = await asyncio.gather(*(jobs.aperform(record) for record in list(jobs.pending)))

    assert [(d.status, d.result, repr(d.error)) for d in deliveries] == [
        ("performed", 0, "None"),
        ("failed", None, "ValueError(1)"),
        ("performed", 2, "None"),
        ("failed", None, "ValueError(3)"),
    ]
    assert broker.middlewares == [log]


def test_a_task_that_takes_the_name_of_another_is_performed_by_its_own_signature(jobs, broker, run):
    @broker.task("same")
    def first(a: int):
        return a

    run(first.kiq("1"))
    jobs.drain()

    @broker.task("same")
    def second(a: str, b: int):
        return a, b

    run(second.kiq("1", "2"))
    jobs.drain()

    assert [delivery.result for delivery in jobs.performed] == [1, ("1", 2)]


def test_a_task_may_acknowledge_by_hand(make_broker, open_over, run):
    broker = make_broker(kind=RedisStreamBroker)

    @broker.task("ack")
    async def ack(context: Annotated[Context, TaskiqDepends()]):
        if hasattr(context, "ack"):
            await context.ack()
        return "done"

    with open_over(broker, ack_type="when_received") as jobs:
        run(ack.kiq())
        jobs.drain()

        assert jobs.performed[0].result == "done"


def test_an_in_memory_broker_performs_nothing_by_itself(open_over, run):
    broker = InMemoryBroker(cast_types=False, await_inplace=True)

    @broker.task("add")
    def add(a: int, b: int):
        return a + b

    with open_over(broker) as jobs:
        run(add.kiq("1", "2"))
        assert (len(jobs.pending), jobs.deliveries) == (1, [])
        jobs.drain()

        assert jobs.performed[0].result == "12"
    broker.executor.shutdown()


def test_a_fault_strikes_inside_the_receiver(jobs, broker, log, run):
    @broker.task("known")
    async def known():
        raise AssertionError("not reached")

    run(known.kiq())
    jobs.fail(known, raising=LookupError("fault"))
    jobs.drain(raise_errors=False)

    assert log.calls[1] == "on_error LookupError('fault')"
    assert jobs.failed[0].status == "failed"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="a task of 3.11 does not tell its context")
def test_a_task_that_a_job_leaves_goes_on_as_time_passes_or_the_test_is_told(
    broker, open_over, run
):
    noted = []

    async def later(seconds):
        await asyncio.sleep(seconds)
        noted.append(seconds)

    @broker.task
    async def leaves():
        loop = asyncio.get_running_loop()
        noted.append([loop.create_task(later(seconds)) for seconds in (0, 60, 3600)])

    def perform():
        with open_over(broker) as jobs:
            run(leaves.kiq())
            jobs.drain()
            assert noted[1:] == [0]
            jobs.run_for(600)
            assert noted[1:] == [0, 60]

    with pytest.warns(LeftTaskWarning, match=r"later\(\) behind, which had not ended") as warned:
        perform()
    assert len(warned) == 1
