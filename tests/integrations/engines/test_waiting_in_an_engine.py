"""What an engine has while no worker works for it, and in which order one performs it then."""

import time

import pytest
from engine_jobs import Replaced, Say, Sync

from pytest_jobs import Job
from pytest_jobs.errors import UnknownJobError


@pytest.fixture(autouse=True)
def _empty(engine):
    engine.empty()


def said(engine, count):
    return [engine.hear()["said"] for _ in range(count)]


def replaced_in_time(engine):
    """Replace a scheduled job before its time has come, however slow the machine; return the key and both jobs."""
    for key, wait in enumerate((3, 30, 180)):
        old = Replaced.set(wait=wait).perform_later(key, "old")
        engine.is_taken(old)
        new = Replaced.perform_later(key, "new")
        engine.is_dropped(old)
        if time.time_ns() < old.payload.due_ns:
            return key, old, new
    return pytest.fail("each job was due before it was replaced")


def test_a_second_job_with_the_same_key_is_not_sent(engine):
    first = Sync.perform_later(7)
    second = Sync.perform_later(7)

    assert (first.enqueued, second.enqueued, second.dropped_for) == (True, False, first.job_id)
    assert engine.waiting() == [first.job_id]


def test_an_urgent_job_goes_before_those_that_came_before(engine, tmp_path):
    for each in ("first", "second"):
        Say.set(priority=engine.late).perform_later(each)
    Say.set(priority=engine.urgent).perform_later("urgent")

    with engine.worker(tmp_path):
        assert said(engine, 3) == ["urgent", "first", "second"]


def test_a_job_that_replaces_a_scheduled_one_is_performed_alone(engine, tmp_path):
    with engine.worker(tmp_path, *engine.scheduling):
        Say.perform_later("the worker works")
        assert said(engine, 1) == ["the worker works"]
        key, old, new = replaced_in_time(engine)
        left = (old.payload.due_ns - time.time_ns()) / 1_000_000_000
        Say.set(wait=max(left, 0) + 3).perform_later("the end")
        heard = [*iter(lambda: engine.hear()["said"], "the end")]

    assert [each for each in heard if each.startswith(f"{key} is ")] == [f"{key} is new"]
    assert (new.enqueued, new.dropped_for) == (True, None)


def test_a_class_that_no_worker_can_find_is_refused_and_nothing_is_sent(engine):
    class Local(Job):
        def perform(self): ...

    with pytest.raises(UnknownJobError) as caught:
        Local.perform_later()

    assert "was defined inside a function, so no worker can find it by its name" in str(
        caught.value
    )
    assert engine.redis.keys() == []
