"""`jobs.drain(workers=n)`: jobs that overlap by the virtual time that they sleep."""

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from pytest_jobs import job, limits_concurrency, retry_on
from pytest_jobs.errors import CriterionError, LoopLimitError, NothingMatchedError

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)

steps = []


@pytest.fixture(autouse=True)
def _noon(jobs, sleepless):
    steps.clear()
    jobs.clock.move_to(NOON)


def spans(jobs):
    """Return of each delivery, in the order of their records, when it began and ended, in seconds."""
    every = sorted(jobs.deliveries, key=lambda d: (d.record.sequence, d.at))
    return [tuple((at - NOON).total_seconds() for at in (d.at, d.ended_at)) for d in every]


@job
def work(name, seconds=10):
    steps.append(f"{name} begins")
    time.sleep(seconds)
    steps.append(f"{name} ends")
    return name


@pytest.mark.parametrize(
    ("workers", "expected", "order"),
    [
        (1, [(0, 10), (10, 20), (20, 30)], "a( a) b( b) c( c)"),
        (2, [(0, 10), (0, 10), (10, 20)], "a( b( a) b) c( c)"),
    ],
)
def test_as_many_jobs_as_there_are_workers_run_at_once(jobs, workers, expected, order):
    for name in "abc":
        work.perform_later(name)

    assert jobs.drain(workers=workers) == {"performed": 3}
    assert spans(jobs) == expected
    assert jobs.clock.now() == NOON + timedelta(seconds=expected[-1][1])
    words = {"(": " begins", ")": " ends"}
    assert steps == [step[0] + words[step[1]] for step in order.split()]


def test_a_worker_that_is_free_takes_the_next_job(jobs):
    for name, seconds in [("a", 30), ("b", 10), ("c", 10), ("d", 5)]:
        work.perform_later(name, seconds)
    jobs.drain(workers=2)

    assert spans(jobs) == [(0, 30), (0, 10), (10, 20), (20, 25)]
    assert [d.result for d in jobs.performed] == ["b", "c", "d", "a"]


def test_what_is_due_begins_when_it_is_due_and_a_worker_is_free(jobs):
    work.perform_later("a", 3600)
    work.set(wait=7).perform_later("b", 3600)
    work.set(priority=-1, wait=8).perform_later("urgent", 1)
    jobs.drain(workers=2)

    assert spans(jobs) == [(0, 3600), (7, 3607), (3600, 3601)]


def test_children_and_retries_are_performed_too(jobs):
    @retry_on(ConnectionError, wait=5)
    @job
    def parent():
        time.sleep(1)
        work.perform_later("child")

    jobs.fail(parent, raising=ConnectionError, on=[1], after=True)
    parent.perform_later()
    jobs.drain(workers=2)

    assert [r.parent for r in jobs.enqueued] == [None, 0, 2]
    assert spans(jobs) == [(0, 1), (1, 11), (6, 7), (7, 17)]


def test_coroutine_jobs_overlap_with_others(jobs):
    @job
    async def fetch(name):
        await asyncio.gather(asyncio.sleep(10), asyncio.sleep(4))
        return name

    fetch.perform_later("a")
    work.perform_later("b", 3)
    fetch.perform_later("c")
    jobs.drain(workers=3)

    assert spans(jobs) == [(0, 10), (0, 3), (0, 10)]


def test_jobs_run_on_threads_of_their_own_one_at_a_time(jobs):
    inside, most, threads = [], [], set()

    @job
    def look():
        threads.add(threading.get_ident())
        for _ in range(5):
            inside.append(1)
            most.append(len(inside))
            inside.pop()
            time.sleep(1)

    for _ in range(4):
        look.perform_later()
    jobs.drain(workers=4)

    assert threading.get_ident() not in threads
    assert set(most) == {1}


def test_time_is_what_each_job_sees(jobs, monkeypatch):
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    seen = []

    @job
    def look(seconds):
        begin = time.monotonic()
        time.sleep(seconds)
        seen.append((time.monotonic() - begin, datetime.now(UTC) - NOON))

    look.perform_later(10)
    look.perform_later(4)
    jobs.drain(workers=2)

    assert seen == [(4, timedelta(seconds=4)), (10, timedelta(seconds=10))]


def test_after_an_error_what_was_begun_goes_on_and_the_rest_stays_pending(jobs):
    @job
    def breaks(n):
        time.sleep(n)
        raise ValueError(n)

    breaks.perform_later(1)
    breaks.perform_later(2)
    work.perform_later("a")
    with pytest.raises(ValueError, match="1") as caught:
        jobs.drain(workers=2)

    assert caught.value.__notes__ == ["Another job failed too: ValueError: 2"]
    assert [d.status for d in jobs.deliveries] == ["failed", "failed"]
    assert [record.args for record in jobs.pending] == [("a",)]
    breaks.perform_later(3)
    assert jobs.drain(workers=2, raise_errors=False) == {"failed": 1, "performed": 1}


@pytest.mark.parametrize(
    ("error", "pending"), [(AssertionError("steps"), []), (SystemExit("steps"), [0])]
)
def test_an_assertion_in_a_job_fails_the_test_and_a_killed_worker_leaves_it_pending(
    jobs, error, pending
):
    @job
    def dies():
        time.sleep(1)
        raise error

    dies.perform_later()
    work.perform_later("a")
    with pytest.raises(type(error), match="steps"):
        jobs.drain(workers=2)

    assert [record.sequence for record in jobs.pending] == pending


def test_filters_and_until_mean_what_they_mean_otherwise(jobs):
    work.perform_later("a")
    work.set(queue="low").perform_later("b")
    work.set(wait=60).perform_later("c")
    jobs.drain(workers=2, until=NOON + timedelta(seconds=30), queue="default")

    assert [d.result for d in jobs.performed] == ["a"]
    with pytest.raises(NothingMatchedError):
        jobs.drain(workers=2, queue="none")


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_due_after_until_stays_pending_whatever_time_jobs_take(jobs, workers):
    work.perform_later("long", 50)
    later = work.set(wait=30).perform_later("later")

    assert jobs.drain(workers=workers, until=NOON + timedelta(seconds=20)) == {"performed": 1}
    assert [record.job_id for record in jobs.pending] == [later.job_id]


def test_a_blocked_job_that_gets_its_place_before_until_is_performed_once(jobs):
    @limits_concurrency(to=1, duration=600)
    @job
    def alone(name):
        return work(name)

    alone.perform_later("a")
    alone.perform_later("b")

    assert jobs.drain(workers=2, until=NOON + timedelta(seconds=60)) == {"performed": 2}
    assert jobs.pending == []
    assert jobs.drain() == {}


def test_a_job_that_enqueues_itself_for_ever_is_stopped(jobs):
    @job
    def again():
        again.perform_later()

    again.perform_later()
    with pytest.raises(LoopLimitError, match="again"):
        jobs.drain(workers=2, limit=20)

    assert len(jobs.pending) == 1


@pytest.mark.parametrize("workers", [0, -1, True, 1.5, "2"])
def test_a_number_of_workers_is_an_int_of_at_least_one(jobs, workers):
    with pytest.raises(CriterionError) as caught:
        jobs.drain(workers=workers)

    assert str(caught.value) == (
        f"jobs.drain(workers={workers!r}) is not a number of workers: write an int of at least 1."
    )


def test_a_coroutine_has_workers_in_a_thread(jobs):
    async def main():
        @job
        async def nap(seconds):
            await asyncio.sleep(seconds)

        nap.perform_later(10)
        nap.perform_later(20)
        return await asyncio.to_thread(jobs.drain, workers=2)

    assert asyncio.run(main()) == {"performed": 2}
    assert spans(jobs) == [(0, 10), (0, 20)]


def test_on_the_loop_of_the_test_there_are_none(jobs):
    work.perform_later("a")
    with pytest.raises(CriterionError) as caught:
        asyncio.run(jobs.adrain(workers=3))

    assert str(caught.value) == (
        "await jobs.adrain(workers=3) cannot be: on the event loop of the test jobs sleep in real time, and "
        "workers take the virtual time that jobs sleep. Write `await asyncio.to_thread(jobs.drain, workers=3)`, "
        "which performs coroutine jobs on loops of their own."
    )
    assert len(jobs.pending) == 1
