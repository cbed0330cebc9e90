"""What a history has logged: the report of a test shows it only if that history fails."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from io import StringIO
from logging import StreamHandler
from typing import TypeAlias

#: Collects the log that the report of a test shows, as pytest makes it.
ReportHandler: TypeAlias = StreamHandler[StringIO]

#: The handler of the running check; None if it is not known.
report_handler: ContextVar[ReportHandler | None] = ContextVar(
    "pytest_jobs_report_handler", default=None
)


class HistoryLog:
    """What was logged during a block."""

    def __init__(self) -> None:
        self._handler = report_handler.get()
        self._begin = 0 if self._handler is None else len(self._handler.stream.getvalue())
        self._text = ""

    def take_out(self) -> None:
        """Take what was logged since this was made out of the report of the test."""
        if self._handler is not None:
            stream = self._handler.stream
            self._text = stream.getvalue()[self._begin :]
            stream.seek(self._begin)
            stream.truncate()

    def show(self) -> None:
        """Let the report of the test show it all the same."""
        if self._handler is not None:
            self._handler.stream.write(self._text)


@contextmanager
def log_kept_apart() -> Generator[HistoryLog, None, None]:
    """Take what is logged in a block out of the report of the test, unless the block ends with an error.

    The records that a test itself collects, by `caplog`, are left alone.
    """
    log = HistoryLog()
    yield log
    log.take_out()
