"""What an application does at its start and end is done, and no connection is made."""

import asyncio
import socket
from typing import Annotated

import pytest

pytest.importorskip("taskiq.receiver")
pytest.importorskip("taskiq_redis")

from taskiq import (
    AsyncBroker,
    Context,
    InMemoryBroker,
    TaskiqDepends,
    TaskiqEvents,
    TaskiqMiddleware,
    TaskiqScheduler,
)
from taskiq.api import run_receiver_task
from taskiq_redis import ListQueueBroker, PubSubBroker, RedisAsyncResultBackend, RedisStreamBroker


class Noted(TaskiqMiddleware):
    def __init__(self, calls):
        super().__init__()
        self.calls = calls

    def startup(self):
        self.calls.append("middleware starts")

    async def shutdown(self):
        self.calls.append("middleware ends")


class Backend(RedisAsyncResultBackend):
    async def startup(self):
        raise AssertionError("the result backend was started")

    async def shutdown(self):
        raise AssertionError("the result backend was stopped")


@pytest.fixture(autouse=True)
def no_connections(monkeypatch):
    def connect(self, address):
        raise AssertionError(f"a connection to {address} was made")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(asyncio.BaseEventLoop, "create_connection", connect)


def note_events(broker, calls):
    for event in ("CLIENT_STARTUP", "CLIENT_SHUTDOWN", "WORKER_STARTUP", "WORKER_SHUTDOWN"):
        broker.add_event_handler(
            TaskiqEvents[event], lambda state, event=event: calls.append(event)
        )


async def use(broker, task):
    await broker.startup()
    await task.kiq()
    await broker.shutdown()


@pytest.mark.parametrize("kind", [ListQueueBroker, PubSubBroker, RedisStreamBroker])
def test_a_client_starts_and_ends_without_its_server(make_broker, open_over, run, kind):
    calls = []
    backend = Backend("redis://localhost:1")
    broker = make_broker(Noted(calls), kind=kind).with_result_backend(backend)
    note_events(broker, calls)

    @broker.task("known")
    async def known():
        pass

    with open_over(broker) as jobs:
        run(use(broker, known))
        assert jobs.drain() == {"performed": 1}

    assert calls == [
        *("CLIENT_STARTUP", "middleware starts", "CLIENT_SHUTDOWN", "middleware ends"),
        *("WORKER_STARTUP", "WORKER_SHUTDOWN"),
    ]


def test_the_handlers_of_workers_run_once_on_a_loop_and_their_end_with_it(broker, open_over, run):
    called = []

    @broker.on_event(TaskiqEvents.WORKER_STARTUP)
    async def open_session(state):
        state.session = "a session"
        called.append("startup")

    @broker.on_event(TaskiqEvents.WORKER_SHUTDOWN)
    def close_session(state):
        called.append("shutdown")

    @broker.task("look")
    async def look(context: Annotated[Context, TaskiqDepends()]):
        called.append(context.state.session)

    with open_over(broker) as jobs:
        for _ in range(2):
            run(look.kiq())
        jobs.drain()
        run(look.kiq())
        jobs.drain()
        assert called == ["startup", *["a session"] * 3]

    assert called[4:] == ["shutdown"]


def test_an_error_of_a_handler_is_the_error_of_the_task(broker, open_over, run):
    @broker.on_event(TaskiqEvents.WORKER_STARTUP)
    def open_session(state):
        raise ConnectionError("no database")

    @broker.task("look")
    async def look():
        """Look."""

    with open_over(broker) as jobs:
        run(look.kiq())
        with pytest.raises(ConnectionError, match="no database"):
            jobs.drain()

    with open_over(broker, run_startup=False) as jobs:
        run(look.kiq())
        assert jobs.drain() == {"performed": 1}


@pytest.mark.parametrize("is_started", [True, False])
def test_an_application_that_plays_the_worker_calls_the_handlers_itself(
    broker, open_over, run, is_started
):
    calls = []
    note_events(broker, calls)
    broker.is_worker_process = True

    @broker.task("known")
    async def known():
        """Be known."""

    with open_over(broker) as jobs:
        if is_started:
            run(broker.startup())
        run(known.kiq())
        assert jobs.drain() == {"performed": 1}

    assert calls == ["WORKER_STARTUP"] * is_started


@pytest.mark.parametrize("is_in_memory", [True, False])
def test_a_broker_in_memory_is_client_and_worker_and_one_that_plays_the_worker_that_only(
    broker, open_over, run, is_in_memory
):
    calls = []
    if is_in_memory:
        broker = InMemoryBroker()
    else:
        broker.is_worker_process = True
    note_events(broker, calls)
    with open_over(broker):
        run(broker.startup())
        run(broker.shutdown())

    kinds = ["CLIENT", "WORKER"] if is_in_memory else ["WORKER"]
    assert calls == [f"{kind}_{step}" for step in ("STARTUP", "SHUTDOWN") for kind in kinds]


def test_a_broker_is_entered_and_a_scheduler_starts_without_the_server(broker, open_over, run):
    async def enter():
        async with broker:
            pass

    scheduler = TaskiqScheduler(broker, [])
    with open_over(broker):
        if hasattr(AsyncBroker, "__aenter__"):  # Of a later taskiq.
            asyncio.run(enter())
        run(scheduler.startup())
        run(scheduler.shutdown())


def test_a_worker_inside_the_application_hears_nothing(broker, open_over):
    @broker.task("known")
    async def known():
        pass

    async def serve():
        worker = asyncio.create_task(run_receiver_task(broker))
        await known.kiq()
        for _ in range(20):
            await asyncio.sleep(0)
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)

    with open_over(broker) as jobs:
        asyncio.run(serve())

        assert (len(jobs.pending), jobs.deliveries) == (1, [])
