"""Programs that a job starts are effects."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
from subprocess import PIPE

import pytest

from pytest_jobs import check_idempotent
from pytest_jobs.errors import DuplicateEffect, ExplorationError, NotIdempotent

TRUE = [sys.executable, "-S", "-c", "pass"]

WAITING = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]


def world():
    yield dict


def run():
    subprocess.run(TRUE, check=True)


def start():
    with subprocess.Popen(TRUE):
        pass


def call():
    subprocess.check_call(TRUE)


def output():
    subprocess.check_output(TRUE)


def system():
    os.system("true")


async def asynchronous():
    process = await asyncio.create_subprocess_exec(*TRUE)
    await process.wait()


@pytest.mark.parametrize("job", [run, start, call, output, asynchronous])
def test_a_program_that_is_started_twice_is_found(job):
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE subprocess .*\[twice"):
        check_idempotent(job, world=world, histories=["twice"])


def test_a_command_of_the_shell_that_is_run_twice_is_found():
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE subprocess\.true \[twice"):
        check_idempotent(system, world=world, histories=["twice"])


@pytest.mark.parametrize("job", [run, start, call, output])
def test_a_program_is_one_effect_however_it_is_started(job):
    explored = check_idempotent(job, world=world, histories=["crash"], at_least_once=["subprocess"])

    acts = [point for point in explored.explorations[0].points if point.kind == "before"]
    assert len(acts) == 1


def guarded(path):
    if not path.exists():
        subprocess.run(TRUE, check=True)
        path.touch()


def test_a_guard_does_not_keep_a_killed_job_from_starting_it_twice(tmp_path):
    path = tmp_path / "done"

    def fresh():
        path.unlink(missing_ok=True)
        yield lambda: {"done": path.exists()}

    with pytest.raises(DuplicateEffect, match=r"\[crash"):
        check_idempotent(guarded, args=(path,), world=fresh)
    check_idempotent(
        guarded,
        args=(path,),
        world=fresh,
        histories=["twice", "restart", "crash", "effect_fails"],
        at_least_once=["subprocess"],
    )


@pytest.mark.parametrize("job", [run, start, system])
def test_one_that_is_not_started_raises_what_the_system_does(job):
    errors = []

    def caught():
        try:
            job()
        except OSError as error:
            errors.append(error.errno)
            raise

    check_idempotent(caught, world=world, histories=["effect_fails"])

    assert errors == [errno.ENOMEM]


def test_one_with_a_time_limit_may_have_ended_too_late():
    errors = []

    def run_with_limit():
        try:
            subprocess.run(TRUE, timeout=60, check=True)
        except subprocess.TimeoutExpired as error:
            errors.append(error.timeout)
            raise

    with pytest.raises(DuplicateEffect, match=r"\[reply_lost"):
        check_idempotent(run_with_limit, world=world, histories=["reply_lost"])

    assert errors == [60]


def test_one_that_ends_with_an_error_has_had_its_effect():
    def run_badly():
        subprocess.run([sys.executable, "-S", "-c", "raise SystemExit(3)"], check=False)
        try:
            subprocess.run([sys.executable, "-S", "-c", "raise SystemExit(4)"], check=True)
        except subprocess.CalledProcessError:
            return

    with pytest.raises(DuplicateEffect) as caught:
        check_idempotent(run_badly, world=world, histories=["twice"])

    assert "SystemExit(3)" in str(caught.value)
    assert "SystemExit(4)" in str(caught.value)


def test_other_ways_to_start_one_are_refused():
    def fork():
        os.posix_spawn(sys.executable, TRUE, os.environ)

    with pytest.raises(ExplorationError, match=r"os\.posix_spawn"):
        check_idempotent(fork, world=world)


def test_one_that_outlives_its_worker_is_ended_with_the_exploration():
    processes = []

    def start_and_leave():
        processes.append(subprocess.Popen(WAITING, stdin=PIPE, stdout=PIPE))

    explored = check_idempotent(
        start_and_leave,
        world=world,
        histories=["crash"],
        at_least_once=["subprocess"],
        same_process=True,
    )

    assert explored.histories
    assert {process.returncode for process in processes} == {-signal.SIGKILL}
    assert all(process.stdin.closed and process.stdout.closed for process in processes)


def test_a_dead_worker_does_not_wait_for_its_program():
    def start_and_stop():
        with subprocess.Popen(WAITING) as process:
            process.kill()

    explored = check_idempotent(
        start_and_stop, world=world, histories=["crash"], at_least_once=["subprocess"]
    )

    assert explored.histories


def test_nothing_stays_patched():
    before = (subprocess.Popen.__init__, subprocess.run, os.system)

    with pytest.raises(NotIdempotent):
        check_idempotent(system, world=world)

    assert (subprocess.Popen.__init__, subprocess.run, os.system) == before
