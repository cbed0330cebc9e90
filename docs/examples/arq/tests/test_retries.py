"""Minutes of retries take no time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from arq import Retry
from arq.connections import ArqRedis

from conftest import FakePictures
from pytest_jobs import Jobs
from thumbs.jobs import shrink
from thumbs.service import upload


async def test_a_store_that_stays_away_is_given_up(
    jobs: Jobs, pool: ArqRedis, pictures: FakePictures
) -> None:
    pictures.is_down = True
    await upload(pool, "a.png", "ann")

    with pytest.raises(Retry):
        await jobs.adrain()

    assert [delivery.wait for delivery in jobs.retried] == [
        timedelta(seconds=30),
        timedelta(seconds=60),
    ]
    assert jobs.dead[0].status == "exhausted"


async def test_a_store_that_comes_back_is_asked_again(jobs: Jobs, pool: ArqRedis) -> None:
    jobs.fail(shrink, raising=Retry(defer=30), times=2)
    await upload(pool, "a.png", "ann")

    assert await jobs.adrain(only=shrink) == {"retried": 2, "performed": 1}
