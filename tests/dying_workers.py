"""Workers that really die, as forked processes: the witness of the nested redelivery of `check_idempotent`.

A check lets the second delivery run inside the line at which the first one was killed. Here the
first delivery runs in a forked process that ends by `os._exit` at that line, and the second one in
the process of the test. Both ways have to come to the same verdicts. Only what lies outside of the
process can be compared: a sqlite file, a folder, a server.
"""

from __future__ import annotations

import contextvars
import functools
import os
import sqlite3
import tempfile
import warnings
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from pytest_jobs.errors import ExplorationError
from pytest_jobs.exploration import check
from pytest_jobs.exploration.engine.run import Run
from pytest_jobs.exploration.engine.watching import AtSome
from pytest_jobs.exploration.histories.exploration import Failure
from pytest_jobs.exploration.histories.explorer import Explorer
from pytest_jobs.exploration.histories.verdicts import judge

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")

_KILLED, _ENDED, _IN_MEMORY = 91, 92, 93


class DyingWorkers(Explorer):
    """Carries out each history of a killed delivery with a process that really dies."""

    def try_out(self, plan, **options):
        if plan.index is None or plan.name not in ("crash", "late"):
            return super().try_out(plan, **options)
        with self.reference.history().opened() as history:
            begun_ns = self.checked.engine.clock.now_ns()
            for ours in (self, _deliver_in_a_process_that_dies, _die_at):
                # This file is in the project and no test, so its lines would be crash points.
                self.checked.engine.scope.leave_out(ours)
            _deliver_in_a_process_that_dies(history, plan)
            # Nothing is known of the dead process; it came as far as the clean run did.
            clean, end = self.reference.run, plan.index + 1
            first = Run(1, begun_ns, clean.points[:end], clean.point_acts[:end])
            first.stopped = plan.index
            history.runs.append(first)
            history.wait(plan.gap)
            last = history.deliver_until_acknowledged()
            verdict = judge(
                _state(self.reference.wanted),
                _state(history.observed()),
                _state(history.initial),
                last,
                (),
                self.checked.options.repeatable,
            )
            return None if verdict is None else Failure(plan, verdict, tuple(history.runs))


@contextmanager
def dying_workers(*modules_with_worlds):
    """Let the workers of checks really die in a block, and keep the databases of worlds in files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(check.Check, "explorer", DyingWorkers)
        for module in modules_with_worlds:
            patch.setattr(module, "sqlite_world", sqlite_world_in_a_file)
        yield


@contextmanager
def sqlite_world_in_a_file(schema, *, bind):
    """Do what `sqlite_world` does, in a file: what it has in memory dies with its process."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = str(Path(folder, "world.db"))
        patch.setattr(*bind, functools.partial(sqlite3.connect, path))
        with closing(sqlite3.connect(path, isolation_level=None)) as keeper:
            keeper.executescript(schema)
            yield lambda table: list(keeper.execute(f'select * from "{table}" order by 1'))


def _state(observed):
    """Return what a world shows, without the effects: those of the dead process are unknown."""
    return {name: value for name, value in observed.items() if not name.endswith(" calls")}


def _deliver_in_a_process_that_dies(history, plan):
    with warnings.catch_warnings():
        # Other threads, such as those of pytest-xdist, do nothing that the child needs.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            history.deliver(AtSome(functools.partial(_die_at, history, plan)))
        finally:
            _end_process(_ENDED)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == _IN_MEMORY:
        raise ExplorationError("The job has an effect that is known to its process alone.")
    assert code == _KILLED


def _die_at(history, plan, index):
    run = history.runs[-1]
    if index == plan.index and run.points[index].name == plan.point.name:
        _end_process(_KILLED)
    act = run.point_acts[index]
    if act is not None and act.tells_itself:
        # A fake, a mail or an enqueued job: it is kept in the memory of this process.
        _end_process(_IN_MEMORY)


def _end_process(status):
    # A check refuses the end of the process to a delivery, which it knows by the context.
    contextvars.Context().run(os._exit, status)
