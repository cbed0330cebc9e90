"""A rate limit of RQ 3 says how many jobs of a key may be queued or run at a time."""

import pytest
import rq
import rq_tasks
from rq_tasks import greet, queue

if not hasattr(rq, "RateLimit"):
    pytest.skip("this RQ has no rate limits", allow_module_level=True)

ONE = rq.RateLimit("customer-7", concurrency=1)


def names(records):
    return [record.args for record in records]


def test_a_job_above_the_limit_is_recorded_when_one_before_it_has_ended(jobs):
    queue.enqueue(greet, "Ann", rate_limit=ONE)
    held = queue.enqueue(greet, "Bob", rate_limit=ONE)
    assert (names(jobs.enqueued), held.get_status()) == ([("Ann",)], "rate_limited")

    jobs.perform_due(children=False)

    assert [(record.args, record.parent) for record in jobs.pending] == [(("Bob",), 0)]
    assert jobs.drain() == {"performed": 1}


def test_a_failed_job_makes_room(jobs):
    queue.enqueue(rq_tasks.fails, rate_limit=ONE)
    queue.enqueue(greet, "Bob", rate_limit=ONE)

    assert jobs.drain(raise_errors=False) == {"performed": 1, "failed": 1}


def test_a_cancelled_job_makes_room(jobs):
    first = queue.enqueue(greet, "Ann", rate_limit=ONE)
    queue.enqueue(greet, "Bob", rate_limit=ONE)

    first.cancel()

    assert names(jobs.pending) == [("Bob",)]


def test_dependents_are_let_through_one_by_one(jobs):
    first = queue.enqueue(greet, "Ann")
    for name in ("Bob", "Cid"):
        queue.enqueue(greet, name, depends_on=first, rate_limit=ONE)

    jobs.perform_due(children=False)

    assert len(jobs.pending) == 1
    assert jobs.drain() == {"performed": 2}
