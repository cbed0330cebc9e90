"""Limited jobs in explorations and under `--jobs-twice`: their places are those of each history."""

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


def test_copies_of_jobs_have_places_of_their_own(pytester):
    pytester.makepyfile(
        """
        from pytest_jobs import job, limits_concurrency

        @limits_concurrency()
        @job
        def walk(depth):
            if depth:
                walk.perform_later(depth - 1)

        def test_walk(jobs):
            walk.perform_later(2)
            walk.perform_later(0)
            jobs.drain()

            assert [d.record.args[0] for d in jobs.performed] == [2, 0, 1, 0]
            assert jobs.locks == []
        """
    )

    result = pytester.runpytest("--jobs-twice", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)
