"""A line that says how far a long test has come.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator
from typing import Any

import pytest

from ..harness.records.progress import Work, watcher


def show_progress(config: pytest.Config, *, in_logs: bool) -> None:
    """Show the progress of long tests if a person looks at the terminal.

    Args:
        config: the session.
        in_logs: whether to write it where nobody looks, too.
    """
    manager = config.pluginmanager
    reporter: Any = manager.get_plugin("terminalreporter")
    capture = manager.get_plugin("capturemanager")
    # Other reporters draw lines of their own, such as that of pytest-sugar. pytest 8.2 does not export the class.
    if type(reporter).__module__ != "_pytest.terminal" or capture is None:
        return
    # Without capturing, a test that prints would write into our line. `CI` is what the services of continuous
    # integration set.
    is_seen = reporter.isatty and config.getoption("capture") != "no" and "CI" not in os.environ
    if is_seen:
        progress = Progress(capture, config.get_terminal_writer())
    elif in_logs:
        progress = LoggedProgress(capture, reporter)
    else:
        return
    manager.register(progress, "pytest_jobs_progress")


class Progress:
    """Shows the work of a test that takes long, in a line of its own, which is gone afterwards."""

    #: After how many seconds a test is long.
    patience = 2.0
    #: The seconds between two texts.
    pause = 0.2

    def __init__(self, capture: Any, writer: Any) -> None:
        """Show nothing yet.

        Args:
            capture: the capture manager of pytest, which has no public type.
            writer: its terminal writer, likewise.
        """
        self._capture = capture
        self._writer = writer
        self._next = 0.0
        self._work: Work | None = None
        self._begun = 0.0
        #: How far the line of the terminal had come before ours; None while ours is not shown.
        self._column: int | None = None

    def pytest_runtest_logstart(self) -> None:
        """Have patience with each test anew."""
        self._next = time.perf_counter() + self.patience

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """Watch the work of tests, and of an audit after them."""
        token = watcher.set(self)
        try:
            return (yield)
        finally:
            watcher.reset(token)

    def begun(self, work: Work) -> bool:
        if self._work is not None:
            return False
        self._work, self._begun = work, time.perf_counter()
        return True

    def stepped(self, work: Work) -> None:
        now = time.perf_counter()
        if now >= self._next:
            self._next = now + self.pause
            self._show(work.text(_time_left(work, now - self._begun)))

    def ended(self, work: Work) -> None:
        self._work = None
        if self._column is not None:
            self._write(f"\r\x1b[K\x1b[A\x1b[{self._column + 1}G")
            self._column = None

    def _show(self, text: str) -> None:
        cut = (
            text
            if len(text) < self._writer.fullwidth
            else text[: self._writer.fullwidth - 4] + "..."
        )
        if self._column is None:
            self._column = self._writer.width_of_current_line
            self._write(f"\n{cut}")
        else:
            self._write(f"\r\x1b[K{cut}")

    def _write(self, text: str) -> None:
        # Not by the writer of pytest, which takes the text for a part of its own line.
        with self._capture.global_and_fixture_disabled():
            sys.stdout.write(text)
            sys.stdout.flush()


class LoggedProgress(Progress):
    """Writes a line a minute: into a file, a pipe, or between what tests print."""

    patience = pause = 60.0

    def _show(self, text: str) -> None:
        with self._capture.global_and_fixture_disabled():
            self._writer.ensure_newline()
            self._writer.write_line(text)


def _time_left(work: Work, seconds: float) -> str:
    done = work.steps - 1
    if done < 1:
        return ""
    left = seconds / done * (work.planned - done)
    return f"about {left:.0f} s left" if left >= 1 else ""
