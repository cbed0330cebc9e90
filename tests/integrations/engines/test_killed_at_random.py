"""Keyed jobs on workers that are killed at random: nothing is lost, and nothing is done twice.

Slow: it starts and kills real workers again and again.
"""

import contextlib
import os
import random
import signal
import sys
import threading
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from engine_jobs import Keyed
from servers import wait_until

from pytest_jobs.core.foundation.settings import settings

JOBS = 150
#: How many jobs wait in the middle until their process is killed.
DOOMED = 5
#: How many processes are killed whatever they are at, and how many workers.
PROCESSES, WORKERS = 4, 2
SEED = 20_261_125


class Staff:
    """Two workers, which are replaced when they were killed."""

    def __init__(self, engine, job_ids, directory):
        self._engine = engine
        self._job_ids = job_ids
        self._directory = directory
        self._stack = ExitStack()
        self._workers = []

    def __enter__(self):
        self.come()
        return self

    def __exit__(self, *error):
        self.go()

    def come(self):
        while len(self._workers) < 2:
            running = self._engine.worker(
                self._directory, *self._engine.quietly, environment=self._engine.noticing
            )
            self._workers.append(self._stack.enter_context(running))

    def go(self):
        self._stack.close()
        self._workers.clear()

    def kill_a_process(self, chance):
        """Kill one that performs a job, or is about to, or has just done so; none when no job is left."""
        found = []
        wait_until(
            lambda: (
                found.extend(map(_children, self._workers))
                or any(found)
                or not self._engine.left(JOBS)
            ),
            "a process",
        )
        if any(found):
            _kill(chance.choice([pid for pids in found for pid in pids]))

    def kill_a_worker(self, chance):
        """Kill one, and of its processes all or none, and hire another."""
        wait_until(self._stopped_where_nothing_is_lost, "every job to be in somebody's hands")
        worker = self._workers.pop(chance.randrange(2))
        children = _children(worker)
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
        if chance.random() < 0.5:
            for pid in children:
                _kill(pid)
        self._engine.a_worker_died()
        for survivor in self._workers:
            os.kill(survivor.pid, signal.SIGCONT)
        self.come()

    def _stopped_where_nothing_is_lost(self):
        """Stop both workers; let them go on if one of them had a job that the engine does not know it has."""
        for worker in self._workers:
            os.kill(worker.pid, signal.SIGSTOP)
            wait_until(partial(_is_stopped, worker), "a worker to stop")
        # What they had sent has been done when the second of two questions is answered.
        self._engine.redis.ping()
        if self._nothing_is_lost():
            return True
        for worker in self._workers:
            os.kill(worker.pid, signal.SIGCONT)
        return False

    def _nothing_is_lost(self):
        done = set(map(int, self._engine.redis.smembers("done")))
        left = {job_id for key, job_id in self._job_ids.items() if key not in done}
        # One that has had its effect, and was killed, has a lock to give back.
        left |= {held.owner for held in settings.store.held(time.time_ns())}
        if self._engine.in_no_hands(left):
            return False
        return not self._engine.could_lose_what_comes() or not self._engine.left(JOBS)


def _children(worker):
    """Return the ids of the processes that a worker has started and that run."""
    try:
        listed = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text("ascii")
    except OSError:
        return []
    return [int(pid) for pid in listed.split()]


def _is_stopped(worker):
    stat = Path(f"/proc/{worker.pid}/stat").read_text("utf-8")
    return stat.rpartition(")")[2].split()[0] == "T"


def _kill(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def undertaker(redis):
    """Kill every process for a block that says that it waits for it; count them."""
    killed = []

    def work():
        while (pid := int((redis.blpop("doomed", timeout=1) or ("", -1))[1])) != 0:
            if pid > 0:
                _kill(pid)
                killed.append(pid)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield killed
    finally:
        redis.rpush("doomed", 0)
        thread.join()


def enqueue_all(chance):
    """Enqueue every job twice; return their ids by key, and the keys of those that will wait to be killed."""
    doomed = {key: chance.choice(["before", "after"]) for key in chance.sample(range(JOBS), DOOMED)}
    jobs = [Keyed.perform_later(key, doomed.get(key)) for key in range(JOBS)]
    assert all(job.enqueued for job in jobs)
    for key in range(JOBS):
        assert Keyed.perform_later(key).dropped_for is not None
    return {key: job.job_id for key, job in enumerate(jobs)}, doomed


def strike(engine, staff, chance):
    """Kill processes and workers at moments and in an order that chance chooses."""
    kinds = [staff.kill_a_process] * PROCESSES + [staff.kill_a_worker] * WORKERS
    chance.shuffle(kinds)
    moments = sorted(chance.sample(range(JOBS * 9 // 10), len(kinds)))
    for moment, kill in zip(moments, kinds, strict=True):
        wait_until(partial(_has_come, engine, moment), f"run {moment}")
        kill(chance)


def _has_come(engine, moment):
    return int(engine.redis.get("runs") or 0) >= moment


def work_off(engine, staff):
    """Let the workers do what is left, and what comes back because its worker was killed."""
    while True:
        wait_until(lambda: not engine.left(JOBS), "the jobs that are left")
        staff.go()
        engine.an_hour_passes()
        if not engine.left(JOBS):
            return
        staff.come()


def test_nothing_is_lost_and_nothing_is_done_twice(engine, tmp_path, record_property):
    if not Path("/proc/self/task").exists():
        pytest.skip("the processes of a worker are read from /proc")
    engine.empty()
    chance = random.Random(SEED)
    job_ids, doomed = enqueue_all(chance)
    begin = time.monotonic()
    with undertaker(engine.redis) as killed, Staff(engine, job_ids, tmp_path) as staff:
        strike(engine, staff, chance)
        work_off(engine, staff)
    seconds = time.monotonic() - begin

    runs = {int(key): int(count) for key, count in engine.redis.hgetall("runs of").items()}
    again = sum(runs.values()) - JOBS - JOBS // 10
    sys.stdout.write(
        f"{engine.name}: {len(killed) + PROCESSES + WORKERS} killed, {again} performed again, {seconds:.1f} s\n"
    )
    record_property("performed again", again)
    assert sorted(map(int, engine.redis.lrange("effects", 0, -1))) == list(range(JOBS))
    assert all(runs[key] > 1 for key in doomed)
    assert settings.store.held(time.time_ns()) == ()
