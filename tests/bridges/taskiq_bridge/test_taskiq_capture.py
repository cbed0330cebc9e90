"""Whatever broker sends a task, the task is captured: no broker is named here."""

import asyncio
import socket
import sys
import types
from datetime import UTC, datetime

import pytest

pytest.importorskip("taskiq.receiver")
pytest.importorskip("taskiq_redis")

from taskiq import (
    AsyncBroker,
    InMemoryBroker,
    ScheduledTask,
    ScheduleSource,
    SmartRetryMiddleware,
    TaskiqEvents,
    async_shared_broker,
)
from taskiq.exceptions import SendTaskError
from taskiq.schedule_sources import LabelScheduleSource
from taskiq.task import AsyncTaskiqTask
from taskiq_redis import (
    ListQueueBroker,
    ListRedisScheduleSource,
    PubSubBroker,
    RedisAsyncResultBackend,
    RedisStreamBroker,
)

from pytest_jobs import assert_not_enqueued, open_jobs
from pytest_jobs.bridges.taskiq.bridge import TaskiqBridge
from pytest_jobs.errors import (
    AmbiguousJobError,
    BridgeError,
    CriterionError,
    RefusedEnqueueError,
)

URL = "redis://localhost:1"
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def no_connections(monkeypatch):
    def connect(self, address):
        raise AssertionError(f"a connection to {address} was made")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(asyncio.BaseEventLoop, "create_connection", connect)


@pytest.fixture
def jobs(open_over):
    """Override the fixture: no broker is named."""
    with open_over() as jobs:
        yield jobs


@pytest.fixture
def bridge(jobs):
    return jobs.harness.bridges[0]


@pytest.fixture
def alone(monkeypatch):
    """Hide the brokers of other test modules."""
    for name, module in list(sys.modules.items()):
        values = list(getattr(module, "__dict__", {}).values())
        kinds = {type(value) for value in values}
        if any(AsyncBroker in kind.__mro__ for kind in kinds - {type(async_shared_broker)}):
            monkeypatch.delitem(sys.modules, name)


def add(a: int, b: int = 0) -> int:
    return a + b


def started():
    raise AssertionError("it has connected")


@pytest.mark.parametrize("kind", [ListQueueBroker, PubSubBroker, RedisStreamBroker])
def test_a_broker_that_was_made_before_is_captured(open_over, run, kind):
    task = kind(URL).register_task(add, "add")
    with open_over() as jobs:
        run(task.kiq(1, b=2))

        assert [(record.job, record.params) for record in jobs.enqueued] == [
            (task, {"a": 1, "b": 2})
        ]
        assert jobs.drain() == {"performed": 1}
        assert jobs.performed[0].result == 3


class Own(AsyncBroker):
    async def kick(self, message):
        started()

    async def startup(self):
        started()

    async def shutdown(self):
        started()

    async def listen(self):
        yield started()


@pytest.mark.parametrize(
    "make",
    [lambda: ListQueueBroker(URL), lambda: InMemoryBroker(await_inplace=True), Own],
    ids=["of a factory", "in memory", "of the test"],
)
def test_a_broker_that_is_made_meanwhile_is_captured_and_runs_nothing(jobs, run, make):
    async def serve():
        broker = make()
        task = broker.register_task(add, "add")
        if not isinstance(broker, InMemoryBroker):
            await broker.startup()
        await task.kiq(1)
        if not isinstance(broker, InMemoryBroker):
            await broker.shutdown()

    run(serve())

    assert jobs.deliveries == []
    assert jobs.drain() == {"performed": 1}


def test_an_in_memory_broker_of_a_project_starts_as_that_of_the_library(jobs, run):
    events = []

    class Own(InMemoryBroker):
        async def startup(self):
            started()

    broker = Own()
    for event in (TaskiqEvents.CLIENT_STARTUP, TaskiqEvents.WORKER_STARTUP):
        broker.add_event_handler(event, lambda state, event=event: events.append(event.name))
    run(broker.startup())

    assert events == ["CLIENT_STARTUP", "WORKER_STARTUP"]


def test_a_kick_that_calls_super_runs_and_its_labels_travel(jobs, run):
    class Tenant(ListQueueBroker):
        async def kick(self, message):
            message.labels["queue_name"] = "blue"
            await super().kick(message)

    task = Tenant(URL).register_task(add, "add")
    run(task.kiq(1))

    assert [record.queue for record in jobs.enqueued] == ["blue"]


def test_a_kick_that_hands_on_to_another_broker_lands_in_that_one(jobs, run):
    class Forwarding(AsyncBroker):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        async def kick(self, message):
            await self.inner.kick(message)

        async def listen(self):
            yield started()

    inner = ListQueueBroker(URL)
    task = Forwarding(inner).register_task(add, "add")
    run(task.kiq(1))

    assert [record.envelope.broker for record in jobs.enqueued] == [inner]


def test_a_kick_that_captures_nothing_is_an_error(jobs, run):
    class Dropping(ListQueueBroker):
        async def kick(self, message):
            if message.labels:
                await super().kick(message)

    task = Dropping(URL).register_task(add, "add")
    with pytest.raises(SendTaskError) as caught:
        run(task.kiq(1))

    with pytest.raises(
        RefusedEnqueueError, match=r"Dropping\.kick returned and no message was captured"
    ):
        assert_not_enqueued(task, within=jobs.enqueued)
    assert isinstance(caught.value.__cause__, BridgeError)
    assert "Dropping.kick returned and no message was captured" in str(caught.value.__cause__)


@pytest.fixture
def shared():
    task = async_shared_broker.register_task(add, "shared")
    yield task
    async_shared_broker.default_broker(None)
    del AsyncBroker.global_task_registry["shared"]


def test_a_shared_task_is_sent_and_scheduled_by_its_default_broker(jobs, shared, run):
    with pytest.raises(SendTaskError):
        run(shared.kiq(1))
    assert jobs.enqueued == []

    broker = ListQueueBroker(URL)
    async_shared_broker.default_broker(broker)
    run(shared.kiq(1))
    kicker = shared.kicker().with_broker(async_shared_broker)
    run(kicker.schedule_by_time(ListRedisScheduleSource(URL), NOON, 1))

    assert [record.envelope.broker for record in jobs.enqueued] == [broker, broker]
    assert jobs.drain() == {"performed": 2}


@pytest.mark.usefixtures("alone")
def test_without_a_broker_it_is_said_which_is_missing_and_that_nothing_is_contacted(bridge, shared):
    with pytest.raises(
        CriterionError, match="which of the brokers of taskiq it goes to is not known"
    ):
        bridge.enqueue(shared, (1,), {})
    assert TaskiqBridge().described() == "nothing is contacted"


def test_a_result_backend_that_is_set_later_is_not_reached(jobs, run):
    broker = ListQueueBroker(URL)
    task = broker.register_task(add, "add")
    broker.with_result_backend(RedisAsyncResultBackend(URL))
    sent = run(task.kiq(1, 2))
    jobs.drain()

    assert run(sent.wait_result()).return_value == 3


def test_a_result_that_is_asked_for_from_before_the_harness_is_the_library_s(open_over, run):
    class Backend(RedisAsyncResultBackend):
        async def is_result_ready(self, task_id):
            return "asked"

    sent = AsyncTaskiqTask("an-id", Backend(URL))
    with open_over():
        assert run(sent.is_ready()) == "asked"


def test_a_retry_of_a_middleware_with_a_schedule_source_is_captured(jobs, run):
    source = ListRedisScheduleSource(URL)
    broker = ListQueueBroker(URL).with_middlewares(
        SmartRetryMiddleware(default_delay=60, schedule_source=source)
    )

    @broker.task("fail", retry_on_error=True, max_retries=2)
    def fail():
        raise KeyError

    run(fail.kiq())
    with pytest.raises(KeyError):
        jobs.drain()

    assert [delivery.status for delivery in jobs.deliveries] == ["retried", "exhausted"]


class Tenant(ListRedisScheduleSource):
    async def add_schedule(self, schedule):
        schedule.labels["tenant"] = "blue"
        await super().add_schedule(schedule)


@pytest.mark.parametrize("kind", [ListRedisScheduleSource, Tenant])
def test_a_schedule_that_an_application_adds_itself_is_captured(jobs, run, kind):
    broker = ListQueueBroker(URL)
    task = broker.register_task(add, "add")
    run(task.kiq(1))
    schedule = ScheduledTask(
        task_name="add", labels={}, args=[5], kwargs={}, schedule_id="one", time=NOON
    )
    run(kind(URL).add_schedule(schedule))

    assert [(record.job, record.due_at) for record in jobs.enqueued] == [(task, None), (task, NOON)]
    assert jobs.enqueued[1].headers.get("tenant") == ("blue" if kind is Tenant else None)
    assert jobs.drain() == {"performed": 2}


def test_a_schedule_that_an_application_deletes_itself_is_withdrawn(jobs, run):
    source = ListRedisScheduleSource(URL)
    task = ListQueueBroker(URL).register_task(add, "add")
    run(task.kicker().with_schedule_id("one").schedule_by_time(source, NOON, 1))
    with open_jobs(apps=[ListQueueBroker(URL)]):
        run(source.delete_schedule("one"))

    assert jobs.pending == []


@pytest.mark.usefixtures("alone")
def test_a_schedule_of_a_task_that_no_broker_has_is_an_error(jobs, run):
    schedule = ScheduledTask(
        task_name="billing:charge", labels={}, args=[], kwargs={}, schedule_id="one", time=NOON
    )
    with pytest.raises(BridgeError) as caught:
        run(ListRedisScheduleSource(URL).add_schedule(schedule))

    assert str(caught.value) == (
        "No broker here has the task 'billing:charge' of this schedule, so the broker that the scheduler sends it "
        "to is not known: import the module that declares the task, or schedule it by a kicker: "
        "AsyncKicker(name, broker, labels).schedule_by_time(source, time)."
    )


def test_a_source_that_keeps_no_schedules_refuses_as_ever(jobs, run):
    broker = ListQueueBroker(URL)
    task = broker.register_task(add, "add")
    with pytest.raises(NotImplementedError, match="does not support adding schedules"):
        run(task.schedule_by_time(LabelScheduleSource(broker), NOON, 1))

    assert jobs.enqueued == []


# Names


def test_a_name_is_looked_up_among_named_brokers_before_those_that_have_sent(open_over, run):
    named, sends, silent = (ListQueueBroker(URL) for _ in range(3))
    task, sent, _ = (each.register_task(add, "same") for each in (named, sends, silent))
    with open_over() as jobs:
        run(sent.kiq(1))
        assert jobs.harness.bridges[0].known("same") is sent
    with open_over(named) as jobs:
        run(sent.kiq(1))
        assert jobs.harness.bridges[0].known("same") is task


@pytest.fixture
def module(monkeypatch, alone):
    """Return a module that has been imported."""
    module = types.ModuleType("parcels")
    monkeypatch.setitem(sys.modules, "parcels", module)
    return module


def test_a_name_is_looked_up_among_brokers_of_modules_and_of_two_it_is_ambiguous(bridge, module):
    module.first, module.second = ListQueueBroker(URL), ListQueueBroker(URL)
    task = module.first.register_task(add, "same")
    assert bridge.known("same") is task

    module.second.register_task(add, "same")
    with pytest.raises(
        AmbiguousJobError, match=r"'same' names a task of each of .* and .*, so it can"
    ):
        bridge.known("same")


# What is said


def test_an_error_names_no_broker_when_none_is_named(bridge, ledger):
    with pytest.raises(BridgeError, match="The taskiq bridge is installed already"):
        bridge.install(ledger, lambda: 0.0)


def write(tmp_path, monkeypatch, **modules):
    monkeypatch.syspath_prepend(tmp_path)
    for name, text in modules.items():
        monkeypatch.delitem(sys.modules, name, raising=False)
        (tmp_path / f"{name}.py").write_text(text)


@pytest.mark.usefixtures("alone")
def test_the_brokers_of_modules_are_described_by_where_they_are_made(tmp_path, monkeypatch):
    make = "from taskiq_redis import ListQueueBroker\nbroker = ListQueueBroker('redis://localhost:1')\n"
    write(
        tmp_path,
        monkeypatch,
        a_tasks_of_parcels="from parcels_of_a_shop import broker\n",
        parcels_of_a_shop=make,
        letters_of_a_shop=make,
    )
    import a_tasks_of_parcels

    assert TaskiqBridge().described() == "parcels_of_a_shop:broker; nothing is contacted"

    import letters_of_a_shop

    described = TaskiqBridge([letters_of_a_shop.broker]).described()
    assert described == "letters_of_a_shop:broker and 1 more; nothing is contacted"
    assert a_tasks_of_parcels.broker is not letters_of_a_shop.broker


# Restoring


def test_a_task_goes_to_its_server_and_a_source_deletes_by_itself_again_afterwards(open_over, run):
    class Own(ListQueueBroker):
        async def kick(self, message):
            raise LookupError

    class Source(ScheduleSource):
        async def get_schedules(self):
            return []

        async def add_schedule(self, schedule):
            started()

        async def delete_schedule(self, schedule_id):
            return f"{schedule_id} is deleted"

    source, task = Source(), Own(URL).register_task(add, "add")
    with open_over() as jobs:
        run(task.kiq(1))
        run(task.schedule_by_time(source, NOON, 1))
    with pytest.raises(SendTaskError) as caught:
        run(task.kiq(1))

    assert len(jobs.enqueued) == 2
    assert isinstance(caught.value.__cause__, LookupError)
    assert (run(source.delete_schedule("x")), vars(source)) == ("x is deleted", {})
