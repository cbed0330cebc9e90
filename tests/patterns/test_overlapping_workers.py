"""Locks and limits where several workers perform jobs: what overlaps and what does not."""

import threading
import time
from datetime import UTC, datetime

import pytest

from pytest_jobs import job, limits_concurrency, unique
from pytest_jobs.errors import UnfinishedJobsError
from pytest_jobs.harness.running import workers

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _noon(jobs):
    jobs.clock.move_to(NOON)


def spans(jobs):
    """Return of each delivery, in the order of their records, when it began and ended, in seconds."""
    every = sorted(jobs.deliveries, key=lambda d: (d.record.sequence, d.at))
    return [tuple((at - NOON).total_seconds() for at in (d.at, d.ended_at)) for d in every]


@job
def note(): ...


def test_jobs_of_one_key_do_not_overlap_and_others_do(jobs):
    @limits_concurrency(key="owner")
    @job
    def materialize(owner):
        time.sleep(10)

    for owner in "aab":
        materialize.perform_later(owner)
    jobs.drain(workers=3)

    assert spans(jobs) == [(0, 10), (10, 20), (0, 10)]


def test_a_job_that_outlives_its_place_overlaps_with_the_next(jobs):
    @limits_concurrency(duration=30)
    @job
    def load(n):
        time.sleep(40)

    for n in range(3):
        load.perform_later(n)
    jobs.drain(workers=3)

    assert [(d.status, d.record.args) for d in jobs.deliveries if d.status == "snoozed"] == [
        ("snoozed", (2,))
    ]
    assert spans(jobs) == [(0, 40), (30, 70), (30, 30), (60, 100)]
    assert jobs.locks == []


def test_a_job_that_waited_for_a_worker_keeps_its_place_for_its_whole_duration(jobs):
    @limits_concurrency(duration=30)
    @job
    def load(n):
        time.sleep(20)

    @job
    def other():
        time.sleep(20)

    for _ in range(2):
        other.perform_later()
    for n in range(2):
        load.perform_later(n)
    jobs.drain(workers=2)

    ran = [each for each in jobs.performed if each.record.name.endswith("load")]
    assert [(d.at - NOON).seconds for d in ran] == [20, 40]


def test_v8_eleven_jobs_of_one_key_never_overlap(jobs):
    @limits_concurrency()
    @job
    def load(n):
        time.sleep(1)
        if n % 3 == 0:
            raise ValueError

    for n in range(11):
        load.perform_later(n)
    jobs.drain(workers=4, raise_errors=False)

    assert spans(jobs) == [(n, n + 1) for n in range(11)]


def test_until_executing_lets_one_wait_while_one_runs(jobs):
    @unique(until="executing")
    @job
    def sync():
        time.sleep(10)

    sync.perform_later()
    assert not sync.perform_later().enqueued
    note.set(wait=5).perform_later()
    jobs.harness.performer.when_delivered.append(
        lambda d: sync.perform_later() if d.record.job is note else None
    )
    jobs.drain(workers=2)

    assert spans(jobs) == [(0, 10), (5, 5), (5, 15)]


def test_a_job_that_waits_in_real_time_for_one_that_sleeps_is_named(jobs, monkeypatch):
    lock = threading.Lock()

    @job
    def hold(n):
        with lock:
            monkeypatch.setattr(workers, "_PATIENCE", 0)
            time.sleep(10)

    hold.perform_later(1)
    hold.perform_later(2)
    with pytest.raises(UnfinishedJobsError) as caught:
        jobs.drain(workers=2)

    assert str(caught.value) == (
        "hold(2) neither ended nor slept for 0 real seconds while others of the jobs slept, so it most likely "
        "waits for what one of them holds, such as a lock or an open transaction: drain with one worker, or let "
        "no job sleep while it holds something."
    )
