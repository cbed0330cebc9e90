"""What a broker does with a task whose worker fails, from how it acknowledges."""

from collections.abc import AsyncGenerator

import pytest

pytest.importorskip("taskiq.receiver")
pytest.importorskip("taskiq_redis")

from taskiq import InMemoryBroker
from taskiq.acks import AcknowledgeType
from taskiq_redis import ListQueueBroker, PubSubBroker, RedisStreamBroker

from pytest_jobs.harness.records.bridge import DeliverySemantics

LOST = DeliverySemantics(
    acknowledged="before",
    redelivered_on_raise=False,
    redelivered_on_kill=False,
    redelivered_on_outage=False,
)
KEPT = DeliverySemantics(
    acknowledged="after",
    redelivered_on_raise=False,
    redelivered_on_kill=True,
    redelivered_on_outage=True,
)
HAS_MANUAL = "manual" in {each.value for each in AcknowledgeType}


def semantics(broker, open_over, *, labels=None, **options):
    task = broker.register_task(lambda: None, "task", **(labels or {}))
    (bridge,) = open_over(broker, **options).harness.bridges
    return bridge.delivery_semantics(task)


@pytest.mark.parametrize("kind", [ListQueueBroker, PubSubBroker])
def test_a_broker_that_takes_the_message_out_loses_it(make_broker, open_over, kind):
    assert semantics(make_broker(kind=kind), open_over) == LOST


def test_the_broker_of_tests_loses_it(open_over):
    assert semantics(InMemoryBroker(), open_over) == LOST


@pytest.mark.parametrize(
    ("ack_type", "expected"),
    [("when_received", LOST), ("when_executed", KEPT), ("when_saved", KEPT)],
)
def test_a_broker_that_keeps_it_until_it_is_acknowledged(
    make_broker, open_over, ack_type, expected
):
    broker = make_broker(kind=RedisStreamBroker)

    assert semantics(broker, open_over, ack_type=ack_type) == expected


def test_the_label_of_a_task_goes_before_the_option_of_the_worker(make_broker, open_over):
    for label in ("when_received", AcknowledgeType.WHEN_RECEIVED):
        broker = make_broker(kind=RedisStreamBroker)

        assert semantics(broker, open_over, labels={"ack_type": label}) == LOST


@pytest.mark.skipif(not HAS_MANUAL, reason="this taskiq has no manual acknowledgement")
def test_a_task_that_acknowledges_by_hand_has_not_done_so_when_it_raises(make_broker, open_over):
    broker = make_broker(kind=RedisStreamBroker)

    assert semantics(broker, open_over, ack_type="manual") == DeliverySemantics(
        acknowledged="after",
        redelivered_on_raise=True,
        redelivered_on_kill=True,
        redelivered_on_outage=True,
    )


def test_a_broker_that_does_not_say_is_taken_to_lose_it(open_over):
    class Silent(InMemoryBroker):
        def listen(self):
            raise NotImplementedError

    class Said(InMemoryBroker):
        def listen(self) -> "AsyncGenerator[AckableMessage, None]":  # noqa: F821
            raise NotImplementedError

    assert [semantics(kind(), open_over) for kind in (Silent, Said)] == [LOST, KEPT]
