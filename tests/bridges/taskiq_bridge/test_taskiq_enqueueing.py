"""Every way to send a task ends in a record, and nothing else."""

import asyncio
import dataclasses
import uuid
from datetime import timedelta

import pytest

pytest.importorskip("taskiq.receiver")
pytest.importorskip("taskiq_redis")

from delaying import DelayingBroker
from pydantic import BaseModel
from taskiq import TaskiqMiddleware
from taskiq.exceptions import SendTaskError
from taskiq_redis import ListQueueBroker, PubSubBroker, RedisStreamBroker


class Order(BaseModel):
    number: int


@dataclasses.dataclass
class Address:
    city: str


class Stamp(TaskiqMiddleware):
    def __init__(self):
        super().__init__()
        self.sent = []

    def pre_send(self, message):
        message.labels["stamp"] = "blue"
        return message

    async def post_send(self, message):
        self.sent.append(message.task_name)


@pytest.fixture
def add(broker):
    @broker.task("add", queue_name="sums", priority=3, flag=True)
    async def add(a: int, b: int = 0) -> int:
        return a + b

    return add


def test_kiq_makes_a_record(jobs, add, run):
    task = run(add.kiq(1, b=2))
    (record,) = jobs.enqueued

    assert (record.bridge, record.name, record.job) == ("taskiq", "add", add)
    assert (record.args, record.kwargs, record.params) == ((1,), {"b": 2}, {"a": 1, "b": 2})
    assert (record.job_id, record.attempt, record.due_at) == (task.task_id, 1, None)
    assert (record.queue, record.priority) == ("sums", 3)
    assert record.headers == {"queue_name": "sums", "priority": 3, "flag": True}


def test_a_kicker_has_its_own_labels_id_and_broker(make_broker, open_over, broker, add, run):
    other = make_broker()
    with open_over(broker, other) as jobs:
        kicker = add.kicker().with_labels(queue_name="later", x=1.5, priority="high")
        run(kicker.with_task_id("an-id").with_broker(other).kiq(4))
        (record,) = jobs.enqueued

        assert (record.job_id, record.queue, record.headers["x"]) == ("an-id", "later", 1.5)
        assert (record.job, record.name, record.args) == ("add", "add", (4,))
        assert (record.priority, record.headers["priority"]) == (None, "high")


def test_kick_alone_makes_a_record_too_of_the_message_as_the_library_made_it(
    jobs, broker, add, run
):
    message = add.kicker()._prepare_message(7)
    run(broker.kick(broker.formatter.dumps(message)))
    (record,) = jobs.enqueued

    assert record.args == (7,)
    assert (type(record.payload).__name__, record.payload.task_name) == ("BrokerMessage", "add")
    assert b'"args": [7]' in record.payload.message


def test_tasks_sent_together_are_all_recorded(jobs, add):
    async def send():
        await asyncio.gather(*(add.kiq(n) for n in range(20)))
        return await asyncio.create_task(add.kiq(20))

    asyncio.run(send())

    assert sorted(record.args[0] for record in jobs.enqueued) == list(range(21))


def test_middlewares_see_what_is_sent(make_broker, open_over, run):
    stamp = Stamp()
    broker = make_broker(stamp)

    @broker.task("plain")
    def plain():
        pass

    with open_over(broker) as jobs:
        run(plain.kiq())

        assert jobs.enqueued[0].headers == {"stamp": "blue"}
    assert stamp.sent == ["plain"]


@pytest.fixture
def delayed(make_broker, open_over, run):
    """Return a function that sends a task with a label `delay`, and returns its record."""

    def delayed(delay, kind=DelayingBroker):
        broker = make_broker(kind=kind)

        @broker.task("add")
        async def add(a):
            return a

        with open_over(broker) as jobs:
            run(add.kicker().with_labels(delay=delay).kiq(1))
            return jobs.enqueued[0]

    return delayed


class Named(ListQueueBroker):
    async def kick(self, message):
        await asyncio.sleep(message.labels[LABEL])


class Helped(ListQueueBroker):
    async def kick(self, message):
        await asyncio.sleep(seconds_of(message))


class Derived(DelayingBroker):
    async def kick(self, message):
        await super().kick(message)


LABEL = "delay"


def seconds_of(message):
    return message.labels.get("delay", 0)


@pytest.mark.parametrize(("delay", "wait"), [(90, 90), (1.5, 1.5), ("60", 60)])
@pytest.mark.parametrize("kind", [DelayingBroker, Named, Helped, Derived])
def test_a_delay_label_is_seconds_until_it_is_due(delayed, kind, delay, wait):
    assert delayed(delay, kind).wait == timedelta(seconds=wait)


@pytest.mark.parametrize("delay", [0, -5, "soon", "nan", "inf"])
def test_a_delay_that_is_none_is_due_at_once(delayed, delay):
    assert delayed(delay).wait is None


@pytest.mark.parametrize("kind", [ListQueueBroker, PubSubBroker, RedisStreamBroker])
def test_a_broker_whose_class_ignores_the_label_delay_sends_at_once(delayed, kind):
    record = delayed(90, kind)

    assert (record.wait, record.headers["delay"]) == (None, 90)


def test_the_higher_priority_is_performed_first(jobs, broker, run):
    seen = []

    @broker.task("see")
    def see(n):
        seen.append(n)

    for n, priority in enumerate([1, 9, 5]):
        run(see.kicker().with_labels(priority=priority).kiq(n))
    jobs.drain()

    assert seen == [1, 2, 0]


def test_a_schedule_label_does_nothing_when_a_task_is_sent(jobs, broker, run):
    @broker.task("nightly", schedule=[{"cron": "0 3 * * *"}])
    def nightly():
        pass

    run(nightly.kiq())

    assert (len(jobs.enqueued), jobs.enqueued[0].due_at) == (1, None)


def test_arguments_are_shown_as_the_task_gets_them(jobs, broker, run):
    number = uuid.UUID(int=5)

    @broker.task("ship")
    def ship(order: Order, to: Address, number: uuid.UUID, days: int, plain):
        return order, to, number, days, plain

    run(ship.kiq(Order(number=1), Address("Bonn"), number, plain=(1, 2), days="3"))
    (record,) = jobs.enqueued
    jobs.drain()

    assert record.args == (Order(number=1), Address("Bonn"), number)
    assert record.kwargs == {"days": 3, "plain": [1, 2]}
    assert jobs.performed[0].result == (Order(number=1), Address("Bonn"), number, 3, [1, 2])


def test_arguments_are_not_parsed_for_a_worker_that_does_not(broker, open_over, add, run):
    with open_over(broker, validate_params=False) as jobs:
        run(add.kiq("1", b="2"))
        jobs.drain()

        assert (jobs.enqueued[0].args, jobs.performed[0].result) == (("1",), "12")


def test_what_the_serializer_refuses_is_named(jobs, add, run):
    with pytest.raises(SendTaskError) as caught:
        run(add.kiq(object()))

    assert "Unable to serialize" in str(caught.value.__cause__)


def test_the_bridge_enqueues_as_an_application_does(jobs, add, run):
    (bridge,) = jobs.harness.bridges
    run(bridge.enqueue(add, (1,), {"b": 2}))
    run(bridge.enqueue("add", (3,), {}))

    assert [record.params for record in jobs.enqueued] == [{"a": 1, "b": 2}, {"a": 3, "b": 0}]
