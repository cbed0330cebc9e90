"""A check delivers jobs of RQ again, and kills their workers."""

import pytest

pytest.importorskip("rq")
pytest.importorskip("lupa")

import rq
from rendered import render, render_at_once, videos
from rq import Queue
from rq_tasks import Ledger, Shop, greets, greets_later_once, greets_once, queue, redis

from pytest_jobs import check_handoff, check_idempotent, fake
from pytest_jobs.errors import DuplicateEffect, HalfDone, LostEffect


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


def book(number):
    Shop.ledger.book(number)


def enqueue_at_once():
    queue.enqueue_many([Queue.prepare_data(book, (number,)) for number in range(3)])


def enqueue_by_a_pipeline():
    with redis.pipeline() as pipeline:
        for number in range(3):
            queue.enqueue(book, number, pipeline=pipeline)
        pipeline.execute()


def enqueue_one_by_one():
    for number in range(3):
        queue.enqueue(book, number)


def test_what_one_command_enqueues_comes_at_once_or_not_at_all(jobs):
    for call in (enqueue_at_once, enqueue_by_a_pipeline):
        tried = check_handoff(call, world=books).explorations[0].tried

        assert {plan.name for plan in tried} == {"early", "dies", "refused", "enqueue_unknown"}
        assert "book(0) and 2 more" in str(tried[-1].point)
    with pytest.raises(LostEffect, match=r"LOST ledger\.book \[dies, 1 of 4 failing points"):
        check_handoff(enqueue_one_by_one, world=books)


def test_the_child_of_a_job_is_performed_where_no_world_is_named(pytester):
    pytester.makepyfile(
        shop="""
        from redis import Redis
        from rq import Queue

        queue = Queue("shop", connection=Redis(port=6379))
        crm = None

        def sync(order):
            crm.put(order)

        def ship(order):
            queue.enqueue(sync, order)
        """,
        test_shop="""
        from unittest.mock import Mock

        import shop
        from pytest_jobs import check_idempotent

        def test_ship(monkeypatch):
            monkeypatch.setattr(shop, "crm", Mock(spec=["put"]))
            check_idempotent(shop.ship, args=(7,), mocks={"shop.crm.put": "put"})
        """,
    )

    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
