"""Nothing reaches the broker or the result backend, and nothing runs past the harness."""

import socket

import pytest

from pytest_jobs.bridges.celery.bridge import CeleryBridge
from pytest_jobs.harness.jobs import Jobs


@pytest.fixture(autouse=True)
def no_connections(monkeypatch):
    """Fail whatever connects."""

    def connect(self, address):
        raise AssertionError(f"it connected to {address}")

    monkeypatch.setattr(socket.socket, "connect", connect)


@pytest.fixture
def add(app):
    @app.task
    def add(a, b):
        return a + b

    return add


def test_connections_messages_and_events_of_the_application_go_nowhere(jobs, app, add):
    with app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1)
        assert connection.transport_cls == "memory"
    with app.pool.acquire() as pooled:
        assert pooled.transport_cls == "memory"
    with app.producer_or_acquire() as producer:
        producer.publish({"hello": "world"}, exchange="events", routing_key="x")
    assert app.control.ping(timeout=0.01) == []
    assert app.control.inspect(timeout=0.01).active() is None
    assert len(jobs.enqueued) == 0

    app.conf.task_send_sent_event = True
    add.delay(1, 2)
    assert len(jobs.enqueued) == 1


def test_a_pool_that_was_in_use_before_is_back_afterwards(app):
    pool, producers = app.pool, app.amqp.producer_pool

    with Jobs([CeleryBridge([app])]):
        assert app.pool is not pool
        assert app.amqp.producer_pool is not producers

    assert app.pool is pool
    assert app.amqp.producer_pool is producers


@pytest.mark.parametrize("meanwhile", [True, False])
def test_eager_mode_is_off_while_a_harness_is_open_also_when_it_is_turned_on_meanwhile(
    app, add, meanwhile
):
    app.conf.task_always_eager = not meanwhile

    with Jobs([CeleryBridge([app])]) as jobs:
        app.conf.task_always_eager = True
        add.delay(1, 2)
        assert len(jobs.pending) == 1

    assert app.conf.task_always_eager is True
    assert add.delay(1, 2).get() == 3


@pytest.mark.parametrize("version", ["5.3.6", "5.5.0", "5.7.1rc1", "main"])
def test_no_version_is_refused_that_has_the_seams(app, monkeypatch, version):
    monkeypatch.setattr("celery.__version__", version)

    assert CeleryBridge([app]).version == version
