"""A Taskiq task performed as its third attempt, and one that a schedule source cancels."""

from typing import Annotated

import pytest

pytest.importorskip("taskiq_redis")

from taskiq import Context, ScheduleSource, SimpleRetryMiddleware, TaskiqDepends
from taskiq.exceptions import ScheduledTaskCancelledError

from pytest_jobs.assertions.asserts import AssertDelivered


class Cancelling(ScheduleSource):
    async def get_schedules(self):
        return []

    async def add_schedule(self, schedule): ...

    async def pre_send(self, task):
        raise ScheduledTaskCancelledError


def test_a_task_sees_the_number_of_its_retry(make_broker, open_over, run):
    broker = make_broker(SimpleRetryMiddleware())

    @broker.task(retry_on_error=True, max_retries=3)
    async def sync(context: Annotated[Context, TaskiqDepends()]):
        raise TimeoutError(context.message.labels["_retries"])

    with open_over(broker) as jobs:
        run(sync.kiq())
        second = jobs.perform(jobs.pending[0], attempt=2)
        third = jobs.perform(second.next)

    assert (second.status, second.error.args, second.record.attempt) == ("retried", (1,), 2)
    assert (third.status, third.record.attempt) == ("exhausted", 3)


def test_a_scheduled_task_does_too(make_broker, open_over, run):
    broker = make_broker()

    class Source(Cancelling):
        async def pre_send(self, task): ...

    @broker.task
    async def sync(context: Annotated[Context, TaskiqDepends()]):
        return int(context.message.labels["_retries"])

    with open_over(broker) as jobs:
        run(sync.schedule_by_cron(Source(), "* * * * *"))
        delivery = jobs.perform(jobs.pending[0], attempt=3)

    assert (delivery.result, delivery.record.attempt) == (2, 3)


def test_a_task_that_its_schedule_source_cancels_is_cancelled(make_broker, open_over, run):
    broker = make_broker()

    @broker.task
    async def report(): ...

    with open_over(broker) as jobs:
        run(report.schedule_by_cron(Cancelling(), "* * * * *"))
        jobs.drain()

        assert AssertDelivered(lambda: jobs)(report, status="cancelled").wait is None
