"""A pytest plugin that runs each mutant against the tests that reach it, in forked children.

Everything is imported and collected once. A child switches one mutant on, runs tests until a few have failed or
its time is over, and dies; so no mutant pays for the start of pytest, and none leaves anything to the next.
"""

from __future__ import annotations

import builtins
import contextlib
import faulthandler
import functools
import gc
import json
import os
import resource
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import schemata
from _pytest.runner import runtestprotocol

#: How many failing tests are named for each mutant.
_KILLERS = 3
#: Seconds that the tests of `make test`, and then the others, may take for one mutant.
_PATIENCE = float(os.environ.get("MUTANTS_SECONDS", "40"))
#: A mutant hangs, and so is caught, if a test takes so many times as long as without it, and so many seconds more.
_TIMES_AS_LONG, _MORE = 10, 30
#: Why `make test` leaves a test out, in the order in which tests are tried; the first are those of `make test`.
KINDS = ("", "wide", "slow")


class Reach(NamedTuple):
    """One test without any mutant."""

    test: str
    seconds: float
    passed: bool
    #: One of `KINDS`.
    kind: str
    reached: list[int]


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool:
    """Measure which test reaches which mutant, then run each mutant; both files lie beside the mutants."""
    folder, group = Path(os.environ["MUTANTS"]).parent, os.environ["MUTANTS_GROUP"]
    mutants = json.loads(Path(os.environ["MUTANTS"]).read_text("utf-8"))
    gc.collect()
    gc.freeze()
    reach_file, killed_file = folder / f"reach-{group}.jsonl", folder / f"killed-{group}.jsonl"
    items = {item.nodeid: item for item in session.items}
    measured = {reach.test for reach in _reaches(reach_file)}
    _measure([item for name, item in items.items() if name not in measured], reach_file)
    reaching: dict[int, list[Reach]] = {}
    for reach in _reaches(reach_file):
        if reach.passed and reach.test in items:
            for number in reach.reached:
                reaching.setdefault(number, []).append(reach)
    known, caught = _killers(folder.glob("before-*.jsonl")), _killers(folder.glob("killed-*.jsonl"))
    jobs = [
        _Job(number, mutants[number][0], found, known.get(number, set()))
        for number, found in sorted(reaching.items())
        if not caught.get(number)
    ]

    def ended(at: int) -> None:
        # What a child that was ended has written last names the test in which it hung.
        running = _running(folder, jobs[at].number)
        if running.exists():
            with killed_file.open("a", encoding="utf-8") as out:
                out.write(running.read_text("utf-8"))
            running.unlink()

    _in_children([_mutated(job, items, folder) for job in jobs], ended)
    return True


class _Job(NamedTuple):
    number: int
    file: str
    reaching: list[Reach]
    known: set[str]

    def tests(self, kind: str) -> list[Reach]:
        """Return the tests in the order in which they are likely to fail: known, of the same room, quick."""
        room = self.file.split("/")[0]
        chosen = [reach for reach in self.reaching if reach.kind == kind]
        return sorted(
            chosen,
            key=lambda reach: (
                reach.test not in self.known,
                not reach.test.startswith(f"tests/{room}/"),
                reach.seconds,
            ),
        )


def _reaches(path: Path) -> list[Reach]:
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return [Reach(*json.loads(line)) for line in lines]


def _killers(paths: Iterable[Path]) -> dict[int, set[str]]:
    known: dict[int, set[str]] = {}
    for path in paths:
        for line in path.read_text("utf-8").splitlines():
            number, killers, _ = json.loads(line)
            known.setdefault(number, set()).update(test for test, _ in killers)
    return known


def _measure(items: Sequence[pytest.Item], path: Path) -> None:
    modules: dict[Any, list[pytest.Item]] = {}
    for item in items:
        modules.setdefault(item.parent and item.parent.nodeid.partition("::")[0], []).append(item)
    parts: list[list[pytest.Item]] = [[], []]
    for at, module in enumerate(modules.values()):
        parts[at % 2] += module

    def measure(part: list[pytest.Item]) -> None:
        switch = _switch()
        with path.open("a", encoding="utf-8", buffering=1) as out, tempfile.TemporaryFile() as told:
            switch.tell_children(told.fileno())
            for item, following in zip(part, [*part[1:], None][: len(part)], strict=True):
                switch.reached.clear()
                told.truncate(0)
                start = time.perf_counter()
                passed = _passes(item, following)
                seconds = time.perf_counter() - start
                told.seek(0)
                reached = {*switch.reached, *map(int, told.read().replace(b"\0", b"").split())}
                marks = {mark.name for mark in item.iter_markers()}
                # The other processes have libraries that `make test` does not have.
                is_apart = os.environ["MUTANTS_GROUP"] != "rest"
                kind = "slow" if is_apart or "slow" in marks else "wide" if "wide" in marks else ""
                reach = Reach(item.nodeid, round(seconds, 3), passed, kind, sorted(reached))
                out.write(json.dumps(reach) + "\n")

    _in_children([functools.partial(measure, part) for part in parts], lambda at: None)


def _mutated(job: _Job, items: dict[str, pytest.Item], folder: Path) -> Callable[[], None]:
    running = _running(folder, job.number)

    def run() -> None:
        _switch().on(job.number)
        killers: list[tuple[str, str]] = []
        ran = 0
        for kind in KINDS:
            start = time.process_time()
            tests = job.tests(kind)
            for reach, following in zip(tests, [*tests[1:], None][: len(tests)], strict=True):
                if len(killers) == _KILLERS or time.process_time() - start > _PATIENCE:
                    break
                found = [job.number, [*killers, (reach.test, kind)], ran]
                running.write_text(json.dumps(found) + "\n", "utf-8")
                # It ends the process from C, whatever the test has patched.
                faulthandler.dump_traceback_later(_MORE + _TIMES_AS_LONG * reach.seconds, exit=True)
                passes = _passes(items[reach.test], items[following.test] if following else None)
                faulthandler.cancel_dump_traceback_later()
                ran += 1
                if not passes:
                    killers.append((reach.test, kind))
            if killers:
                break
        running.write_text(json.dumps([job.number, killers, ran]) + "\n", "utf-8")

    return run


def _running(folder: Path, number: int) -> Path:
    return folder / f"running-{number}.jsonl"


def _switch() -> schemata.Switch:
    switch: schemata.Switch = getattr(builtins, schemata.SWITCH)
    return switch


def _passes(item: pytest.Item, following: pytest.Item | None) -> bool:
    try:
        reports = runtestprotocol(item, log=False, nextitem=following)
    except BaseException:
        return False
    return not any(report.failed for report in reports)


def _in_children(jobs: Sequence[Callable[[], None]], ended: Callable[[int], None]) -> None:
    """Run each job in a process of its own, as many at a time as there are cores.

    Args:
        jobs: what the processes do.
        ended: called with the index of each job after its process has ended.
    """
    waiting = list(enumerate(jobs))[::-1]
    running: dict[int, tuple[int, str]] = {}
    while waiting or running:
        while waiting and len(running) < (os.cpu_count() or 1):
            (at, job), folder = waiting.pop(), tempfile.mkdtemp(prefix="mutant-")
            # A server of a test runs as another user where root starts it.
            Path(folder).chmod(0o711)
            pid = os.fork()
            if pid == 0:
                with _alone(Path(folder)):
                    job()
            running[pid] = at, folder
        pid, _ = os.wait()
        if pid in running:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
            at, folder = running.pop(pid)
            shutil.rmtree(folder, ignore_errors=True)
            ended(at)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Give a child a process group, directories and an output of its own, and end it after the block."""
    status = 1
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nowhere, descriptor)
        os.close(nowhere)
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
        yield
        status = 0
    finally:
        os._exit(status)


@pytest.fixture(scope="session", autouse=True)
def _directories_of_the_child(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep children, which begin alike, from making the same directories."""
    tmp_path_factory._given_basetemp = Path(tempfile.gettempdir()) / "pytest"
    tmp_path_factory._basetemp = None
