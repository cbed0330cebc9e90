"""What a job sleeps is measured as if it had waited, under whatever name it sleeps and measures."""

import subprocess
import sys
import time
from time import monotonic as now, sleep as snooze
from types import ModuleType

import pytest

from pytest_jobs import job
from pytest_jobs.bridges.opening import open_jobs
from pytest_jobs.harness.time.sleeps import BoundSleeps


@pytest.fixture
def jobs(real_sleeps):
    with open_jobs() as jobs:
        yield jobs


def result_of(jobs, function):
    job(function).perform_later()
    jobs.drain()
    return jobs.performed[-1].result


@pytest.mark.parametrize("name", ["monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"])
def test_a_sleep_is_measured_and_outside_of_jobs_time_as_it_passes(jobs, name):
    measure, hour = getattr(time, name), 3600 * (10**9 if name.endswith("_ns") else 1)

    def slow():
        before = getattr(time, name)()
        time.sleep(3600)
        return getattr(time, name)() - before

    assert hour <= result_of(jobs, slow) < hour * 1.1
    before = measure()
    assert measure() - before < hour / 60


def test_a_loop_that_sleeps_until_a_deadline_ends(jobs):
    def poll():
        deadline = time.monotonic() + 30
        turns = 0
        while time.monotonic() < deadline:
            time.sleep(10)
            turns += 1
        return turns

    assert result_of(jobs, poll) == 3


def test_names_of_their_own_are_found_and_everything_is_given_back():
    names = ["sleep", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"]

    def slow():
        before = now()
        snooze(3600)
        return now() - before

    before = [getattr(time, name) for name in names]
    with open_jobs() as jobs:
        measured = result_of(jobs, slow)
        inside = [getattr(time, name) for name in names]

    assert 3600 <= measured < 3660
    assert (snooze, now) == (time.sleep, time.monotonic)
    assert before == [getattr(time, name) for name in names]
    assert not any(a is b for a, b in zip(before, inside, strict=True))


def other(*args):
    """Stand in for the patch of another library."""


def test_a_name_that_another_patch_took_is_left_to_it():
    with pytest.MonkeyPatch.context() as patch:
        with open_jobs() as jobs:
            result_of(jobs, lambda: None)
            patch.setitem(globals(), "snooze", other)

        assert snooze is other


def test_a_name_that_another_patch_gave_back_too_late_is_found_again():
    with pytest.MonkeyPatch.context() as patch, open_jobs() as jobs:
        result_of(jobs, lambda: None)
        patch.setitem(globals(), "snooze", other)
        patch.setitem(globals(), "now", other)
        jobs.close()
    with open_jobs() as jobs:
        ours = result_of(jobs, lambda: (snooze == time.sleep, now is time.monotonic))

    assert ours == (True, True)
    assert snooze is time.sleep
    assert now is time.monotonic


def test_a_function_is_looked_for_in_every_place_though_it_has_the_address_of_another():
    bound, found = BoundSleeps(), []
    for turn in range(10):

        def function():
            """Is made anew in each turn, mostly at the address of the last."""

        globals()["held"] = function if turn % 2 else None
        found.append(len(bound.places([function])))
        globals()["held"] = None
        del function
    del globals()["held"]

    assert found == [0, 1] * 5


def test_the_names_of_a_module_are_looked_at_once_for_all_functions(monkeypatch):
    looks = []

    class Module(ModuleType):
        @property
        def __dict__(self):
            looks.append(self.__name__)
            return {}

    monkeypatch.setitem(sys.modules, "looked_at", Module("looked_at"))
    bound = BoundSleeps()
    for _ in range(2):
        bound.places((time.sleep, time.monotonic, time.perf_counter))

    assert looks == ["looked_at"]


def test_the_standard_library_waits_for_what_is_real(jobs):
    def run():
        started_at = jobs.clock.now()
        subprocess.run([sys.executable, "-c", "pass"], check=True, timeout=60)
        return jobs.clock.now() - started_at

    jobs.clock.freeze()

    assert result_of(jobs, run).total_seconds() == 0
