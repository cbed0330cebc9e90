"""`time.sleep` in a performed job moves the clock instead of waiting."""

import asyncio
import contextvars
import threading
import time
from datetime import timedelta
from functools import partial

import pytest

from pytest_jobs import Job, before_perform, job, retry_on
from pytest_jobs.bridges.opening import open_jobs
from pytest_jobs.errors import ClockError


class Nap(Job):
    def perform(self, seconds):
        time.sleep(seconds)
        return time.time()


@pytest.fixture
def jobs(real_sleeps):
    with open_jobs() as jobs:
        yield jobs


def test_sleeping_in_a_job_moves_the_clock(jobs, real_sleeps, noon):
    Nap.perform_later(3600)
    jobs.drain()

    assert real_sleeps == []
    assert jobs.clock.now() == noon + timedelta(hours=1)
    assert jobs.performed[0].result == jobs.clock.now().timestamp()
    assert jobs.performed[0].at == noon


@pytest.mark.parametrize("seconds", [0, 0.0, 0.000_001, 1e-9, 0.5, True])
def test_sleeping_before_the_clock_has_moved(jobs, real_sleeps, seconds):
    Nap.perform_later(seconds)

    assert jobs.drain() == {"performed": 1}
    assert real_sleeps == []
    assert jobs.clock.frozen


def test_what_came_due_while_a_job_slept_is_next_and_a_retry_waits_from_its_end(jobs, noon):
    @retry_on(ValueError, wait=10)
    @job
    def slow():
        time.sleep(5)
        raise ValueError

    Nap.set(wait=10).perform_later(0)
    Nap.perform_later(60)
    slow.perform_later()
    jobs.perform_due()

    assert [d.record.args[0] for d in jobs.performed] == [60, 0]
    assert jobs.performed[1].at == noon + timedelta(seconds=65)
    assert jobs.pending[0].due_at == noon + timedelta(seconds=75)


class Careful(Job):
    def perform(self):
        pass

    @before_perform
    def nap(self):
        time.sleep(5)


@job
async def blocks():
    time.sleep(5)  # noqa: ASYNC251


@job
def outer():
    Nap.perform_now(5)


class Five:
    def __index__(self):
        return 5


@job
def another_type():
    time.sleep(Five())


@pytest.mark.parametrize("awaited", [False, True])
@pytest.mark.parametrize("kind", [Careful, blocks, outer, another_type])
def test_whatever_sleeps_in_a_job_moves_the_clock(jobs, real_sleeps, noon, kind, awaited):
    kind.perform_later()
    asyncio.run(jobs.adrain()) if awaited else jobs.drain()

    assert real_sleeps == []
    assert jobs.clock.now() == noon + timedelta(seconds=5)


def test_the_test_itself_sleeps_for_real(jobs, real_sleeps, noon):
    time.sleep(0.5)
    with jobs.inline():
        Nap.perform_later(5)
        time.sleep(0.25)
    Nap.perform_now(0.125)

    assert real_sleeps == [0.5, 0.25, 0.125]
    assert jobs.clock.now() == noon + timedelta(seconds=5)


def test_another_thread_sleeps_for_real_whatever_its_context(jobs, real_sleeps, noon):
    @job
    def with_a_thread():
        for target in (time.sleep, partial(contextvars.copy_context().run, time.sleep)):
            thread = threading.Thread(target=target, args=(0.125,))
            thread.start()
            thread.join()
        time.sleep(5)

    with_a_thread.perform_later()
    jobs.drain()

    assert real_sleeps == [0.125, 0.125]
    assert jobs.clock.now() == noon + timedelta(seconds=5)


@pytest.mark.parametrize(
    ("seconds", "error"),
    [
        (-1, ValueError),
        ("5", TypeError),
        (None, TypeError),
        (float("nan"), ValueError),
        (1e12, ClockError),
    ],
)
def test_what_cannot_be_slept_is_the_error_of_the_real_sleep_or_of_the_clock(seconds, error):
    @job
    def odd():
        time.sleep(seconds)

    with open_jobs() as jobs:
        odd.perform_later()
        with pytest.raises(error):
            jobs.drain()
        assert not jobs.clock.frozen or error is ClockError


@pytest.mark.parametrize("fails", [False, True])
def test_the_real_sleep_is_restored_exactly(monkeypatch, fails):
    def real(seconds):
        pass

    monkeypatch.setattr(time, "sleep", real)
    try:
        with open_jobs():
            patched = time.sleep
            if fails:
                raise KeyError
    except KeyError:
        pass

    assert patched is not real
    assert time.sleep is real


def test_a_patch_of_the_test_over_ours_is_left_alone(monkeypatch, real_sleeps):
    slept = []
    with open_jobs() as jobs:
        with monkeypatch.context() as patch:
            patch.setattr(time, "sleep", slept.append)
            Nap.perform_later(5)
            jobs.drain()
        Nap.perform_later(5)
        jobs.drain()

    assert slept == [5]
    assert real_sleeps == []


def test_a_patch_that_outlives_the_harness_is_not_taken_away(monkeypatch, real_sleeps):
    slept = []
    jobs = open_jobs()
    jobs.open()
    ours = time.sleep
    monkeypatch.setattr(time, "sleep", slept.append)
    patch = time.sleep
    jobs.close()

    assert time.sleep is patch or time.sleep == slept.append
    ours(0.5)
    assert real_sleeps == [0.5]


def test_nested_harnesses_restore_one_after_the_other(real_sleeps):
    real = time.sleep
    with open_jobs():
        outer = time.sleep
        with open_jobs() as jobs:
            Nap.perform_later(5)
            jobs.drain()
        assert time.sleep is outer or time.sleep == outer

    assert time.sleep is real
    assert real_sleeps == []
