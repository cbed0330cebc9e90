"""What the test wrote is the outside: a function of the test that project code calls in a delivery is one act.

However the test has given its double to the job, by a place, a constructor, an argument, a container or a
callback, its functions lie in files of tests, and the interpreter reports when one begins.
"""

from __future__ import annotations

import gc
import inspect
import os
import sys
import threading
import types
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial, wraps
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

from ....bridges.libraries.known import library_named
from ....errors import __file__ as _errors
from ....harness.records.attributes import identity
from ....harness.records.home import is_test_file
from ...engine.acts import SourceState, Watch, skippable, watcher
from ...engine.engine import Engine
from ...engine.watching import is_within_act
from ..doubles.clients import is_client
from ..doubles.judgement import Called, Judgement, Running, Title
from ..doubles.memory import Memory, kept_in
from .called import KEEPS, Titles, called_as, called_in, called_in_c

#: Special methods that do something; all others make, show, compare or open an object.
_DOING: Final = frozenset(
    (
        *("__aexit__", "__call__", "__delitem__", "__exit__", "__getattr__", "__iadd__"),
        *("__lshift__", "__setitem__"),
    )
)
_OURS: Final = f"{Path(_errors).resolve().parent}{os.sep}"


class Outside:
    """Hears of the calls of functions of the test, in one search."""

    def __init__(self, engine: Engine) -> None:
        self.search = engine.of_search
        self.scope = engine.scope
        self.scope.folders_of_tests = _folders_of_tests()
        self.titles = Titles(self.scope, engine.tracer)
        self._judgement = self.search.of(Judgement, lambda: Judgement(self.scope.owns))
        #: The calls that run, by their frames.
        self._running: dict[FrameType, Running | _Passing | _Getting] = {}
        #: Functions that stand for a clock, or are no doubles.
        self._ignored: dict[int, CodeType] = {}
        #: What answers consist of: to call its methods reaches nobody.
        self._data: dict[int, Any] = {}
        #: The containers of which something has a method, such as `published.append`; None until a job calls one.
        self._bound: dict[int, Any] | None = None
        self._asks_for_bound = False
        engine.tracer.calls = self

    def begin_world(self, world: ExitStack, observed: Callable[[], object]) -> None:
        world.callback(setattr, self._judgement, "observed", self._judgement.observed)
        world.callback(setattr, self, "titles", self.titles)
        world.callback(self._data.clear)
        self._judgement.observed, self.titles = observed, self.titles.copy()
        if self._asks_for_bound and self._bound is None:
            # No delivery runs, so none has made one of these.
            self._bound = {
                identity(one.__self__): one.__self__
                for one in gc.get_objects()
                if type(one) is types.BuiltinMethodType and type(one.__self__) in KEEPS
            }

    def place(self, title: Title, history: SourceState) -> None:
        """Note what lies in a place of the project, and what the job sets on it."""
        self.titles.add(title.value, title.name, is_of_project=title.is_of_project)
        memory = Memory((title.value,), self.scope.owns)
        kept, own = kept_in(history), identity(title.value)
        kept.keep(memory)
        memory.taken = {key: memory.taken[key] for key in memory.taken if key == own}
        kept.give(memory, title.name, "attributes")

    def ignore(self, function: Any) -> None:
        """Let the calls of a function of the test be none."""
        code = getattr(getattr(function, "__func__", function), "__code__", None)
        if code is not None:
            self._ignored[identity(code)] = code

    # What the tracer reports

    def wants(self, code: CodeType) -> bool:
        return self.scope.stands_outside(code) or identity(code) in self.titles.codes

    def begins(self, frame: FrameType, *, again: bool) -> None:
        current, code = watcher.get(), frame.f_code
        if (
            current is None
            or identity(code) in self._ignored
            or (code.co_name.startswith("__") and code.co_name not in _DOING)
            or code.co_flags & inspect.CO_ASYNC_GENERATOR
        ):
            return
        if is_within_act():
            self._keep(frame, current)
            return
        if not self._is_called_by_project(frame, current):
            return
        called = called_in(frame, self.titles)
        if called is None or identity(called.roots[0]) in self._data:
            return
        if called.method == "__getattr__":
            self._running[frame] = _Getting(self.titles, called)
        else:
            self._begin(frame, called, current, again)

    def _keep(self, frame: FrameType, current: Watch) -> None:
        """Let the next history find what a server of the test keeps, which answers a request, as it was."""
        variables = frame.f_locals
        known: dict[tuple[int, int], FrameType] = current.of_history.of("kept", dict)
        key = identity(frame.f_code), identity(next(iter(variables.values()), None))
        if key not in known:
            known[key] = frame
            called = called_in(frame, self.titles)
            if called is not None:
                kept_in(current.of_history).keep(Memory(called.roots, self.scope.owns))

    def calls(
        self, frame: FrameType, method: types.BuiltinMethodType, args: tuple[Any, ...]
    ) -> None:
        current = watcher.get()
        if current is None or is_within_act():
            return
        if not self.titles.of(method.__self__):
            if self._bound is None:
                self._asks_for_bound = True
                self.search.learn(set(), "bound methods")
                kept_in(current.of_history).keep(Memory((method.__self__,), self.scope.owns))
            if identity(method.__self__) not in (self._bound or ()):
                return
        self._begin(frame, called_in_c(frame, method, args, self.titles), current, False)

    def _begin(self, frame: FrameType, called: Called, current: Watch, again: bool) -> None:
        if called.name in self._judgement.passing:
            self._running[frame] = _Passing(current)
        else:
            running = Running(called, current, again=again)
            running.begin()
            self._running[frame] = running

    def before(self, function: Callable[..., Any], title: Title) -> Callable[..., Any]:
        """Return a function that calls one in C, of which the interpreter may report nothing."""

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            current = watcher.get()
            if current is None or is_within_act():
                return function(*args, **kwargs)
            roots = (getattr(function, "__self__", function),)
            called = called_as(title.name, args, kwargs, kwargs, roots, title)
            with skippable(), Running(called, current) as running:
                answer = function(*args, **kwargs)
                running.end(answer)
                return answer
            return None

        return call

    def ends(self, frame: FrameType, answer: Any) -> None:
        running = self._running.pop(frame, None)
        if running is None:
            return
        for one in answer if type(answer) in (list, tuple) else (answer,):
            if self.scope.owns(type(one)) and not is_client(one, returned=True):
                self._data[identity(one)] = one
        running.end(answer)
        if isinstance(running, Running):
            self._lie_in_place(running.called, answer)
        running.leave(None)

    def _lie_in_place(self, called: Called, answer: object) -> None:
        """Let what a factory has made have the name of the factory: `Gateway().charge`."""
        title, kind = called.title, type(answer)
        if title is None or not hasattr(answer, "__dict__") or isinstance(answer, type):
            return
        if self.scope.owns(kind) and not self.titles.of(answer, kind):
            self.titles.add(answer, f"{called.name}()", is_of_project=title.is_of_project)

    def fails(self, frame: FrameType, error: BaseException) -> None:
        running = self._running.pop(frame, None)
        if running is not None:
            running.leave(error)

    def _is_called_by_project(self, frame: FrameType, current: Watch) -> bool:
        """Return whether code of the project is the first that decides, of what has called a function."""
        caller = frame.f_back
        while caller is not None and not caller.f_code.co_filename.startswith(_OURS):
            if self.wants(caller.f_code):
                # The call of which it is a part is the act.
                return False
            if self.scope.wants(caller.f_code):
                return True
            if library_named(caller.f_globals.get("__name__", "")):
                # What the test has told a job library to call, such as SAQ before it enqueues, stands for nobody.
                return False
            caller = caller.f_back
        # We call what a test has given us, such as the observer of a world. A task, or another thread, is one that
        # the project has begun.
        is_task = bool(frame.f_code.co_flags & inspect.CO_COROUTINE)
        return is_task or threading.get_ident() != current.thread


class _Passing:
    """A call of a double that calls something else, of which we hear. What it keeps is not set by the job."""

    def __init__(self, current: Watch) -> None:
        self._kept, self._runs = kept_in(current.of_history), True
        self._kept.look()
        self._kept.under_way += 1
        # A coroutine of a worker that is killed neither returns nor raises.
        current.opened(partial(self.leave, None), None)

    def end(self, answer: object) -> None:
        """Judge nothing."""

    def leave(self, error: BaseException | None) -> None:
        if self._runs:
            self._kept.catch_up()
            self._kept.under_way -= 1
        self._runs = False


class _Getting:
    """An object of the test is asked for an attribute that it makes then: a function of it is called next."""

    def __init__(self, titles: Titles, called: Called) -> None:
        self._titles, self._called = titles, called

    def end(self, answer: Any) -> None:
        called = self._called
        self._titles.rename(
            answer, ".".join(filter(None, (called.owner, str(*called.args)))), called.title
        )

    def leave(self, error: BaseException | None) -> None:
        """Let nothing have a name."""


def _folders_of_tests() -> tuple[str, ...]:
    """Return the outermost folder of tests that has the test that runs; nothing where there is none."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if is_test_file(frame.f_code.co_filename):
            for path in reversed(Path(frame.f_code.co_filename).parents):
                if path.name in ("tests", "test", "testing"):
                    return (f"{path}{os.sep}",)
        frame = frame.f_back
    return ()
