"""What comes later: a cron job, and pictures that wait."""

from __future__ import annotations

from datetime import timedelta

from arq.connections import ArqRedis

from pytest_jobs import Jobs
from pytest_jobs.types import AssertPerformed
from thumbs.jobs import forget
from thumbs.service import upload, withdraw
from thumbs.store import store


def test_pictures_are_forgotten_at_night(jobs: Jobs, assert_performed: AssertPerformed) -> None:
    store.thumbs["a.png"] = 6

    jobs.run_for(timedelta(days=1))

    assert_performed(forget)
    assert store.thumbs == {}


async def test_a_picture_that_waits_can_be_withdrawn(jobs: Jobs, pool: ArqRedis) -> None:
    await upload(pool, "a.png", "ann", after=timedelta(hours=1))

    assert await withdraw(pool, "a.png")
    assert await jobs.adrain() == {}
