"""A check delivers jobs of RQ again, and kills their workers."""

import pytest

pytest.importorskip("rq")
pytest.importorskip("lupa")

import rq
from rendered import render, render_at_once, videos
from rq_tasks import Ledger, Shop, greets, greets_later_once, greets_once

from pytest_jobs import check_idempotent, fake
from pytest_jobs.errors import DuplicateEffect, HalfDone


def books():
    with fake(Shop, "ledger", Ledger(), key="key") as ledger:
        yield lambda: {"booked": ledger.calls}


since_3 = pytest.mark.skipif(rq.__version__ < "3", reason="enqueue_in of RQ 2 ignores unique=")


@pytest.mark.parametrize("job", [greets_once, pytest.param(greets_later_once, marks=since_3)])
def test_an_id_that_is_unique_makes_an_enqueue_safe(jobs, bridge, job):
    bridge.enqueue(job, (1,), {})

    check_idempotent(job, args=(7,), world=books)


def test_an_id_that_is_not_unique_does_not(jobs, bridge):
    bridge.enqueue(greets, (1,), {})

    with pytest.raises(DuplicateEffect, match=r"DUPLICATE ledger\.book"):
        check_idempotent(greets, args=(7,), world=books)


def test_a_job_without_a_retry_is_abandoned_when_its_process_is_killed(jobs, bridge):
    for job in (render, render_at_once):
        bridge.enqueue(job, (7,), {})

    check_idempotent(render, args=(7,), world=videos)
    with pytest.raises(HalfDone, match=r"HALF_DONE video\.id=7\.status \[abandoned"):
        check_idempotent(render, args=(7,), world=videos, delivery="as configured")
    check_idempotent(render_at_once, args=(7,), world=videos, histories=["abandoned"])
