"""Tasks are known by the task object, or by their name."""

import inspect
from typing import Annotated

import pytest

pytest.importorskip("taskiq.receiver")
pytest.importorskip("taskiq_redis")

from taskiq import Context, TaskiqDepends
from taskiq.brokers.shared_broker import AsyncSharedBroker, async_shared_broker

from pytest_jobs.assertions.asserts import assert_enqueued
from pytest_jobs.errors import AmbiguousJobError, CriterionError, DeclarationError


def body(a: int, b: int = 0) -> int:
    return a + b


@pytest.fixture
def add(broker):
    return broker.register_task(body, "add")


@pytest.fixture
def bridge(jobs):
    return jobs.harness.bridges[0]


def test_a_task_of_any_broker_goes_by_its_name(bridge, make_broker):
    other = make_broker().register_task(body, "other")

    assert bridge.identify(other) == "other"


@pytest.mark.parametrize("ask", ["resolve", "signature"])
def test_a_task_of_another_service_has_no_function(bridge, broker, run, ask):
    from taskiq.kicker import AsyncKicker

    run(AsyncKicker("billing:charge", broker, {}).kiq())
    with pytest.raises(DeclarationError, match="'billing:charge' is registered with none of"):
        getattr(bridge, ask)("billing:charge")


def test_tasks_of_two_brokers_are_told_apart_by_the_task(make_broker, open_over, run):
    brokers = [make_broker(), make_broker()]
    first, second = (each.register_task(body, "same") for each in brokers)
    with open_over(*brokers) as jobs:
        (bridge,) = jobs.harness.bridges
        run(first.kiq(1))
        run(second.kiq(2))

        assert [bridge.matcher(first)(record) for record in jobs.enqueued] == [True, False]
        assert [record.job for record in jobs.enqueued] == [first, second]
        assert assert_enqueued(second, within=jobs.enqueued).args == (2,)
        with pytest.raises(AmbiguousJobError, match="'same' names a task of each of"):
            bridge.identify("same")


def test_a_shared_task_is_compared_by_name(make_broker, open_over, run):
    brokers = [make_broker(), make_broker()]
    task = async_shared_broker.register_task(body, "shared")
    try:
        with open_over(*brokers) as jobs:
            (bridge,) = jobs.harness.bridges
            for number, broker in enumerate(brokers):
                run(task.kicker().with_broker(broker).kiq(number))

            assert (bridge.identify(task), bridge.identify("shared")) == ("shared", "shared")
            assert [bridge.matcher(task)(record) for record in jobs.enqueued] == [True, True]
            assert jobs.drain() == {"performed": 2}
            with pytest.raises(CriterionError, match=r"which of .* it goes to is not known"):
                bridge.enqueue(task, (1,), {})
            async_shared_broker.default_broker(brokers[1])
            run(bridge.enqueue(task, (5,), {}))

            assert jobs.enqueued[2].envelope.broker is brokers[1]
    finally:
        async_shared_broker.default_broker(None)
        del AsyncSharedBroker.global_task_registry["shared"]


def test_a_shared_task_goes_to_the_only_broker(jobs, broker, run):
    task = async_shared_broker.register_task(body, "shared")
    try:
        run(jobs.harness.bridges[0].enqueue(task, (1,), {}))

        assert jobs.enqueued[0].job is task
    finally:
        del AsyncSharedBroker.global_task_registry["shared"]


def resource():
    return 1


def last(a: int, b: int = 0, context: Context = TaskiqDepends()):  # noqa: B008
    pass


def annotated(a: int, context: Annotated[Context, TaskiqDepends()], b: int = 0):
    pass


def nested(number: Annotated[int, TaskiqDepends(resource)], *rest: int, a: int, **more: int):
    pass


@pytest.mark.parametrize(
    ("function", "signature"),
    [
        (body, "(a: int, b: int = 0)"),
        (last, "(a: int, b: int = 0)"),
        (annotated, "(a: int, *, b: int = 0)"),
        (nested, "(*, a: int, **more: int)"),
    ],
)
def test_the_signature_is_what_a_caller_passes(bridge, broker, function, signature):
    task = broker.register_task(function, function.__name__)
    binder = bridge.signature(task)

    assert str(binder.signature.replace(return_annotation=inspect.Signature.empty)) == signature
    assert bridge.signature(task) is binder


def test_parameters_are_compared_bound_to_it(jobs, broker, run):
    task = broker.register_task(annotated, "annotated")
    run(task.kiq(1, b="2"))

    assert jobs.enqueued[0].params == {"a": 1, "b": 2}
    assert_enqueued(task, params={"b": 2}, within=jobs.enqueued)
