"""An event loop that a synchronous job runs itself sleeps in virtual time."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from pytest_jobs import check_idempotent, job, open_jobs

anyio = pytest.importorskip("anyio", reason="anyio is not installed")
asgiref = pytest.importorskip("asgiref.sync", reason="asgiref is not installed")

HOUR = 3_600
noted = []
#: Made before any harness is open, as a module of a project may do.
kept_loop = asyncio.new_event_loop()


@pytest.fixture(autouse=True, scope="module")
def _close_loop():
    yield
    kept_loop.close()


@pytest.fixture(autouse=True)
def _nothing_noted():
    noted.clear()


async def wait(seconds=2 * HOUR):
    begun, loop_begun = time.time(), asyncio.get_running_loop().time()
    await asyncio.sleep(seconds)
    noted.append((time.time() - begun, asyncio.get_running_loop().time() - loop_begun))


def by_run():
    asyncio.run(wait())


def by_runner():
    with asyncio.Runner() as runner:
        runner.run(wait(HOUR))
        runner.run(wait(HOUR))


def by_a_loop_of_its_own():
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(wait())
    finally:
        loop.close()


def by_a_loop_made_before():
    kept_loop.run_until_complete(wait())


def by_run_forever():
    loop = asyncio.new_event_loop()
    task = loop.create_task(wait())
    task.add_done_callback(lambda _: loop.stop())
    loop.run_forever()
    loop.close()


def by_anyio():
    anyio.run(wait)


def by_asgiref():
    asgiref.async_to_sync(wait)()


WAYS = [
    by_run,
    by_runner,
    by_a_loop_of_its_own,
    by_a_loop_made_before,
    by_run_forever,
    by_anyio,
    by_asgiref,
]


@job
def sleep_by(number):
    WAYS[number]()


def _passed(jobs, verb):
    jobs.clock.freeze()
    before = jobs.clock.now()
    verb()
    return jobs.clock.now() - before


def _inline(jobs):
    with jobs.inline():
        sleep_by.perform_later(0)


@pytest.mark.parametrize("number", range(len(WAYS)), ids=[way.__name__ for way in WAYS])
def test_a_loop_of_a_job_sleeps_in_virtual_time(jobs, number):
    sleep_by.perform_later(number)

    assert _passed(jobs, jobs.drain) == timedelta(hours=2)
    assert sum(passed for passed, _ in noted) == 2 * HOUR
    assert sum(passed for _, passed in noted) == 2 * HOUR


@pytest.mark.parametrize(
    "verb",
    [
        lambda jobs: sleep_by.perform_later(0) and jobs.perform(jobs.pending[0]),
        lambda jobs: sleep_by.perform_later(0) and jobs.perform_due(),
        lambda jobs: sleep_by.perform_later(0) and jobs.drain(workers=2),
        lambda jobs: sleep_by.perform_later(0) and jobs.run_for(timedelta(seconds=1)),
        _inline,
    ],
    ids=["perform", "perform_due", "workers", "run_for", "inline"],
)
def test_it_does_in_every_verb(jobs, verb):
    assert _passed(jobs, lambda: verb(jobs)) == timedelta(hours=2)


def test_workers_whose_jobs_sleep_by_loops_of_their_own_sleep_at_once(jobs):
    for _ in range(2):
        sleep_by.perform_later(0)

    assert _passed(jobs, lambda: jobs.drain(workers=2)) == timedelta(hours=2)


def test_gather_takes_the_longest_and_a_timeout_ends_a_sleep(jobs):
    async def many():
        await asyncio.gather(wait(HOUR), wait(3 * HOUR))
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 2 * HOUR)

    run_in_job(lambda: asyncio.run(many()))

    assert _passed(jobs, jobs.drain) == timedelta(hours=5)


@job
def call_kept(number):
    kept[number]()


kept = []


def run_in_job(function):
    kept.append(function)
    call_kept.perform_later(len(kept) - 1)


def test_a_thread_of_the_loop_is_waited_for_in_real_time(jobs):
    """The clock does not jump to a timeout while a thread works, nor to that of the end of the threads."""
    let_go = threading.Event()

    async def work():
        return await asyncio.wait_for(asyncio.to_thread(let_go.wait), 2 * HOUR)

    async def both():
        asyncio.get_running_loop().call_soon(let_go.set)
        assert await work()

    run_in_job(lambda: asyncio.run(both()))

    assert _passed(jobs, jobs.drain) == timedelta(0)


def test_sleeps_before_and_in_a_loop_add_up(jobs):
    def both():
        begun = time.monotonic()
        time.sleep(HOUR)
        asyncio.run(wait(HOUR))
        noted.append(time.monotonic() - begun)

    run_in_job(both)

    assert _passed(jobs, jobs.drain) == timedelta(hours=2)
    assert 2 * HOUR <= noted[-1] < 3 * HOUR


def test_a_loop_that_outlives_a_harness_has_its_own_time_again_and_the_clock_of_the_next_one():
    own, real = set(vars(kept_loop)), kept_loop.time()
    for _ in range(2):
        with open_jobs() as jobs:
            sleep_by.perform_later(WAYS.index(by_a_loop_made_before))

            assert _passed(jobs, jobs.drain) == timedelta(hours=2)
            assert "time" not in vars(kept_loop)
            assert real <= kept_loop.time() < real + HOUR
            assert kept_loop.run_until_complete(asyncio.sleep(0, "done")) == "done"

    assert vars(kept_loop).keys() == own
    before = time.time_ns()
    assert any(time.time_ns() > before for _ in range(100_000))


def test_a_loop_outside_of_jobs_or_in_a_block_of_real_time_is_left_alone(jobs):
    def measure():
        with jobs.real_time():
            asyncio.run(asyncio.sleep(0.001))

    run_in_job(measure)
    assert _passed(jobs, jobs.drain) < timedelta(hours=1)
    before = jobs.clock.now()

    asyncio.run(asyncio.sleep(0.001))

    assert jobs.clock.now() == before


@pytest.mark.parametrize("way", [by_run, by_anyio, by_asgiref])
def test_a_check_sleeps_in_virtual_time_too(way):
    stored = {}

    def world():
        stored.clear()
        yield lambda: dict(stored)

    def poll():
        way()
        stored["at"] = datetime.now(UTC)

    explored = check_idempotent(poll, world=world)

    assert explored.explorations[0].histories > 3
