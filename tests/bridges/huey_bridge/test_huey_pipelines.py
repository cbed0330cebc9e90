"""Pipelines, groups and chords of Huey: each task after another is a child of it."""

import pytest

pytest.importorskip("huey")

import huey as library

from pytest_jobs.assertions.several import AssertBatched, AssertFollowedBy

needs_chords = pytest.mark.skipif(not hasattr(library, "chord"), reason="Huey 2 has no chords")


@pytest.fixture
def add(huey):
    @huey.task()
    def add(a, b=0):
        return a + b

    return add


@pytest.fixture
def total(huey):
    @huey.task()
    def total(numbers):
        return sum(numbers)

    return total


def test_each_task_of_a_pipeline_gets_the_result_before_it(jobs, huey, add):
    result = huey.enqueue(add.s(1, 2).then(add, 10).then(add, 100))

    assert len(jobs.enqueued) == 1
    jobs.drain()

    assert [each.result for each in jobs.performed] == [3, 13, 113]
    assert [each.parent for each in jobs.enqueued] == [None, 0, 1]
    assert result.get() == [3, 13, 113]


def test_what_follows_is_known_before(jobs, huey, add, total):
    huey.enqueue(add.s(1, 2).then(add, 10).then(total))

    AssertFollowedBy(lambda: jobs)(add, [add, total])


@needs_chords
def test_a_group_is_several_tasks(jobs, huey, add):
    result = huey.enqueue(library.group([add.s(1), add.s(2)]))
    jobs.drain()

    assert [each.args for each in jobs.enqueued] == [(1,), (2,)]
    assert result.get() == [1, 2]


@needs_chords
def test_a_chord_ends_with_its_callback(jobs, huey, add, total):
    result = huey.enqueue(library.group([add.s(1), add.s(2)]).then(total))
    _, second = AssertBatched(lambda: jobs)([add, add], then=[total])

    jobs.drain()

    assert jobs.performed[-1].result == 3
    assert jobs.enqueued[-1].parent == second.sequence
    assert result.get() == 3


def test_a_pipeline_ends_where_a_task_fails(jobs, huey, add):
    huey.enqueue(add.s(1, "2").then(add, 10))

    with pytest.raises(TypeError):
        jobs.drain()

    assert len(jobs.enqueued) == 1
