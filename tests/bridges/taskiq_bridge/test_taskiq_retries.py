"""Retry middlewares send a task again with its id: that is a retry, on the virtual clock."""

import random
from datetime import timedelta
from functools import partial
from typing import Annotated

import pytest

pytest.importorskip("taskiq.receiver")
pytest.importorskip("taskiq_redis")

from delaying import DelayingBroker
from taskiq import InMemoryBroker, SimpleRetryMiddleware, SmartRetryMiddleware
from taskiq.middlewares import smart_retry_middleware
from taskiq_redis import ListQueueBroker, ListRedisScheduleSource, RedisStreamBroker


class Down(Exception):
    pass


class Full(Exception):
    pass


class Lengthened(SmartRetryMiddleware):
    def make_delay(self, message, retries):
        return 10.0 * retries


def flaky_task(broker, **labels):
    @broker.task("flaky", **labels)
    async def flaky(n: int = 1):
        raise Down(n)

    return flaky


@pytest.fixture
def step(make_broker, open_over, run):
    """Return a function that sends a task that always fails, and returns what its deliveries came to."""

    def step(middleware, *, jitter="zero", error=None, kind=DelayingBroker, **labels):
        broker = make_broker(middleware, kind=kind)
        flaky = flaky_task(broker, **labels)
        with open_over(broker, jitter=jitter) as jobs:
            if error is not None:
                jobs.fail(flaky, raising=error)
            run(flaky.kiq())
            jobs.drain(raise_errors=False)
            return list(jobs.deliveries)

    return step


def waits(deliveries):
    return [delivery.wait.total_seconds() for delivery in deliveries if delivery.wait is not None]


def _exponential(delay, **options):
    return partial(SmartRetryMiddleware, default_delay=delay, use_delay_exponent=True, **options)


def _scheduled(delay):
    def make():
        source = ListRedisScheduleSource("redis://localhost:1")
        return _exponential(delay, schedule_source=source)()

    return make


@pytest.mark.parametrize(
    ("middleware", "labels", "expected"),
    [
        (SimpleRetryMiddleware, {}, [0, 0]),
        (SimpleRetryMiddleware, {"max_retries": 4, "delay": 3}, [3, 3, 3]),
        (SimpleRetryMiddleware, {"max_retries": 1}, []),
        (SimpleRetryMiddleware, {"max_retries": 0}, []),
        (SmartRetryMiddleware, {}, [5, 5]),
        (partial(SmartRetryMiddleware, default_delay=0.5), {"max_retries": 4}, [0.5] * 3),
        (SmartRetryMiddleware, {"max_retries": 4, "delay": 7}, [7, 7, 7]),
        (partial(SmartRetryMiddleware, default_retry_count=2), {}, [5]),
        (_exponential(3), {"max_retries": 5}, [3, 6, 18, 60]),
        (_scheduled(3), {"max_retries": 5}, [3, 6, 9, 12]),
        (_scheduled(30), {"max_retries": 4}, [30, 60, 60]),
    ],
)
def test_the_waits_are_those_of_the_middleware_as_declared(
    make_broker, open_over, step, middleware, labels, expected
):
    deliveries = step(middleware(), retry_on_error=True, **labels)

    assert waits(deliveries) == expected
    assert [d.status for d in deliveries] == ["retried"] * len(expected) + ["exhausted"]
    assert [d.record.attempt for d in deliveries] == list(range(1, len(expected) + 2))
    assert {type(d.error) for d in deliveries} == {Down}
    for delivery in deliveries[:-1]:
        assert delivery.wait_bounds == (delivery.wait, delivery.wait)
    broker = make_broker(middleware(), kind=DelayingBroker)
    (bridge,) = open_over(broker).harness.bridges
    policy = bridge.retry_policy(flaky_task(broker, retry_on_error=True, **labels))
    assert policy.attempts == len(expected) + 1
    assert [policy.wait(n + 1).total_seconds() for n in range(len(expected))] == expected


@pytest.mark.parametrize(
    "middlewares",
    [
        (),
        (SimpleRetryMiddleware(),),
        (Lengthened(default_retry_label=True),),
        (SimpleRetryMiddleware(default_retry_label=True), SmartRetryMiddleware()),
    ],
)
def test_no_schedule_can_be_told_where_only_running_shows_it(make_broker, open_over, middlewares):
    broker = make_broker(*middlewares)
    (bridge,) = open_over(broker).harness.bridges

    assert bridge.retry_policy(flaky_task(broker)) is None


@pytest.mark.parametrize(
    ("labels", "error", "statuses"),
    [
        ({"retry_on_error": True}, Down, ["retried", "retried", "exhausted"]),
        ({"retry_on_error": True}, Full, ["failed"]),
        ({"retry_on_error": False}, Down, ["failed"]),
        ({"retry_on_error": "False"}, Down, ["failed"]),
        ({}, Down, ["failed"]),
    ],
)
def test_only_tasks_that_are_to_be_and_the_errors_named_are_retried(step, labels, error, statuses):
    deliveries = step(SmartRetryMiddleware(types_of_exceptions=[Down]), error=error("x"), **labels)

    assert [d.status for d in deliveries] == statuses
    assert deliveries[-1].raises


def test_a_retry_keeps_id_arguments_and_labels(make_broker, open_over, run):
    broker = make_broker(SmartRetryMiddleware(default_retry_label=True))
    flaky = flaky_task(broker, queue_name="q")
    with open_over(broker) as jobs:
        run(flaky.kicker().with_labels(x=1).kiq(7))
        delivery = jobs.perform(jobs.pending[0])
        again = delivery.next

        assert (again.job_id, again.args, again.queue) == (delivery.record.job_id, (7,), "q")
        assert (again.headers["x"], again.attempt) == (1, 2)
        assert (again.retry_of, again.parent) == (delivery.record.sequence, None)
        assert (len(jobs.enqueued), jobs.enqueued[0].attempt) == (1, 1)


def test_an_exhausted_task_raises_its_own_error_and_redriven_has_all_its_attempts_again(
    make_broker, open_over, run
):
    broker = make_broker(SimpleRetryMiddleware(default_retry_label=True))
    flaky = flaky_task(broker)
    with open_over(broker) as jobs:
        run(flaky.kiq(5))
        with pytest.raises(Down, match="5"):
            jobs.drain()
        assert jobs.dead[0].status == "exhausted"
        again = jobs.redrive(jobs.dead[0])

        assert (again.attempt, again.job_id) == (1, jobs.enqueued[0].job_id)
        assert jobs.drain(raise_errors=False) == {"retried": 2, "exhausted": 1}
        assert len(jobs.dead) == 1


def test_an_error_of_a_dependency_is_retried_and_shown(make_broker, open_over, run):
    from taskiq import TaskiqDepends

    broker = make_broker(SimpleRetryMiddleware(default_retry_label=True))

    def broken():
        raise Down

    @broker.task("depends")
    async def depends(database: Annotated[int, TaskiqDepends(broken)]):
        pass

    with open_over(broker) as jobs:
        run(depends.kiq())
        delivery = jobs.perform(jobs.pending[0])

        assert (delivery.status, type(delivery.error)) == ("retried", Down)


@pytest.mark.parametrize("jitter", ["zero", "seeded", "live"])
def test_jitter_lies_within_its_bounds(step, jitter):
    middleware = SmartRetryMiddleware(use_jitter=True, default_retry_label=True)
    first, second = step(middleware, jitter=jitter)[:2]
    shortest, longest = first.wait_bounds

    assert (shortest, longest) == (timedelta(seconds=5), timedelta(seconds=6))
    assert shortest <= first.wait <= longest
    assert second.wait_bounds[0] == first.wait
    assert (first.wait == shortest) is (jitter == "zero")


def test_chance_is_pinned_in_the_middleware_alone_and_only_while_it_performs(
    make_broker, open_over, run
):
    middleware = SmartRetryMiddleware(use_jitter=True, default_retry_label=True, default_delay=0)
    broker = make_broker(middleware)

    @broker.task("chance")
    async def chance(message=None):
        return random.random()

    with open_over(broker) as jobs:
        drawn = {smart_retry_middleware.random.random() for _ in range(5)}
        run(chance.kiq())
        jobs.drain()

        assert len(drawn) == 5
        assert jobs.performed[0].result > 0
    assert smart_retry_middleware.random is random


def test_the_bounds_of_a_wait_that_another_computes_are_not_known(step):
    first, second, _ = step(Lengthened(default_retry_label=True))

    assert waits([first, second]) == [10, 20]
    assert first.wait_bounds is None


def test_a_simulated_success_does_not_run_a_function_that_is_no_coroutine(make_broker, open_over):
    broker = make_broker(SmartRetryMiddleware(default_retry_label=True), kind=DelayingBroker)

    @broker.task("sync")
    def sync(n: int):
        raise AssertionError("not reached")

    with open_over(broker) as jobs:
        timeline = jobs.simulate_retries(sync, raising=Down, succeed_on=2)

        assert (timeline.wait_seconds, timeline.status) == ([5], "performed")


@pytest.mark.parametrize("kind", [ListQueueBroker, RedisStreamBroker])
@pytest.mark.parametrize(
    "make_middleware",
    [
        SimpleRetryMiddleware,
        SmartRetryMiddleware,
        lambda: SmartRetryMiddleware(use_jitter=True),
        Lengthened,
    ],
)
def test_a_broker_whose_class_ignores_the_label_delay_retries_at_once(step, kind, make_middleware):
    deliveries = step(
        make_middleware(), retry_on_error=True, delay=3600, jitter="seeded", kind=kind
    )

    assert [d.status for d in deliveries] == ["retried", "retried", "exhausted"]
    assert waits(deliveries) == [0, 0]
    assert {d.wait_bounds for d in deliveries[:-1]} == {(timedelta(), timedelta())}


def test_a_schedule_source_waits_whatever_the_broker_ignores(step):
    source = ListRedisScheduleSource("redis://localhost:1")
    middleware = SmartRetryMiddleware(default_delay=3, schedule_source=source)

    assert waits(step(middleware, retry_on_error=True, kind=ListQueueBroker)) == [3, 3]


def test_the_declared_schedule_of_a_broker_that_ignores_the_label_has_no_waits(
    make_broker, open_over, run
):
    broker, in_memory = make_broker(SmartRetryMiddleware(default_delay=3)), InMemoryBroker()
    flaky = flaky_task(broker, retry_on_error=True)
    with open_over(broker) as jobs:
        (bridge,) = [each for each in jobs.harness.bridges if each.name == "taskiq"]
        policy = bridge.retry_policy(flaky)
    with open_over(in_memory) as jobs:
        run(flaky_task(in_memory, delay=3600).kiq())

        assert jobs.enqueued[0].wait is None
    assert [policy.wait(attempt) for attempt in (1, 2)] == [timedelta()] * 2
