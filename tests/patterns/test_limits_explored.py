"""Limited jobs in explorations: their places are those of each history."""

from contextlib import contextmanager

import pytest

from pytest_jobs import check_idempotent, job, limits_concurrency
from pytest_jobs.errors import DuplicateEffect

walked = []


@limits_concurrency()
@job
def walk(depth):
    walked.append(depth)
    if depth:
        walk.perform_later(depth - 1)


@contextmanager
def world():
    walked.clear()
    yield lambda: {"walked": list(walked)}


def test_a_follow_up_that_waits_for_its_parent_is_enqueued_again_by_a_second_delivery():
    with pytest.raises(DuplicateEffect, match=r"enqueue: walk\(0\)"):
        check_idempotent(walk, args=(1,), world=world)


def test_the_places_of_a_test_are_not_those_of_its_explorations(jobs):
    jobs.clock.freeze()
    walk.perform_later(1)
    with pytest.raises(DuplicateEffect):
        check_idempotent(walk, args=(1,), world=world)

    assert [lock.record.sequence for lock in jobs.locks] == [0]
    assert jobs.blocked == []
