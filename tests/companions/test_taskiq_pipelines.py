"""The steps of a pipeline of taskiq-pipelines are jobs."""

from __future__ import annotations

import asyncio

import pytest
from taskiq import AsyncBroker
from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

from pytest_jobs import open_jobs

pipelines = pytest.importorskip("taskiq_pipelines")

URL = "redis://localhost:1"


def test_each_step_is_a_job_that_the_one_before_enqueues():
    broker: AsyncBroker = RedisStreamBroker(URL)
    broker = broker.with_result_backend(RedisAsyncResultBackend(URL))
    broker = broker.with_middlewares(pipelines.PipelineMiddleware())

    @broker.task("thrice")
    async def thrice(number: int) -> list[int]:
        return [number] * 3

    @broker.task("double")
    async def double(number: int) -> int:
        return 2 * number

    async def run():
        pipeline = pipelines.Pipeline(broker, double).call_next(thrice).map(double)
        task = await pipeline.kiq(1)
        assert [each.name for each in jobs.pending] == ["double"]
        await jobs.adrain()
        return await task.wait_result()

    with open_jobs() as jobs:
        result = asyncio.run(run())

        assert result.return_value == [4, 4, 4]
        names = [each.name for each in jobs.enqueued]
        assert names[:5] == ["double", "thrice", "double", "double", "double"]
        assert [each.parent for each in jobs.enqueued][:5] == [None, 0, 1, 1, 1]
