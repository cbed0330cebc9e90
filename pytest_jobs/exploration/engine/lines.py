"""Calling a hook before each line of the traced code, in one thread."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from types import CodeType, FrameType
from typing import Any, Final, TypeAlias, TypeVar, cast

from ...errors import ExplorationError
from ...harness.records.attributes import identity
from .ending.leaving import Leaving
from .scope import Scope

T = TypeVar("T")
AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])
LineHook: TypeAlias = Callable[[CodeType, int], None]

#: 0 to 3 and 5 belong to debuggers, coverage, profilers, Hypothesis and optimisers; 4 is free.
_TOOL = 4


class LineTracer:
    """Calls a hook before each line. An exception of the hook is raised in that line.

    Python 3.12 and newer have a tracer that stands beside those of debuggers and coverage; see
    `line_tracer`.
    """

    def __init__(self, scope: Scope, leaving: Leaving) -> None:
        self._scope = scope
        #: What is known of the code in which a delivery may be killed.
        self.leaving = leaving
        #: The hook of each thread; None where no lines count for a while.
        self._hooks: dict[int, LineHook | None] = {}
        #: Returns the hook of the delivery in whose context a thread runs that has none of its own.
        self.hook_here: Callable[[], LineHook | None] = lambda: None

    def open(self) -> None:
        """Begin to trace."""

    def close(self) -> None:
        """Give everything back that `open` took."""

    @contextmanager
    def hooked(self, hook: LineHook, *, needed: bool) -> Generator[None, None, None]:
        """Call a hook before each line of this thread, for a block.

        If it is not needed, and another tool such as coverage holds the tracer, that tool keeps it.
        """
        thread = threading.get_ident()
        is_hooked, before = thread in self._hooks, self._hooks.get(thread)
        self._hooks[thread] = hook
        try:
            yield
        finally:
            if is_hooked:
                self._hooks[thread] = before
            else:
                del self._hooks[thread]
            self.trace_running_no_longer()

    def _hook(self) -> LineHook | None:
        """Return what hears of the lines of this thread."""
        thread = threading.get_ident()
        return self._hooks[thread] if thread in self._hooks else self.hook_here()

    def nested(self, run: Callable[[], T]) -> T:
        """Call a function inside a hook. The interpreter reports no lines there, unless it goes through here."""
        return self.unhooked(lambda: sys.call_tracing(run, ()))

    def unhooked(self, run: Callable[[], T]) -> T:
        """Call a function without the hook of this thread: its lines, and those of what it calls, do not count."""
        thread = threading.get_ident()
        is_hooked, hook = thread in self._hooks, self._hooks.get(thread)
        self._hooks[thread] = None
        try:
            return run()
        finally:
            if is_hooked:
                self._hooks[thread] = hook
            else:
                del self._hooks[thread]

    def rearm(self) -> None:
        """Trace the running functions again: an exception raised by a hook may have switched it off."""

    def trace_running(self, frames: Iterable[FrameType]) -> None:
        """Trace running functions, whosever code they are, until the hook of this thread is taken away."""

    def trace_running_no_longer(self) -> None:
        """End what `trace_running` has begun."""

    def was_replaced(self) -> bool:
        """Return whether other code, such as a debugger, has taken over the tracer of this thread."""
        return False


def line_tracer(scope: Scope, leaving: Leaving) -> LineTracer:
    if sys.version_info >= (3, 12):
        return _Monitoring(scope, leaving)
    return _Tracing(scope, leaving)


class _Monitoring(LineTracer):
    """Uses `sys.monitoring`, beside debuggers, coverage and Hypothesis."""

    def __init__(self, scope: Scope, leaving: Leaving) -> None:
        super().__init__(scope, leaving)
        # By name, since Python 3.11 has no `sys.monitoring`.
        self._monitoring: Any = vars(sys)["monitoring"]
        self._traced: dict[int, CodeType] = {}
        self._line_of_helper: LineHook = self._in_helper
        #: Code that is traced for one delivery only.
        self._traced_for_now: list[CodeType] = []

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
        # Resumed too: a generator may have begun before, and PY_START comes once.
        monitoring.set_events(_TOOL, events.PY_START | events.PY_RESUME)
        # An earlier exploration has disabled the code that it did not trace.
        monitoring.restart_events()

    def close(self) -> None:
        monitoring = self._monitoring
        events = monitoring.events
        monitoring.set_events(_TOOL, 0)
        for code in self._traced.values():
            monitoring.set_local_events(_TOOL, code, 0)
        for event in (events.PY_START, events.PY_RESUME, events.LINE):
            monitoring.register_callback(_TOOL, event, None)
        monitoring.free_tool_id(_TOOL)

    def trace_running(self, frames: Iterable[FrameType]) -> None:
        for code in {identity(frame.f_code): frame.f_code for frame in frames}.values():
            if identity(code) not in self._traced:
                self._traced_for_now.append(code)
                self._monitoring.set_local_events(_TOOL, code, self._monitoring.events.LINE)

    def trace_running_no_longer(self) -> None:
        while self._traced_for_now:
            self._monitoring.set_local_events(_TOOL, self._traced_for_now.pop(), 0)

    def _begins(self, code: CodeType, offset: int) -> Any:
        """Trace the lines of a function from now on, if its code is traced."""
        if identity(code) in self._traced:
            return None
        if self._scope.wants(code):
            self._traced[identity(code)] = code
            self._monitoring.set_local_events(_TOOL, code, self._monitoring.events.LINE)
            # Not disabled: where a function begins on the line of its body, such as a lambda, Python 3.13
            # would disable that line, too.
            return None
        if self._scope.is_of_project(code):
            if self._hook() is None:
                # It runs outside of a delivery now, and may run inside of one later.
                return None
            self._scope.note_untraced(code)
        return self._monitoring.DISABLE

    def _line(self, code: CodeType, line: int) -> None:
        # One look-up, since nothing is called as often.
        hook = self._hooks.get(threading.get_ident(), self._line_of_helper)
        if hook is not None:
            hook(code, line)

    def _in_helper(self, code: CodeType, line: int) -> None:
        hook = self.hook_here()
        if hook is not None:
            hook(code, line)


class _Tracing(LineTracer):
    """Uses `sys.settrace`, on Python 3.11. A debugger replaces it."""

    def __init__(self, scope: Scope, leaving: Leaving) -> None:
        super().__init__(scope, leaving)
        #: The tracer that each thread had before ours.
        self._before: dict[int, Any] = {}
        #: Functions that are neither traced nor of the project. They are called thousands of times a delivery.
        self._others: dict[int, CodeType] = {}

    def open(self) -> None:
        # Of the threads that deliveries start. An older thread, such as that of a portal, is not traced.
        self._of_threads = threading.gettrace()
        threading.settrace(self._call)

    def close(self) -> None:
        threading.settrace(self._of_threads)

    @contextmanager
    def hooked(self, hook: LineHook, *, needed: bool) -> Generator[None, None, None]:
        tracer = sys.gettrace()
        if tracer is not None and not needed:
            yield
            return
        thread = threading.get_ident()
        if thread not in self._hooks:
            self._before[thread] = tracer
        with super().hooked(hook, needed=needed):
            sys.settrace(self._call)
            try:
                yield
            finally:
                sys.settrace(tracer)

    def nested(self, run: Callable[[], T]) -> T:
        thread, ours = threading.get_ident(), sys.gettrace()

        def as_before() -> T:
            sys.settrace(self._before.get(thread))
            return run()

        try:
            return super().nested(as_before)
        finally:
            sys.settrace(ours)

    def rearm(self) -> None:
        if self._hook() is None:
            # A killed delivery may be cleared away after `hooked` has ended: nothing would undo this.
            return
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if self._scope.wants(frame.f_code):
                frame.f_trace = self._line
            frame = frame.f_back
        sys.settrace(self._call)

    def trace_running(self, frames: Iterable[FrameType]) -> None:
        for frame in frames:
            frame.f_trace = self._line

    def was_replaced(self) -> bool:
        return threading.get_ident() in self._hooks and sys.gettrace() not in (None, self._call)

    def _call(self, frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        if identity(code) in self._others or self._hook() is None:
            return None
        if self._scope.wants(code):
            return self._line
        if self._scope.is_of_project(code):
            self._scope.note_untraced(code)
        else:
            self._others[identity(code)] = code
        return None

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:
        hook = self._hook()
        if event == "line" and hook is not None:
            hook(frame.f_code, frame.f_lineno)
        return self._line


#: The trace function that an untraced function has taken out; None outside of such a function.
_taken_out: Final[ContextVar[Any]] = ContextVar("pytest_jobs_tracer_taken_out", default=None)


def untraced(function: AnyFunction) -> AnyFunction:
    """Let a function of ours, which jobs call, run without the tracer.

    On Python 3.11 whatever runs below a traced line takes several times as long, traced or not. Newer versions
    trace nothing but what counts.
    """
    if sys.version_info >= (3, 12):
        return function

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        trace = sys.gettrace()
        if not isinstance(getattr(trace, "__self__", None), _Tracing):
            return function(*args, **kwargs)
        token = _taken_out.set(trace)
        sys.settrace(None)
        try:
            return function(*args, **kwargs)
        finally:
            sys.settrace(trace)
            _taken_out.reset(token)

    return cast(AnyFunction, call)


def call_traced(function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    """Call a function that may be of the project from an untraced one."""
    trace = _taken_out.get()
    if trace is None or sys.gettrace() is not None:
        return function(*args, **kwargs)
    token = _taken_out.set(None)
    sys.settrace(trace)
    try:
        return function(*args, **kwargs)
    finally:
        sys.settrace(None)
        _taken_out.reset(token)
