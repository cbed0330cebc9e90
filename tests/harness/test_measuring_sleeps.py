"""What a job sleeps is measured as if it had waited, under whatever name it sleeps and measures."""

import subprocess
import sys
import time
from time import monotonic as now, sleep as snooze

import pytest

from pytest_jobs import job
from pytest_jobs.bridges.opening import open_jobs


@pytest.fixture
def jobs(real_sleeps):
    with open_jobs() as jobs:
        yield jobs


def result_of(jobs, function):
    job(function).perform_later()
    jobs.drain()
    return jobs.performed[-1].result


@pytest.mark.parametrize("name", ["monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"])
def test_a_sleep_is_measured(jobs, name):
    def slow():
        before = getattr(time, name)()
        time.sleep(3600)
        return getattr(time, name)() - before

    hour = 3600 * (10**9 if name.endswith("_ns") else 1)

    assert hour <= result_of(jobs, slow) < hour * 1.1


def test_a_loop_that_sleeps_until_a_deadline_ends(jobs):
    def poll():
        deadline = time.monotonic() + 30
        turns = 0
        while time.monotonic() < deadline:
            time.sleep(10)
            turns += 1
        return turns

    assert result_of(jobs, poll) == 3


def test_outside_of_jobs_time_is_measured_as_it_passes(jobs):
    result_of(jobs, lambda: time.sleep(3600))
    before = time.monotonic()

    assert time.monotonic() - before < 60


def test_everything_is_given_back():
    names = ["sleep", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"]
    before = [getattr(time, name) for name in names]
    with open_jobs() as jobs:
        result_of(jobs, lambda: time.sleep(1))
        inside = [getattr(time, name) for name in names]

    assert all(a is b for a, b in zip(before, [getattr(time, name) for name in names], strict=True))
    assert not any(a is b for a, b in zip(before, inside, strict=True))


def test_names_of_their_own_are_found():
    def slow():
        before = now()
        snooze(3600)
        return now() - before

    with open_jobs() as jobs:
        measured = result_of(jobs, slow)

    assert 3600 <= measured < 3660
    assert snooze is time.sleep
    assert now is time.monotonic


def test_a_name_that_another_patch_took_is_left_to_it(monkeypatch):
    def other(seconds):
        """Stand in for the patch of another library."""

    with open_jobs() as jobs:
        result_of(jobs, lambda: None)
        monkeypatch.setitem(globals(), "snooze", other)

    assert snooze is other


def test_the_standard_library_waits_for_what_is_real(jobs):
    def run():
        started_at = jobs.clock.now()
        subprocess.run([sys.executable, "-c", "pass"], check=True, timeout=60)
        return jobs.clock.now() - started_at

    jobs.clock.freeze()

    assert result_of(jobs, run).total_seconds() == 0
