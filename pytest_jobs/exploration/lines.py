"""Hearing of each line before it runs, in the code that is explored and in one thread."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any, Protocol, TypeAlias, TypeVar

from ..errors import ExplorationError

T = TypeVar("T")
LineHook: TypeAlias = Callable[[CodeType, int], None]

#: Of the ids that tools share, the one that no tool of renown has taken.
_TOOL = 4


class LineTracer(Protocol):
    """Calls a hook before each line; an exception that the hook raises goes off in that line."""

    def open(self) -> None:
        """Begin."""
        ...

    def close(self) -> None:
        """Leave nothing behind."""
        ...

    def hooked(self, hook: LineHook) -> Any:
        """Return a context manager in which the lines of this thread call a hook."""
        ...

    def nested(self, run: Callable[[], T]) -> T:
        """Run something inside a hook, with the tools that watch lines working again."""
        ...


def line_tracer(wants: Callable[[CodeType], bool]) -> LineTracer:
    """Return a tracer of the code that is wanted."""
    return _Monitoring(wants) if sys.version_info >= (3, 12) else _Tracing(wants)


class _Monitoring:
    """By `sys.monitoring`, beside debuggers, coverage and Hypothesis."""

    def __init__(self, wants: Callable[[CodeType], bool]) -> None:
        # By name, since the oldest Python that is supported has none.
        self._monitoring: Any = vars(sys)["monitoring"]
        self._wants = wants
        self._hook: LineHook | None = None
        self._thread = 0
        self._heard: set[CodeType] = set()

    def open(self) -> None:
        monitoring = self._monitoring
        holder = monitoring.get_tool(_TOOL)
        if holder is not None:
            raise ExplorationError(
                f"{holder} watches lines as tool {_TOOL} of sys.monitoring, so an exploration cannot: two "
                "explorations inside one another, or another tool that takes this number. Run one at a time."
            )
        monitoring.use_tool_id(_TOOL, "pytest-jobs")
        events = monitoring.events
        for event in (events.PY_START, events.PY_RESUME):
            monitoring.register_callback(_TOOL, event, self._begins)
        monitoring.register_callback(_TOOL, events.LINE, self._line)
        monitoring.set_events(_TOOL, events.PY_START | events.PY_RESUME)
        # What an earlier exploration did not want was disabled for good.
        monitoring.restart_events()

    def close(self) -> None:
        monitoring = self._monitoring
        events = monitoring.events
        monitoring.set_events(_TOOL, 0)
        for code in self._heard:
            monitoring.set_local_events(_TOOL, code, 0)
        for event in (events.PY_START, events.PY_RESUME, events.LINE):
            monitoring.register_callback(_TOOL, event, None)
        monitoring.free_tool_id(_TOOL)

    @contextmanager
    def hooked(self, hook: LineHook) -> Generator[None, None, None]:
        before = self._hook, self._thread
        self._hook, self._thread = hook, threading.get_ident()
        try:
            yield
        finally:
            self._hook, self._thread = before

    def nested(self, run: Callable[[], T]) -> T:
        hook, self._hook = self._hook, None
        try:
            return sys.call_tracing(run, ())
        finally:
            self._hook = hook

    def _begins(self, code: CodeType, offset: int) -> Any:
        """Hear the lines of a function from now on, if they are wanted."""
        if code not in self._heard and self._wants(code):
            self._heard.add(code)
            self._monitoring.set_local_events(_TOOL, code, self._monitoring.events.LINE)
        return self._monitoring.DISABLE

    def _line(self, code: CodeType, line: int) -> None:
        if self._hook is not None and threading.get_ident() == self._thread:
            self._hook(code, line)


class _Tracing:
    """By `sys.settrace`, where there is nothing better; a debugger takes its place."""

    def __init__(self, wants: Callable[[CodeType], bool]) -> None:
        self._wants = wants
        self._hook: LineHook | None = None
        self._before: Any = None

    def open(self) -> None:
        self._before = sys.gettrace()

    def close(self) -> None:
        sys.settrace(self._before)

    @contextmanager
    def hooked(self, hook: LineHook) -> Generator[None, None, None]:
        before, tracer = self._hook, sys.gettrace()
        self._hook = hook
        sys.settrace(self._call)
        try:
            yield
        finally:
            self._hook = before
            sys.settrace(tracer)

    def nested(self, run: Callable[[], T]) -> T:
        hook, self._hook = self._hook, None
        ours = sys.gettrace()

        def as_before() -> T:
            sys.settrace(self._before)
            return run()

        try:
            return sys.call_tracing(as_before, ())
        finally:
            self._hook = hook
            sys.settrace(ours)

    def _call(self, frame: FrameType, event: str, argument: Any) -> Any:
        return self._line if self._wants(frame.f_code) else None

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line" and self._hook is not None:
            self._hook(frame.f_code, frame.f_lineno)
        return self._line
