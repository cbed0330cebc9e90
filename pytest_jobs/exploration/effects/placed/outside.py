"""What the test wrote is the outside: a function of the test that project code calls in a delivery is one act.

However the test has given its double to the job, by a place, a constructor, an argument, a container or a
callback, its functions lie in files of tests, and the interpreter reports when one begins. Whether the call did
something is looked at: what it has changed in the memory of the test is an effect. Only a double that never keeps
anything is judged by its name.
"""

from __future__ import annotations

import gc
import inspect
import os
import sys
import threading
import types
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from contextvars import Token
from dataclasses import replace
from functools import partial, wraps
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

from ....bridges.libraries.known import library_named
from ....errors import __file__ as _errors
from ....harness.records.attributes import identity
from ....harness.records.home import is_test_file
from ...engine.acts import Act, Skipped, SourceState, Watch, looking, parts, watcher
from ...engine.engine import Engine
from ...engine.watching import is_within_act
from ..doubles.clients import is_client
from ..doubles.kinds import does_something, kinds_of
from ..doubles.memory import Memory, Unit, kept_in
from .called import KEEPS, Called, Title, Titles, called_in, called_in_c

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
        #: Returns the state of the innermost world.
        self.observed: Callable[[], object] = dict
        #: The calls that run, by their frames.
        self._running: dict[FrameType, _Running | _Passing | _Getting] = {}
        #: The names of calls that have changed something; that count since they never do; that only pass calls on;
        #: that only look something up; and whose results the state of the world shows.
        self.records, self.by_name = set[str](), set[str]()
        self.passing, self.reads, self.shown = set[str](), set[str](), set[str]()
        #: The doubles whose `commit` the job calls, and their classes.
        self._units: dict[int, Any] = {}
        self._kinds_of_units = set[str]()
        #: Functions that stand for a clock, or are no doubles.
        self._ignored: dict[int, CodeType] = {}
        #: What answers consist of: to call its methods reaches nobody.
        self._data: dict[int, Any] = {}
        #: The containers of which something has a method, such as `published.append`; None until a job calls one.
        self._bound: dict[int, Any] | None = None
        self._asks_for_bound = False
        engine.tracer.calls = self

    def begin_world(self, world: ExitStack, observed: Callable[[], object]) -> None:
        world.callback(setattr, self, "observed", self.observed)
        world.callback(setattr, self, "titles", self.titles)
        world.callback(self._data.clear)
        self.observed, self.titles = observed, self.titles.copy()
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

    def seen(self) -> object:
        """Return the state of the innermost world; None if the delivery holds a lock on it."""
        try:
            return self.observed()
        except Exception:
            return None

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
        if called.name in self.passing:
            self._running[frame] = _Passing(current)
        else:
            running = _Running(self, called, current, again)
            running.begin()
            self._running[frame] = running

    def unit_of(self, owner: Any, current: Watch) -> Unit | None:
        """Return the unit of work in which something is done to an object of the test; None if it is in none."""
        for key, double in self._units.items():
            made = partial(Unit, double, self.scope.owns, current)
            unit: Unit = current.of_history.of((current, key), made)
            if unit.has(owner):
                return unit
        return None

    def learn_unit(self, double: Any) -> None:
        """Learn that a double has a `commit` that the job calls, by which it is a unit of work."""
        self._units[identity(double)] = double
        self.search.learn(self._kinds_of_units, type(double).__qualname__)

    def before(self, function: Callable[..., Any], title: Title) -> Callable[..., Any]:
        """Return a function that calls one in C, of which the interpreter may report nothing."""

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            current, frame = watcher.get(), sys._getframe()
            if current is None or is_within_act():
                return function(*args, **kwargs)
            roots = (getattr(function, "__self__", function),)
            self._begin(
                frame, Called(title.name, args, kwargs, kwargs, roots, title), current, False
            )
            try:
                answer = function(*args, **kwargs)
            except BaseException as error:
                self.fails(frame, error)
                raise
            self.ends(frame, answer)
            return answer

        return call

    def ends(self, frame: FrameType, answer: Any) -> None:
        running = self._running.pop(frame, None)
        if running is not None:
            for one in answer if type(answer) in (list, tuple) else (answer,):
                if self.scope.owns(type(one)) and not is_client(one, returned=True):
                    self._data[identity(one)] = one
            running.end(answer)

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


class _Running:
    """One call of a function of the test, from its beginning to its end."""

    def __init__(self, outside: Outside, called: Called, current: Watch, again: bool) -> None:
        self._outside, self._called, self._current = outside, called, current
        self._kinds = kinds_of(current.of_search)
        name = called.name
        self._is_said = self._kinds.said_of(name) is not None
        #: Whether only a change counts: at the end of a block, or behind a `yield`.
        self._ends_block = again or called.method in ("__exit__", "__aexit__")
        self._spot = f"{name} ends" if self._ends_block else name
        self._kind = (
            "effect"
            if self._ends_block and not self._is_said
            else self._kinds.of(name, called.own, called.args, called.kwargs)
        )
        self._block: AbstractContextManager[None] | None = None
        self._act: Act | None = None
        self._token: Token[list[Act] | None] | None = None
        self._inner: list[Act] = []
        self._is_skipped = False

    def begin(self) -> None:
        """Come to the point before the call: it may be killed or refused there."""
        outside, current = self._outside, self._current
        self._memory = Memory(self._called.roots, outside.scope.owns)
        kept = self._kept = kept_in(current.of_history)
        kept.look()
        kept.keep(self._memory)
        is_look_up = self._kind in ("read", "nothing")
        if is_look_up or self._spot in outside.reads:
            if not is_look_up and not self._ends_block:
                self._kinds.note(self._called.name, "read, as it changes nothing")
            self._block = looking()
        else:
            self._act = self._described()
            self._unit = outside.unit_of(self._called.roots[0], current)
            self._block = current.acting(self._act)
        try:
            self._block.__enter__()
        except Skipped:
            # A call that has begun cannot be skipped, so it is taken back at its end.
            self._is_skipped = True
            return
        if not current.undisturbed:
            # Another delivery may have run at this point.
            self._memory.catch_up()
        else:
            self._token = parts.set(self._inner)
            if self._act is not None:
                self._seen, self._beats = outside.seen(), current.beats

    def _described(self) -> Act:
        called, name = self._called, self._called.name
        act = self._kinds.act_of(
            name, called.args, called.kwargs, named=called.named, is_put=self._kind == "put"
        )
        self._is_shown = name in self._outside.shown
        if self._is_shown:
            self._kinds.note(name, "compared by the state")
        title = called.title
        return replace(
            act,
            counts=False,
            value=None if self._is_shown else act.value,
            stands_for=name if title is not None and title.is_of_project else "",
        )

    def end(self, answer: object) -> None:
        """Find out whether the call was an effect, and come to the point behind it."""
        # Before the state of the world is asked for, which has what the job has changed.
        self._kept.catch_up()
        if self._inner and not self._is_said:
            self._current.of_search.learn(self._outside.passing, self._called.name)
        elif self._act is not None and not self._is_skipped:
            self._judge(self._act, answer)
        self._lie_in_place(answer)
        called = self._called
        owner = called.roots[0]
        if called.method == "commit" and not called.args and owner is not None:
            unit = self._outside.unit_of(owner, self._current)
            if unit is not None:
                unit.commit()
            elif self._current.undisturbed:
                self._outside.learn_unit(owner)
        given = Memory((answer,), self._outside.scope.owns)
        # What is made for the job only is of the job.
        given.taken = {
            key: given.taken[key] for key in given.taken.keys() & self._memory.taken.keys()
        }
        self._kept.give(given, called.owner, type(answer).__name__)
        self.leave(None)

    def _lie_in_place(self, answer: object) -> None:
        """Let what a factory has made have the name of the factory: `Gateway().charge`."""
        title, outside = self._called.title, self._outside
        if title is None or not hasattr(answer, "__dict__") or isinstance(answer, type):
            return
        if outside.scope.owns(type(answer)) and not outside.titles.of(answer, type(answer)):
            outside.titles.add(answer, f"{self._called.name}()", is_of_project=title.is_of_project)

    def leave(self, error: BaseException | None) -> None:
        """End the block of the call."""
        self._kept.catch_up()
        if self._token is not None:
            # A coroutine that is thrown away ends in the context of whoever does it.
            with suppress(ValueError):
                parts.reset(self._token)
        if self._is_skipped:
            self._memory.put_back()
        elif self._block is not None:
            self._block.__exit__(None if error is None else type(error), error, None)

    def _judge(self, act: Act, answer: object) -> None:
        called, outside, current = self._called, self._outside, self._current
        name, search = called.name, current.of_search
        is_changed = any(self._memory.changed())
        if is_changed:
            if name in outside.by_name:
                search.learn(outside.records, name)
            outside.records.update((name, self._spot))
        is_shown = (
            self._token is not None
            and current.beats == self._beats
            and self._seen is not None
            and self._seen != outside.seen()
        )
        if is_shown:
            search.learn(outside.shown, name)
        is_effect = is_changed or self._is_said
        if not is_effect and self._spot not in outside.records:
            # Nothing says whether it did something but its name, and whether it answers.
            is_told = bool(called.args or called.kwargs)
            is_effect = not (self._ends_block or inspect.iscoroutine(answer)) and (
                answer is None or (is_told and does_something(called.method))
            )
            if is_effect:
                outside.by_name.add(name)
            elif current.undisturbed:
                search.learn(outside.reads, self._spot)
        if is_effect and not self._is_shown:
            (self._unit or current).note(act)


class _Passing:
    """A call that passes one on to what we hear of anyway. What it keeps is its own, and not set by the job."""

    def __init__(self, current: Watch) -> None:
        self._kept, self._runs = kept_in(current.of_history), True
        self._kept.look()
        self._kept.under_way += 1
        # A coroutine of a worker that is killed neither returns nor raises.
        current.opened(partial(self.leave, None), None)

    def end(self, answer: object) -> None:
        self.leave(None)

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
