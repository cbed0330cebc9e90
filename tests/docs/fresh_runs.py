"""Runs of pytest in fresh processes that need not import pytest, Hypothesis and this package first.

The pages of the documentation run pytest 150 times. A process of its own spends a second of computing on
imports, so one process imports all that, and is forked for each run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_SERVER = """
import json, os, sys, warnings
from importlib.metadata import entry_points

import hypothesis.internal.observability, hypothesis.stateful, pytest
import pytest_jobs.assertions.asserts, pytest_jobs.conformance, pytest_jobs.exploration.check

with warnings.catch_warnings(action="ignore"):
    for plugin in entry_points(group="pytest11"):
        if plugin.name != "django":
            plugin.load()

for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if not child:
        os.chdir(order["path"])
        os.environ.clear()
        os.environ.update(order["environment"])
        sys.path.insert(0, order["path"])
        sys.argv[:] = ["pytest", *order["arguments"]]
        for number, file in ((0, os.devnull), (1, order["printed"]), (2, order["printed"])):
            os.dup2(os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), number)
        code = pytest.ExitCode.INTERNAL_ERROR
        try:
            code = pytest.main(order["arguments"])
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class FreshRuns:
    """A process that has imported pytest, and is forked for each run."""

    def __init__(self, server: subprocess.Popen[str]) -> None:
        self._server = server

    def run(self, pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
        """Run pytest in the directory of `pytester`."""
        printed = pytester.path.parent / f"{pytester.path.name}-printed.txt"
        order = {
            "path": str(pytester.path),
            "environment": dict(os.environ),
            "arguments": arguments,
            "printed": str(printed),
        }
        began = time.perf_counter()
        self._server.stdin.write(f"{json.dumps(order)}\n")
        self._server.stdin.flush()
        code = int(self._server.stdout.readline())
        lines = printed.read_text("utf-8").splitlines()
        printed.unlink()
        return pytest.RunResult(code, lines, [], time.perf_counter() - began)


@contextmanager
def fresh_runs() -> Iterator[FreshRuns]:
    """Start the process, and end it with the block."""
    environment = {name: text for name, text in os.environ.items() if name != "PYTEST_ADDOPTS"}
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env=environment,
    ) as server:
        try:
            yield FreshRuns(server)
        finally:
            server.stdin.close()
