"""Calling a hook before each line of the traced code, in one thread, and around each call of other code."""

from __future__ import annotations

import dis
import functools
import inspect
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from types import BuiltinMethodType, CodeType, FrameType
from typing import Any, Final, Protocol, TypeAlias, TypeVar, cast

from ...errors import ExplorationError
from ...harness.records.attributes import identity
from .ending.leaving import Leaving
from .scope import Scope

T = TypeVar("T")
AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])
LineHook: TypeAlias = Callable[[CodeType, int], None]

#: 0 to 3 and 5 belong to debuggers, coverage, profilers, Hypothesis and optimisers; 4 is free.
_TOOL = 4
#: Where a function begins, and where a generator goes on.
_RESUME: Final = dis.opmap["RESUME"]
#: A method of one of these may be what the test has given the job: `publish=published.append`.
_CONTAINERS: Final = frozenset((list, dict, set, bytearray, deque))


class CallHook(Protocol):
    """Hears of the calls of code that is not traced line by line. Each may raise, in the code that is called."""

    def wants(self, code: CodeType) -> bool:
        """Return whether the calls of some code matter."""
        ...

    def begins(self, frame: FrameType, *, again: bool) -> None:
        """Come to where a function begins; `again` where a generator goes on."""
        ...

    def ends(self, frame: FrameType, answer: object) -> None:
        """Come to where a function returns, or a generator gives an item."""
        ...

    def fails(self, frame: FrameType, error: BaseException) -> None:
        """Come to where a function is left by an error."""
        ...

    def calls(self, frame: FrameType, method: BuiltinMethodType, args: tuple[Any, ...]) -> None:
        """Come to where traced code calls a method of a container."""
        ...


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
        #: Hears of calls; None where nobody does.
        self.calls: CallHook | None = None

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

    def ask_again(self, code: CodeType) -> None:
        """Forget whether some code is traced: its calls may matter from now on."""

    def _calls_of(self, code: CodeType) -> CallHook | None:
        """Return what hears of the calls of some code; None if nobody does."""
        calls = self.calls
        return calls if calls is not None and calls.wants(code) else None


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
        #: Code whose calls are reported.
        self._called: dict[int, CodeType] = {}
        #: Where the lines of traced code begin.
        self._begins_of_lines: dict[int, frozenset[int]] = {}
        events = self._monitoring.events
        self._callbacks: dict[int, Callable[..., Any]] = {
            events.PY_START: self._begins,
            events.PY_RESUME: self._goes_on,
            events.PY_RETURN: self._ends,
            events.PY_YIELD: self._pauses,
            events.PY_UNWIND: self._fails,
            events.CALL: self._calls_in_c,
            events.C_RETURN: self._ends_in_c,
            events.C_RAISE: self._ends_in_c,
            events.LINE: self._line,
        }

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
        for event, callback in self._callbacks.items():
            monitoring.register_callback(_TOOL, event, callback)
        # Resumed too: a generator may have begun before, and PY_START comes once.
        monitoring.set_events(_TOOL, events.PY_START | events.PY_RESUME)
        # An earlier exploration has disabled the code that it did not trace.
        monitoring.restart_events()

    def close(self) -> None:
        monitoring = self._monitoring
        monitoring.set_events(_TOOL, 0)
        for code in (*self._traced.values(), *self._called.values()):
            monitoring.set_local_events(_TOOL, code, 0)
        for event in self._callbacks:
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

    def ask_again(self, code: CodeType) -> None:
        if self._traced.pop(identity(code), None) is not None:
            self._monitoring.set_local_events(_TOOL, code, 0)

    def _begins(self, code: CodeType, offset: int) -> Any:
        """Trace the lines of a function from now on, if its code is traced, or hear of its calls."""
        key = identity(code)
        if key in self._called:
            if self._hook() is not None and self.calls is not None:
                self.calls.begins(sys._getframe(1), again=False)
            return None
        if key in self._traced:
            return None
        calls, events = self._calls_of(code), self._monitoring.events
        if calls is not None:
            # Outside of a delivery its lines may be needed, and nobody hears of its calls.
            if self._hook() is not None:
                self._hear_of(code)
                calls.begins(sys._getframe(1), again=False)
            return None
        if self._scope.wants(code):
            self._traced[key] = code
            local = events.LINE if self.calls is None else events.LINE | events.CALL
            self._monitoring.set_local_events(_TOOL, code, local)
            # Not disabled: where a function begins on the line of its body, such as a lambda, Python 3.13
            # would disable that line, too.
            return None
        if self._scope.is_of_project(code):
            if self._hook() is None:
                # It runs outside of a delivery now, and may run inside of one later.
                return None
            self._scope.note_untraced(code)
        return self._monitoring.DISABLE

    def _hear_of(self, code: CodeType) -> None:
        events = self._monitoring.events
        if not self._called:
            # Python reports all errors or none, and one may pass many functions.
            self._monitoring.set_events(
                _TOOL, events.PY_START | events.PY_RESUME | events.PY_UNWIND
            )
        self._called[identity(code)] = code
        lines = events.LINE if self._scope.wants(code) else 0
        self._monitoring.set_local_events(_TOOL, code, events.PY_RETURN | events.PY_YIELD | lines)

    def _goes_on(self, code: CodeType, offset: int) -> Any:
        if identity(code) not in self._called:
            return None if self._calls_of(code) is not None else self._begins(code, offset)
        is_generator = bool(code.co_flags & inspect.CO_GENERATOR)
        if is_generator and self.calls is not None and self._hook() is not None:
            self.calls.begins(sys._getframe(1), again=True)
        return None

    def _ends(self, code: CodeType, offset: int, answer: object) -> None:
        if self.calls is not None:
            self.calls.ends(sys._getframe(1), answer)

    def _pauses(self, code: CodeType, offset: int, item: object) -> None:
        # What a coroutine waits for is a part of its call.
        if code.co_flags & inspect.CO_GENERATOR and self.calls is not None:
            self.calls.ends(sys._getframe(1), item)

    def _fails(self, code: CodeType, offset: int, error: BaseException) -> None:
        if identity(code) in self._called and self.calls is not None:
            self.calls.fails(sys._getframe(1), error)

    def _calls_in_c(self, code: CodeType, offset: int, called: Any, argument: Any) -> Any:
        if type(called) is BuiltinMethodType and type(called.__self__) in _CONTAINERS:
            if self.calls is not None and self._hook() is not None:
                args = () if argument is self._monitoring.MISSING else (argument,)
                self.calls.calls(sys._getframe(1), called, args)
            return None
        # `rows.append(row)` calls the same each time; a variable may be a method of a container next time.
        if getattr(called, "__name__", None) not in code.co_names:
            return None
        # To disable what begins a line would disable the line, too.
        begins = self._begins_of_lines.get(identity(code))
        if begins is None:
            begins = frozenset(begin for begin, _, _ in code.co_lines())
            self._begins_of_lines[identity(code)] = begins
        return None if offset in begins else self._monitoring.DISABLE

    def _ends_in_c(self, code: CodeType, offset: int, called: Any, argument: Any) -> None:
        if type(called) is BuiltinMethodType and self.calls is not None:
            self.calls.ends(sys._getframe(1), None)

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
        #: Whether a delivery has called code whose calls matter, so that those of all others do.
        self._has_called = False

    def open(self) -> None:
        # Of the threads that deliveries start. An older thread, such as that of a portal, is not traced.
        self._of_threads = threading.gettrace()
        threading.settrace(self._call)

    def close(self) -> None:
        threading.settrace(self._of_threads)

    @contextmanager
    def hooked(self, hook: LineHook, *, needed: bool) -> Generator[None, None, None]:
        tracer = sys.gettrace()
        if tracer is not None and not (needed or self._has_called):
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

    def ask_again(self, code: CodeType) -> None:
        self._others.pop(identity(code), None)

    def _call(self, frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        if identity(code) in self._others or self._hook() is None:
            return None
        calls = self._calls_of(code)
        if calls is not None:
            self._has_called = True
            # It begins with RESUME 0; where an error is thrown into a generator, that is still at its `yield`.
            operation, argument = code.co_code[frame.f_lasti : frame.f_lasti + 2]
            again = operation != _RESUME or argument > 0
            if code.co_flags & inspect.CO_GENERATOR or not again:
                calls.begins(frame, again=again)
            return functools.partial(self._in_call, calls)
        if self._scope.wants(code):
            return self._line
        if self._scope.is_of_project(code):
            self._scope.note_untraced(code)
        else:
            self._others[identity(code)] = code
        return None

    def _in_call(self, calls: CallHook, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line" and self._scope.wants(frame.f_code):
            self._line(frame, event, argument)
        elif event == "return":
            ends = dis.opname[frame.f_code.co_code[frame.f_lasti]].partition("_")[0]
            if ends not in ("RETURN", "YIELD"):
                # Which error it is, nobody says here.
                calls.fails(frame, Exception())
            elif ends == "RETURN" or frame.f_code.co_flags & inspect.CO_GENERATOR:
                calls.ends(frame, argument)
        return functools.partial(self._in_call, calls)

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
