"""Pictures that come in are shrunk, and paid once."""

from __future__ import annotations

from arq.connections import ArqRedis

from conftest import FakeBank
from pytest_jobs import Jobs
from pytest_jobs.types import AssertEnqueued, AssertPerformed
from thumbs.jobs import charge, shrink
from thumbs.service import upload
from thumbs.store import store


async def test_a_picture_is_shrunk_and_paid(
    jobs: Jobs,
    pool: ArqRedis,
    bank: FakeBank,
    assert_enqueued: AssertEnqueued,
    assert_performed: AssertPerformed,
) -> None:
    await upload(pool, "a.png", "ann")
    assert_enqueued(shrink, params={"name": "a.png", "customer": "ann"})

    await jobs.adrain()

    assert_performed(shrink, result=6)
    assert_performed(charge, args=["a.png", "ann"])
    assert store.thumbs == {"a.png": 6}
    assert bank.charged == ["ann"]


async def test_a_picture_that_waits_is_not_enqueued_twice(jobs: Jobs, pool: ArqRedis) -> None:
    await upload(pool, "a.png", "ann")
    await upload(pool, "a.png", "ann")

    assert len(jobs.enqueued) == 1
    assert jobs.kept_out[0].kept_out_by is jobs.enqueued[0]
