"""Attempts and waits under the harness are those of a receiver that really waits."""

import asyncio
import itertools

import pytest

pytest.importorskip("taskiq.receiver")
pytest.importorskip("taskiq_redis")

from taskiq import InMemoryBroker, SimpleRetryMiddleware, SmartRetryMiddleware


class DelayingBroker(InMemoryBroker):
    """Understands the `delay` label, as brokers over RabbitMQ and SQS do."""

    def __init__(self):
        super().__init__(await_inplace=True)
        #: How long each message was to wait.
        self.delays = []

    async def kick(self, message):
        self.delays.append(float(message.labels.get("delay", 0)))
        await asyncio.sleep(self.delays[-1])
        await super().kick(message)


def with_flaky_task(middleware, labels):
    broker = DelayingBroker().with_middlewares(middleware)
    starts = []

    @broker.task("flaky", retry_on_error=True, **labels)
    async def flaky():
        starts.append(asyncio.get_running_loop().time())
        raise ValueError

    return broker, flaky, starts


@pytest.mark.parametrize(
    ("make_middleware", "labels"),
    [
        (SimpleRetryMiddleware, {}),
        (SimpleRetryMiddleware, {"max_retries": 4, "delay": 0.02}),
        (SimpleRetryMiddleware, {"max_retries": 1}),
        (lambda: SmartRetryMiddleware(default_delay=0.05), {"max_retries": 3}),
        (
            lambda: SmartRetryMiddleware(default_delay=0.01, use_delay_exponent=True),
            {"max_retries": 5},
        ),
        (
            lambda: SmartRetryMiddleware(
                default_delay=0.02, use_delay_exponent=True, max_delay_exponent=0.05
            ),
            {"max_retries": 5},
        ),
    ],
)
def test_the_harness_predicts_what_a_worker_does(open_over, run, make_middleware, labels):
    broker, flaky, starts = with_flaky_task(make_middleware(), labels)
    run(flaky.kiq())
    broker.executor.shutdown()
    asked = broker.delays[1:]
    real_waits = [later - earlier for earlier, later in itertools.pairwise(starts)]

    broker, flaky, _ = with_flaky_task(make_middleware(), labels)
    with open_over(broker) as jobs:
        run(flaky.kiq())
        jobs.drain(raise_errors=False)
        waits = [each.wait.total_seconds() for each in jobs.retried]
        statuses = [each.status for each in jobs.deliveries]
    broker.executor.shutdown()

    assert len(statuses) == len(starts)
    assert statuses[-1] == "exhausted"
    assert waits == pytest.approx(asked, abs=1e-3)
    for wait, real_wait in zip(waits, real_waits, strict=True):
        assert wait <= real_wait + 1e-3
