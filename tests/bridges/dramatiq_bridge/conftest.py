"""A broker whose server nobody can reach, and a harness that is open over it."""

import socket

import pytest
from servers import redis_url  # noqa: F401 - a fixture

from pytest_jobs.harness.jobs import Jobs
from pytest_jobs.harness.ledger.ledger import Ledger
from pytest_jobs.harness.time.clock import VirtualClock


@pytest.fixture
def no_connections(monkeypatch):
    def connect(self, address):
        raise AssertionError(f"a connection to {address} was made")

    monkeypatch.setattr(socket.socket, "connect", connect)


@pytest.fixture
def make_broker():
    """Return a function that makes brokers with the default middlewares and further ones."""
    from dramatiq.brokers.redis import RedisBroker

    def make(*middlewares, kind=RedisBroker, **options):
        broker = kind(**({"url": "redis://localhost:1"} if kind is RedisBroker else {}), **options)
        for each in middlewares:
            broker.add_middleware(each)
        return broker

    return make


@pytest.fixture
def broker(make_broker):
    return make_broker()


@pytest.fixture
def global_broker(broker, monkeypatch):
    """Return the broker, which is also that of pipelines and groups."""
    monkeypatch.setattr("dramatiq.broker.global_broker", broker)
    return broker


@pytest.fixture
def actor(broker):
    """Return the decorator `dramatiq.actor` for the broker."""
    import dramatiq

    def declare(function=None, **options):
        if function is None:
            return lambda function: declare(function, **options)
        if getattr(function, "__module__", None) is None:
            method = function

            # Dramatiq 1.x makes actors of functions only, and not of `list.append`.
            def function(*args):
                return method(*args)

        return dramatiq.actor(function, broker=broker, **options)

    return declare


@pytest.fixture
def open_over():
    """Return a function that opens a harness over brokers."""
    from pytest_jobs.bridges.dramatiq.bridge import DramatiqBridge

    def open_over(*brokers, mode="record", jitter="zero", raise_at="end"):
        return Jobs([DramatiqBridge(brokers)], mode=mode, jitter=jitter, raise_at=raise_at)

    return open_over


@pytest.fixture
def jobs(broker, open_over, no_connections):
    with open_over(broker) as jobs:
        yield jobs


@pytest.fixture
def ledger():
    return Ledger(VirtualClock())
