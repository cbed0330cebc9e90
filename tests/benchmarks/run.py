"""The budgets, as ratios measured side by side in one run: `make bench`."""

from __future__ import annotations

import json
import logging
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from bridges import bridge_rows
from exploring import exploring_rows
from floors import floor_rows
from measure import loop, median
from page import write_page
from rows import Row
from workloads import PAYLOADS, SMALL, Failing, Real, Sidekiq, Small, queueing_huey

from pytest_jobs import Job, Schedule, assert_enqueued, open_jobs, preview
from pytest_jobs.bridges.libraries.known import LIBRARIES

_CALLS = 10_000


def enqueue(
    job: type[Job], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Callable[[int], float]:
    def run(calls: int) -> float:
        with open_jobs():
            perform_later = job.perform_later
            start = time.process_time()
            for _ in range(calls):
                perform_later(*args, **kwargs)
            return time.process_time() - start

    return run


def enqueue_and_drain(
    job: type[Job], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Callable[[int], float]:
    def run(calls: int) -> float:
        with open_jobs() as jobs:
            perform_later = job.perform_later
            start = time.process_time()
            for _ in range(calls):
                perform_later(*args, **kwargs)
            tally = jobs.drain()
            seconds = time.process_time() - start
        assert tally.total == calls
        return seconds

    return run


def drain_only(calls: int) -> float:
    with open_jobs() as jobs:
        for _ in range(calls):
            Small.perform_later(7)
        start = time.process_time()
        tally = jobs.drain()
        seconds = time.process_time() - start
    assert tally.total == calls
    return seconds


def huey_enqueue(task: Callable[..., Any], args: Any, kwargs: Any) -> Callable[[int], float]:
    def run(calls: int) -> float:
        queueing_huey.storage.flush_queue()
        return loop(task, *args, **kwargs)(calls)

    return run


def payload_rows() -> Iterator[Row]:
    for name, (args, kwargs), job, queued, immediate in PAYLOADS:
        arguments = [list(args), kwargs]
        round_trip = median(loop(lambda data=arguments: json.loads(json.dumps(data))), _CALLS)
        huey = median(huey_enqueue(queued, args, kwargs), _CALLS)
        huey_immediate = median(loop(immediate, *args, **kwargs), _CALLS)
        later = median(enqueue(job, args, kwargs), _CALLS)
        both = median(enqueue_and_drain(job, args, kwargs), _CALLS)
        budget = 2.0 if name == "small" else 1.5
        shown = f"{later:.2f} us / {round_trip:.2f} us"
        yield Row(f"perform_later, {name} / JSON of the args", shown, later / round_trip, budget)
        if name == "small":
            shown = f"{later:.2f} us / {huey:.2f} us"
            yield Row("perform_later, small / Huey MemoryHuey", shown, later / huey, 0.6)
            yardstick, text = huey_immediate, "Huey immediate"
        else:
            yardstick, text = huey_immediate + round_trip, "Huey immediate + JSON"
        shown = f"{both:.2f} us / {yardstick:.2f} us"
        yield Row(f"enqueue + drain, {name} / {text}", shown, both / yardstick, 1.0)


def scale_row() -> Row:
    ten = median(drain_only, 10_000, 5)
    hundred = median(drain_only, 100_000, 3)
    shown = f"{hundred:.2f} us / {ten:.2f} us"
    return Row("drain, a job of 100,000 / of 10,000", shown, hundred / ten, 1.3)


def memory_rows() -> Iterator[Row]:
    for job, what, budget in ((Small, "a job", 1024), (Failing, "a failed job", 2048)):
        count = 20_000
        with open_jobs() as jobs:
            tracemalloc.start()
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(count):
                job.perform_later(7)
            jobs.drain(raise_errors=False)
            size = (tracemalloc.get_traced_memory()[0] - before) / count
            tracemalloc.stop()
        yield Row(f"memory of {what}, enqueued and drained", f"{size:.0f} bytes", size, budget, "B")


def assertion_rows() -> Iterator[Row]:
    with open_jobs():
        for number in range(_CALLS):
            Small.perform_later(number)
        Real.perform_later(1, "a", {})
        start = time.process_time()
        assert_enqueued(Small, args=(777,))
        cold = (time.process_time() - start) / _CALLS * 1e6
        other = median(loop(assert_enqueued, Real, queue="payments"), 100)
        warm = median(loop(assert_enqueued, Small, args=(777,)), 5) / _CALLS
    later = median(enqueue(Small, *SMALL), _CALLS)
    shown = f"{other:.1f} us / {later:.2f} us"
    yield Row("assert_enqueued, 10,000 of other classes / one enqueue", shown, other / later, 20)
    shown = f"{cold:.2f} us, again {warm:.2f} us"
    yield Row("assert_enqueued, 10,000 of the class, a candidate", shown, cold, 2.0, "us")


def harness_rows() -> Iterator[Row]:
    # The libraries that this process has imported have rows of their own; see `bridges`.
    def plain() -> None:
        with open_jobs(ignore=LIBRARIES):
            pass

    def with_clock() -> None:
        with open_jobs(ignore=LIBRARIES) as jobs:
            jobs.clock.advance(1)

    with open_jobs() as jobs:
        simulated = median(loop(jobs.simulate_retries, Sidekiq, raising=ConnectionError), 20) / 1000
    bare = median(loop(plain), 2_000)
    clocked = median(loop(with_clock), 500)
    yield Row("set-up and teardown without the clock", f"{bare:.1f} us", bare, 10, "us")
    yield Row("set-up and teardown with the clock", f"{clocked:.1f} us", clocked, 50, "us")
    yield Row("25 Sidekiq retries simulated", f"{simulated:.2f} ms", simulated, 2.0, "ms")


def recurring_row() -> Row:
    phrases = (
        "every 30 minutes",
        "every hour at minute 15",
        "every day at 2:30am",
        "every monday at 9am",
        "every 1st day of month at 3am",
    )
    tasks = {
        f"task {number}": {"command": "gc.collect", "schedule": phrases[number % len(phrases)]}
        for number in range(100)
    }
    start = time.process_time()
    shown = preview(Schedule(tasks, timezone="America/New_York"), timedelta(days=365))
    seconds = time.process_time() - start
    what = "100 recurring tasks read, and previewed over a year"
    return Row(what, f"{len(shown)} firings", seconds, 1.0, "s")


def startup_row() -> Row:
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "test_nothing.py").write_text("def test_nothing(): pass\n")
        environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder]
        plugin = [*command, "-p", "pytest_jobs.plugin"]

        def milliseconds(arguments: list[str]) -> float:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(arguments, env=environment, check=True, capture_output=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

        milliseconds(plugin)
        pairs = [(milliseconds(command), milliseconds(plugin)) for _ in range(21)]
    # The least of each: what the machine does besides only adds, and more than the plugin itself.
    without = min(pair[0] for pair in pairs)
    extra = min(pair[1] for pair in pairs) - without
    shown = f"{extra:.1f} ms on top of {without:.0f} ms"
    return Row("start-up with the plugin loaded, CPU time", shown, extra, 4, "ms")


def all_rows() -> Iterator[Row]:
    yield from payload_rows()
    yield scale_row()
    yield from memory_rows()
    yield from assertion_rows()
    yield from harness_rows()
    yield recurring_row()
    yield startup_row()
    yield from bridge_rows()
    yield from floor_rows()
    yield from exploring_rows()


def main() -> None:
    """Print the table; with `--write`, write the page of the documentation, too."""
    logging.disable(logging.CRITICAL)
    print(f"Python {sys.version.split()[0]}, medians")
    rows = list(all_rows())
    width = max(len(row.what) for row in rows)
    for row in rows:
        figure = f"{row.ratio:.2f} {row.unit}"
        budget = f"budget {row.budget:g} {row.unit}"
        print(f"{row.what:{width}}  {row.measured:28}  {figure:>12}  {budget:14} {row.verdict}")
    if "--write" in sys.argv:
        write_page(rows)


if __name__ == "__main__":
    main()
