"""Whatever way a message is sent, and whatever broker sends it, the message is recorded and goes nowhere."""

from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("dramatiq")

import dramatiq
from dramatiq import Broker, GenericActor, Middleware
from dramatiq.brokers.redis import RedisBroker
from dramatiq.brokers.stub import StubBroker

from pytest_jobs import assert_enqueued, assert_followed_by, assert_not_enqueued, open_jobs
from pytest_jobs.errors import AmbiguousJobError, BridgeError, CriterionError, RefusedEnqueueError

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def add(a, b=0):
    return a + b


@pytest.fixture
def addition(actor):
    return actor(add, queue_name="sums", priority=7)


@pytest.mark.parametrize(
    "send",
    [
        lambda actor: actor.send(1, b=2),
        lambda actor: actor.send_with_options(args=(1,), kwargs={"b": 2}),
        lambda actor: actor.broker.enqueue(actor.message(1, b=2)),
        lambda actor: actor.broker.enqueue(actor.message_with_options(args=(1, 2))),
        lambda actor: dramatiq.pipeline([actor.message(1, 2)], broker=actor.broker).run(),
        lambda actor: dramatiq.group([actor.message(1, 2)], broker=actor.broker).run(),
    ],
    ids=["send", "options", "message", "message with options", "pipeline", "group"],
)
def test_every_way_to_send_is_recorded(jobs, addition, send):
    send(addition)

    (record,) = jobs.enqueued
    assert record.job is addition
    assert (record.params, record.queue, record.priority) == ({"a": 1, "b": 2}, "sums", 7)
    assert record.due_at is None


@pytest.mark.parametrize("delay", [90_000, timedelta(seconds=90)], ids=["number", "timedelta"])
def test_a_delay_is_the_time_until_the_message_is_due(jobs, addition, delay):
    jobs.clock.move_to(NOON)
    message = addition.send_with_options(args=(1,), delay=delay)

    (record,) = jobs.scheduled
    assert record.due_at == NOON + timedelta(seconds=90)
    assert record.queue == "sums"
    # What the library returns is what goes to the queue of delayed messages.
    assert (message.queue_name, message.options["eta"]) == ("sums.DQ", 1893499290000)


def test_options_travel_in_the_headers_and_say_when_the_message_is_dropped(jobs, addition):
    jobs.clock.move_to(NOON)
    addition.send_with_options(args=((1, 2),), tenant="a", max_retries=3, delay=1)
    addition.send_with_options(args=(1,), max_age=3_600_000)

    first, second = jobs.enqueued
    assert (first.args, first.headers) == (([1, 2],), {"tenant": "a", "max_retries": 3})
    assert (first.expires_at, second.expires_at) == (None, NOON + timedelta(hours=1))


def test_the_snapshot_is_what_middlewares_made_of_the_message(make_broker, open_over):
    class Tenant(Middleware):
        def before_enqueue(self, broker, message, delay):
            message.options["tenant"] = "a"

    broker = make_broker(Tenant())
    addition = dramatiq.actor(add, broker=broker)
    with open_over(broker) as jobs:
        addition.send(1)

        assert jobs.enqueued[0].headers == {"tenant": "a"}


@pytest.mark.parametrize("kind", [RedisBroker, StubBroker])
def test_brokers_that_nobody_names_are_captured(kind, make_broker, no_connections):
    before = dramatiq.actor(add, broker=make_broker(kind=kind))
    with open_jobs() as jobs:
        after = dramatiq.actor(add, broker=make_broker(kind=kind))
        before.send(1)
        after.send(2)

        assert [record.job for record in jobs.enqueued] == [before, after]
        assert jobs.drain() == {"performed": 2}


def test_a_broker_of_the_project_is_captured(no_connections):
    class Own(Broker):
        def declare_queue(self, queue_name):
            self.queues[queue_name] = True

        def enqueue(self, message, *, delay=None):
            raise AssertionError("it has sent a message")

    with open_jobs() as jobs:
        addition = dramatiq.actor(add, broker=Own())
        addition.send(1)

        assert jobs.drain() == {"performed": 1}


def test_a_broker_that_adds_to_the_message_and_hands_it_on_is_called(no_connections):
    class Tenant(RedisBroker):
        def enqueue(self, message, *, delay=None):
            return super().enqueue(message.copy(options={"tenant": "a"}), delay=delay)

    with open_jobs() as jobs:
        dramatiq.actor(add, broker=Tenant(url="redis://localhost:1")).send(1)

        assert jobs.enqueued[0].headers == {"tenant": "a"}


def test_a_broker_that_loses_the_message_on_its_way_is_an_error():
    class Losing(StubBroker):
        def enqueue(self, message, *, delay=None):
            return message if message.options else super().enqueue(message, delay=delay)

    with open_jobs():
        addition = dramatiq.actor(add, broker=Losing())
        with pytest.raises(
            BridgeError, match=r"Losing\.enqueue returned and no message was captured"
        ):
            addition.send_with_options(args=(1,), tenant="a")
        with pytest.raises(RefusedEnqueueError):
            assert_not_enqueued(addition)


def test_an_actor_is_found_by_itself_and_by_its_name(jobs, addition):
    addition.send(1)

    for named in (addition, "add"):
        assert_enqueued(named, args=(1,), within=jobs.enqueued)


def test_an_actor_that_is_a_class_is_found_and_performed(jobs, global_broker):
    class Sums(GenericActor):
        class Meta:
            actor_name = "sums"
            queue_name = "sums"

        def perform(self, a, b):
            return a + b

    Sums.send(1, b=2)

    assert jobs.enqueued[0].params == {"a": 1, "b": 2}
    assert_enqueued(Sums, params={"a": 1}, within=jobs.enqueued)
    jobs.drain()
    assert jobs.performed[0].result == 3


def test_of_two_brokers_with_an_actor_of_a_name_the_sender_is_meant(make_broker, open_over):
    brokers = [make_broker(), make_broker()]
    actors = [dramatiq.actor(add, broker=broker) for broker in brokers]
    with open_over(*brokers) as jobs:
        with pytest.raises(AmbiguousJobError, match="'add' names a task of each of "):
            jobs.harness.bridges[0].find("add")
        actors[1].send(1)

        assert_not_enqueued(actors[0], within=jobs.enqueued)
        assert jobs.enqueued[0].job is actors[1]


def test_what_is_not_an_actor_is_refused(jobs):
    with pytest.raises(CriterionError, match="is not a task of"):
        jobs.harness.bridges[0].known(add)


def test_a_message_to_another_service_is_recorded(jobs, broker):
    broker.enqueue(dramatiq.Message("mails", "welcome", (7,), {}, {}))

    assert assert_enqueued("welcome", queue="mails", within=jobs.enqueued).args == (7,)


def test_the_steps_of_a_pipeline_are_known_when_it_begins(jobs, addition, actor, global_broker):
    @actor
    def note(number):
        """Do nothing."""

    dramatiq.pipeline([addition.message(1, 2), addition.message(3), note.message()]).run()

    with_steps = assert_followed_by(addition, [addition, note], within=jobs.enqueued)
    assert with_steps is jobs.enqueued[0]
