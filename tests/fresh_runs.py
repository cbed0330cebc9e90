"""Runs of pytest in fresh processes that need not import pytest, Hypothesis and this package first.

The pages of the documentation and the tests of the plugin run pytest in processes hundreds of times. Each run
would spend a second of computing on imports, so one process imports all that, and is forked for each run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

#: What the test that begins first has in its environment is not for all.
_OF_ONE_TEST = {"PYTEST_ADDOPTS", "HOME", "USERPROFILE", "TMPDIR"}
_SERVER = """
import json, os, sys, traceback, warnings
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
        for number, file in enumerate((os.devnull, order["printed"], order["errors"])):
            os.dup2(os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), number)
        code = pytest.ExitCode.INTERNAL_ERROR
        try:
            code = pytest.main(order["arguments"])
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class FreshRuns:
    """A process that has imported pytest, and is forked for each run. It starts with the first run."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._server: subprocess.Popen[str] | None = None
        self._read_at_start: dict[str, str] = {}

    def _started(self) -> subprocess.Popen[str]:
        names = {name: text for name, text in os.environ.items() if name not in _OF_ONE_TEST}
        return self._stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-c", _SERVER],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=Path(__file__).parents[1],
                env=names,
            )
        )

    def run(
        self, pytester: pytest.Pytester, *arguments: str | os.PathLike[str]
    ) -> pytest.RunResult:
        """Run pytest in the directory of `pytester`, as `runpytest_subprocess` does."""
        if self._server is None:
            self._server, self._read_at_start = self._started(), _read_at_start()
        if _read_at_start() != self._read_at_start:
            return pytest.Pytester.runpytest_subprocess(pytester, *arguments)
        basetemp = tempfile.mkdtemp(prefix="runpytest-", dir=pytester.path)
        plugins = [option for name in pytester.plugins for option in ("-p", name)]
        files = [pytester.path.parent / f"{pytester.path.name}-{each}" for each in ("out", "err")]
        order = {
            "path": str(pytester.path),
            "environment": dict(os.environ),
            "arguments": [
                f"--basetemp={basetemp}",
                *plugins,
                *map(os.fspath, arguments),
                # At last, so that it counts after `-Werror`.
                "-Wignore:Module already imported so cannot be rewritten:pytest.PytestAssertRewriteWarning",
            ],
            "printed": str(files[0]),
            "errors": str(files[1]),
        }
        began = time.perf_counter()
        print(json.dumps(order), file=self._server.stdin, flush=True)
        code = int(self._server.stdout.readline())
        seconds = time.perf_counter() - began
        printed, errors = (file.read_text("utf-8").splitlines() for file in files)
        for file in files:
            file.unlink()
        # As pytester shows what a process has printed.
        sys.stdout.writelines(f"{line}\n" for line in printed)
        sys.stderr.writelines(f"{line}\n" for line in errors)
        return pytest.RunResult(code, printed, errors, seconds)

    def close(self) -> None:
        """End the process, which waits for orders as long as a child of a test has its pipe."""
        if self._server is not None:
            self._server.kill()
        self._stack.close()


def _read_at_start() -> dict[str, str]:
    """Return the variables that Python reads when it starts, and that a fork would not hear of."""
    return {
        name: text
        for name, text in os.environ.items()
        if name.startswith(("LANG", "LC_", "PYTHON"))
    }
