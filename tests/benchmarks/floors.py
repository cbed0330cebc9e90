"""What a check costs, beside its floor: the world opened, the job run twice, the state read."""

from __future__ import annotations

import contextlib
import gc
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import subjects
from rows import Row
from subjects import Subject

from pytest_jobs import check_idempotent
from pytest_jobs.errors import NotIdempotent
from pytest_jobs.exploration.report.audience import keeping

#: The subject, what its row says, and its goal as a multiple of the floor of one history.
_HISTORIES = (
    ("four_lines", "four lines in memory, a history", 8),
    ("sqlite", "sqlite_world, a history", 2),
    ("sqlalchemy", "SQLAlchemy ORM, 15 lines, a history", 1.3),
    ("celery", "a Celery task through the bridge, a history", 12),
    ("redis_with_a_lock", "redis_world with a lock, a history", 1.5),
)
#: The subject, what its row says, and its goal in seconds.
_CHECKS = (
    ("four_lines_charged_twice", "four lines, a double charge found and told", 0.004),
    ("four_hundred_lines", "400 lines, 10 effects, a check", 0.3),
    ("two_thousand_lines", "2,000 lines, 10 effects, a check", 0.6),
    ("django", "Django ORM, 30 lines, 16 statements, a check", 0.5),
    ("untouched_text", "four lines beside a row of 2 MB, a check", 0.3),
    ("thousand_rounds", "a loop of 1,000 rounds, an effect each, a check", 5),
)
_REPETITIONS = 5
_ENOUGH = 0.2


def figures(name: str) -> dict[str, float]:
    """Measure one subject, in a process of its own."""
    command = [sys.executable, __file__, name]
    ended = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(ended.stdout)
    return found


def floor_rows() -> Iterator[Row]:
    for name, what, goal in _HISTORIES:
        found = figures(name)
        each = found["check"] / found["histories"]
        shown = f"{each * 1e6:.0f} us / {found['floor'] * 1e6:.0f} us"
        yield Row(what, shown, each / found["floor"], goal)
    for name, what, goal in _CHECKS:
        seconds = figures(name)["check"]
        yield Row(what, f"{seconds * 1000:.1f} ms", seconds * 1000, goal * 1000, "ms")
    short, long = (figures(name)["check"] for name in ("hundred_lines", "four_hundred_lines"))
    shown = f"{long * 1000:.1f} ms / {short * 1000:.1f} ms"
    yield Row("400 lines / 100 lines, effects alike", shown, long / short, 2)
    peak = figures("two_thousand_lines")["megabytes"]
    yield Row("2,000 lines, memory of the check", f"{peak:.0f} MB", peak, 60, "MB")


def _measured(name: str) -> dict[str, float]:
    subject: Subject = getattr(subjects, name)()
    run = subject.run or subject.job
    found = []

    def floor() -> None:
        with subject.world() as snapshot:
            run(*subject.args)
            run(*subject.args)
            snapshot()

    def check() -> None:
        with contextlib.suppress(NotIdempotent):
            explored = check_idempotent(
                subject.job, args=subject.args, world=subject.world, **subject.options
            )
            found[:] = [explored.histories]

    before = _megabytes()
    spent = _cpu(check)
    return {
        "check": spent,
        "floor": _cpu(floor),
        "histories": found[0] if found else 0,
        "megabytes": _megabytes() - before,
    }


def _cpu(run: Callable[[], object]) -> float:
    """Return the median of the seconds of CPU that a call takes, the first left out."""
    run()
    times, samples = 1, []
    while len(samples) < _REPETITIONS:
        gc.collect()
        start = time.process_time()
        for _ in range(times):
            run()
        spent = time.process_time() - start
        if spent < _ENOUGH / 4 and not samples:
            # Too short for the clock: repeat it within one sample.
            times *= 4
            continue
        samples.append(spent / times)
    return statistics.median(samples)


def _megabytes() -> float:
    """Return the highest use of memory so far. What `getrusage` says counts that of the parent as well."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    [peak] = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 1024


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    # As in a session of pytest, which keeps what is patched once.
    with keeping():
        print(json.dumps(_measured(sys.argv[1])))
