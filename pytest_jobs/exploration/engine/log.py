"""What is logged while a history runs: the report of a test shows it only if that history fails."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class Written(Protocol):
    """A text in memory, such as `io.StringIO`."""

    def getvalue(self) -> str: ...

    def write(self, text: str, /) -> int: ...

    def seek(self, position: int, /) -> int: ...

    def truncate(self) -> int: ...


class ReportHandler(Protocol):
    """Collects the log that the report of a test shows."""

    @property
    def stream(self) -> Written: ...


#: The handler of the running test; None if no plugin of a test runner sets it.
report_handler: ContextVar[ReportHandler | None] = ContextVar(
    "pytest_jobs_report_handler", default=None
)


class HistoryLog:
    """What was logged during a block."""

    text = ""

    def show(self) -> None:
        """Let the report of the test show it."""
        handler = report_handler.get()
        if handler is not None:
            handler.stream.write(self.text)


@contextmanager
def log_kept_apart() -> Generator[HistoryLog, None, None]:
    """Take what is logged in a block out of the report of the test, unless the block ends with an error.

    The records that a test itself collects, by `caplog`, are left alone.
    """
    kept, handler = HistoryLog(), report_handler.get()
    begin = 0 if handler is None else len(handler.stream.getvalue())
    yield kept
    if handler is not None:
        kept.text = handler.stream.getvalue()[begin:]
        handler.stream.seek(begin)
        handler.stream.truncate()
