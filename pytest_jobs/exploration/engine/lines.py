"""Hearing of each line before it runs, in the code that is explored and in one thread."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from types import CodeType, FrameType
from typing import Any, Protocol, TypeAlias, TypeVar

from ...errors import ExplorationError

T = TypeVar("T")
LineHook: TypeAlias = Callable[[CodeType, int], None]

#: Of the ids that tools share, the one that no tool of renown has taken.
_TOOL = 4


class Listening(Protocol):
    """Says whose lines are heard."""

    def wants(self, code: CodeType) -> bool:
        """Say whether the lines of some code are heard."""
        ...

    def is_of_project(self, code: CodeType) -> bool:
        """Say whether it is code of the project."""
        ...

    def passed_over(self, code: CodeType) -> None:
        """Hear that a function of the project runs whose lines are not heard."""
        ...


class LineTracer(Protocol):
    """Calls a hook before each line; an exception that the hook raises goes off in that line."""

    def open(self) -> None:
        """Begin."""
        ...

    def close(self) -> None:
        """Leave nothing behind."""
        ...

    def hooked(self, hook: LineHook, *, needed: bool) -> AbstractContextManager[None]:
        """Return a block in which the lines of this thread call a hook.

        Args:
            hook: called before each.
            needed: whether it has to be; what is not needed gives way to tools such as coverage.
        """
        ...

    def nested(self, run: Callable[[], T]) -> T:
        """Run something inside a hook, with the tools that watch lines working again."""
        ...

    def hear_again(self) -> None:
        """Hear lines again in the functions that run, where an exception that a hook raised ended it."""
        ...

    def was_taken(self) -> bool:
        """Say whether something else has taken the place of what hears of the lines, of this thread."""
        ...


def line_tracer(scope: Listening) -> LineTracer:
    """Return a tracer of the code that is wanted."""
    return _Monitoring(scope) if sys.version_info >= (3, 12) else _Tracing(scope)


class _Monitoring:
    """By `sys.monitoring`, beside debuggers, coverage and Hypothesis."""

    def __init__(self, scope: Listening) -> None:
        # By name, since the oldest Python that is supported has none.
        self._monitoring: Any = vars(sys)["monitoring"]
        self._scope = scope
        self._hooks: dict[int, LineHook] = {}
        self._heard: dict[int, CodeType] = {}

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
        for code in self._heard.values():
            monitoring.set_local_events(_TOOL, code, 0)
        for event in (events.PY_START, events.PY_RESUME, events.LINE):
            monitoring.register_callback(_TOOL, event, None)
        monitoring.free_tool_id(_TOOL)

    @contextmanager
    def hooked(self, hook: LineHook, *, needed: bool) -> Generator[None, None, None]:
        thread = threading.get_ident()
        before = self._hooks.get(thread)
        self._hooks[thread] = hook
        try:
            yield
        finally:
            if before is None:
                del self._hooks[thread]
            else:
                self._hooks[thread] = before

    def nested(self, run: Callable[[], T]) -> T:
        thread = threading.get_ident()
        hook = self._hooks.pop(thread, None)
        try:
            return sys.call_tracing(run, ())
        finally:
            if hook is not None:
                self._hooks[thread] = hook

    def hear_again(self) -> None:
        pass

    def was_taken(self) -> bool:
        return False

    def _begins(self, code: CodeType, offset: int) -> Any:
        """Hear the lines of a function from now on, if they are wanted."""
        if self._scope.wants(code):
            if id(code) not in self._heard:
                self._heard[id(code)] = code
                self._monitoring.set_local_events(_TOOL, code, self._monitoring.events.LINE)
        elif self._scope.is_of_project(code):
            if threading.get_ident() not in self._hooks:
                # It may run in a delivery later on.
                return None
            self._scope.passed_over(code)
        return self._monitoring.DISABLE

    def _line(self, code: CodeType, line: int) -> None:
        hook = self._hooks.get(threading.get_ident())
        if hook is not None:
            hook(code, line)


class _Tracing:
    """By `sys.settrace`, where there is nothing better; a debugger takes its place."""

    def __init__(self, scope: Listening) -> None:
        self._scope = scope
        self._hooks: dict[int, LineHook] = {}
        #: The tracer that each thread had before ours.
        self._before: dict[int, Any] = {}

    def open(self) -> None:
        pass

    def close(self) -> None:
        pass

    @contextmanager
    def hooked(self, hook: LineHook, *, needed: bool) -> Generator[None, None, None]:
        tracer = sys.gettrace()
        if tracer is not None and not needed:
            yield
            return
        thread = threading.get_ident()
        before = self._hooks.get(thread)
        self._hooks[thread] = hook
        if before is None:
            self._before[thread] = tracer
        sys.settrace(self._call)
        try:
            yield
        finally:
            sys.settrace(tracer)
            if before is None:
                del self._hooks[thread]
            else:
                self._hooks[thread] = before

    def nested(self, run: Callable[[], T]) -> T:
        thread, ours = threading.get_ident(), sys.gettrace()
        hook = self._hooks.pop(thread, None)

        def as_before() -> T:
            sys.settrace(self._before.get(thread))
            return run()

        try:
            return sys.call_tracing(as_before, ())
        finally:
            if hook is not None:
                self._hooks[thread] = hook
            sys.settrace(ours)

    def hear_again(self) -> None:
        if threading.get_ident() not in self._hooks:
            # What is dead may be cleared away after its last line, where nothing would take this back.
            return
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if self._scope.wants(frame.f_code):
                frame.f_trace = self._line
            frame = frame.f_back
        sys.settrace(self._call)

    def was_taken(self) -> bool:
        return threading.get_ident() in self._hooks and sys.gettrace() not in (None, self._call)

    def _call(self, frame: FrameType, event: str, argument: Any) -> Any:
        if self._scope.wants(frame.f_code):
            return self._line
        if self._scope.is_of_project(frame.f_code):
            self._scope.passed_over(frame.f_code)
        return None

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:
        hook = self._hooks.get(threading.get_ident())
        if event == "line" and hook is not None:
            hook(frame.f_code, frame.f_lineno)
        return self._line
