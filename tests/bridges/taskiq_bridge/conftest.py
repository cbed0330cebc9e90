"""A broker whose server nobody can reach, and a harness that is open over it."""

import pytest
from servers import redis_url  # noqa: F401 - a fixture

from pytest_jobs.harness.jobs import Jobs
from pytest_jobs.harness.ledger.ledger import Ledger
from pytest_jobs.harness.time.clock import VirtualClock


@pytest.fixture
def make_broker():
    """Return a function that makes brokers which fail at once when they connect."""
    from taskiq_redis import ListQueueBroker

    made = []

    def make(*middlewares, kind=ListQueueBroker, url="redis://localhost:1", **options):
        broker = kind(url, **options).with_middlewares(*middlewares)
        made.append(broker)
        return broker

    yield make
    # Until it is collected, a broker sends what the labels of its tasks say, in every test of this process.
    for broker in made:
        broker.local_task_registry.clear()


@pytest.fixture
def broker(make_broker):
    return make_broker()


@pytest.fixture
def open_over():
    """Return a function that opens a harness over brokers."""
    from pytest_jobs.bridges.taskiq.bridge import TaskiqBridge

    def open_over(*brokers, mode="record", jitter="zero", raise_at="end", **options):
        return Jobs([TaskiqBridge(brokers, **options)], mode=mode, jitter=jitter, raise_at=raise_at)

    return open_over


@pytest.fixture
def jobs(broker, open_over):
    with open_over(broker) as jobs:
        yield jobs


@pytest.fixture
def ledger():
    return Ledger(VirtualClock())
