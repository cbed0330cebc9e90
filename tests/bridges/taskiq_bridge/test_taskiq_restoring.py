"""Whatever was replaced is put back exactly."""

import asyncio

import pytest

pytest.importorskip("taskiq.receiver")
pytest.importorskip("taskiq_redis")

from taskiq import InMemoryBroker, TaskiqMiddleware
from taskiq.brokers.shared_broker import async_shared_broker
from taskiq.kicker import AsyncKicker
from taskiq.middlewares import smart_retry_middleware
from taskiq.task import AsyncTaskiqTask

from pytest_jobs.bridges.opening import bridges_to
from pytest_jobs.bridges.taskiq import bridge
from pytest_jobs.bridges.taskiq.bridge import TaskiqBridge
from pytest_jobs.errors import ApplicationError, NotPerformedError


def draw():
    return 0.0


def state(*brokers):
    return [
        dict(vars(AsyncKicker)),
        dict(vars(AsyncTaskiqTask)),
        dict(vars(smart_retry_middleware)),
        *(dict(vars(type(broker))) for broker in brokers),
        *(dict(vars(broker)) for broker in brokers),
        *(list(broker.middlewares) for broker in brokers),
    ]


def test_an_installation_that_fails_leaves_nothing(make_broker, ledger):
    class FixedClass(type(InMemoryBroker)):
        def __setattr__(cls, name, value):
            if name == "listen" and cls.is_fixed:
                raise AttributeError(name)
            super().__setattr__(name, value)

    class Fixed(InMemoryBroker, metaclass=FixedClass):
        is_fixed = True

        def listen(self):
            raise NotImplementedError

    brokers = make_broker(), Fixed()
    before = state(*brokers)
    failing = TaskiqBridge(brokers)
    with pytest.raises(AttributeError):
        failing.install(ledger, draw)

    assert state(*brokers) == before
    failing.uninstall()
    Fixed.is_fixed = False


def test_a_sandbox_has_records_results_and_schedules_of_its_own(broker, open_over, ledger, run):
    @broker.task("known")
    async def known():
        return 1

    with open_over(broker) as jobs:
        (installed,) = jobs.harness.bridges
        outside = run(known.kiq())
        jobs.drain()
        with installed.sandbox(ledger):
            run(known.kiq())
            with pytest.raises(NotPerformedError, match="No task with the id"):
                run(broker.result_backend.get_result(outside.task_id))
        run(known.kiq())

        assert (len(ledger.records), len(jobs.enqueued)) == (1, 2)
        assert run(broker.result_backend.is_result_ready(outside.task_id))


@pytest.mark.parametrize(
    ("brokers", "message"),
    [
        ([async_shared_broker], "is the broker of shared tasks and sends nothing itself"),
        ([TaskiqMiddleware()], "is not a broker of taskiq"),
    ],
)
def test_what_is_no_broker_is_refused(brokers, message):
    with pytest.raises(ApplicationError, match=message):
        bridge(brokers)


def test_a_broker_is_an_application(broker):
    (made,) = bridges_to([broker])

    assert isinstance(made, TaskiqBridge)
    assert (made.name, "async" in made.capabilities) == ("taskiq", True)


def test_a_delivery_that_is_cancelled_leaves_the_middlewares_as_they_were(broker, open_over, run):
    started = asyncio.Event()

    @broker.task("known")
    async def known():
        started.set()
        await asyncio.Event().wait()

    async def cancel(jobs):
        performing = asyncio.create_task(jobs.aperform(jobs.pending[0]))
        await started.wait()
        performing.cancel()
        await asyncio.gather(performing, return_exceptions=True)
        return performing.cancelled()

    with open_over(broker) as jobs:
        run(known.kiq())

        assert run(cancel(jobs))
        assert (len(jobs.pending), jobs.deliveries) == (1, [])
    assert broker.middlewares == []
