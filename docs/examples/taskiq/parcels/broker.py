"""The broker, and what its workers need."""

from __future__ import annotations

import os

from taskiq import SmartRetryMiddleware, TaskiqEvents, TaskiqScheduler, TaskiqState
from taskiq_redis import ListRedisScheduleSource, RedisAsyncResultBackend, RedisStreamBroker

from .carrier import HttpCarrier
from .tracing import Tracing

URL = os.environ.get("PARCELS_REDIS", "redis://localhost:6379")

# Redis brokers send at once whatever the `delay` label says, so retries wait in the schedule.
schedule = ListRedisScheduleSource(URL)
retries = SmartRetryMiddleware(
    default_delay=60,
    use_delay_exponent=True,
    max_delay_exponent=3600,
    schedule_source=schedule,
)

broker = (
    RedisStreamBroker(URL)
    .with_result_backend(RedisAsyncResultBackend(URL))
    .with_middlewares(retries, Tracing())
)
scheduler = TaskiqScheduler(broker, [schedule])


@broker.on_event(TaskiqEvents.WORKER_STARTUP)
async def open_carrier(state: TaskiqState) -> None:
    state.carrier = HttpCarrier()
