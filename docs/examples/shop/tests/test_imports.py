"""A long import is a chain: each job does a part of it and enqueues the next."""

from __future__ import annotations

import pytest

from pytest_jobs import Jobs
from pytest_jobs.errors import LoopLimitError
from pytest_jobs.types import AssertEnqueued
from shop import db
from shop.catalogue import Import
from shop.jobs import ImportProducts


@pytest.fixture
def teapots() -> Import:
    """An import of 25 products, in batches of ten."""
    return Import.create(f"teapot-{number}" for number in range(25))


def test_an_import_goes_on_until_everything_is_there(jobs: Jobs, teapots: Import) -> None:
    teapots.run_later()

    tally = jobs.drain()

    assert tally["performed"] == 3
    assert len(db.rows("SELECT * FROM products")) == 25
    assert Import.find(teapots.id).status == "done"


def test_each_job_enqueues_the_next(
    jobs: Jobs, teapots: Import, assert_enqueued: AssertEnqueued
) -> None:
    teapots.run_later()

    jobs.drain()

    first = assert_enqueued(ImportProducts, args=[teapots.id])
    second = assert_enqueued(ImportProducts, params={"offset": 10})
    third = assert_enqueued(ImportProducts, params={"offset": 20})
    assert (first.parent, second.parent, third.parent) == (None, first.sequence, second.sequence)


def test_an_import_that_fails_in_the_middle_goes_on_from_there(
    jobs: Jobs, teapots: Import, assert_enqueued: AssertEnqueued
) -> None:
    teapots.run_later()
    jobs.perform_due(children=False)
    with (
        jobs.fail(ImportProducts, raising=OSError("disk full")),
        pytest.raises(OSError, match="disk"),
    ):
        jobs.drain()

    jobs.redeliver(assert_enqueued(ImportProducts, params={"offset": 10}))
    jobs.drain()

    assert Import.find(teapots.id).status == "done"


def test_a_chain_that_does_not_end_is_stopped(jobs: Jobs, teapots: Import) -> None:
    teapots.run_later()

    with pytest.raises(LoopLimitError, match="ImportProducts"):
        jobs.drain(limit=1)

    assert len(jobs.pending) == 1
