"""Stubs: functions, classes and objects that a test has put in a place without the help of a mock.

A lambda by `monkeypatch.setattr`, a hand-written gateway by `patch(..., new=...)` and a backend for tests in the
settings of the project stand for what was there before, as a mock does. Their calls are effects, as those of all
code of the test. The places name them, and say which of them stand for a clock.
"""

from __future__ import annotations

import inspect
import sys
import types
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any, Final

from ....harness.records.attributes import attributes_of, identity, is_one_of, without_partials
from ...engine.acts import SourceState, watcher
from ...engine.engine import Engine
from ...engine.scope import file_of
from ...engine.sources import is_mock
from ..doubles.call_kinds import is_quiet
from ..doubles.clients import is_client, is_function
from ..doubles.judgement import Title
from ..wrapping import result_of
from .enqueues import enqueued, enqueues, stood_for_in
from .outside import Outside
from .places import LEAVE_OUT, Placed, Putters, in_force, putters_of

#: What is put there is no stand-in for a service of the project.
_TOOLS: Final = frozenset(("_pytest", "pytest", "pytest_jobs", "hypothesis"))
#: The modules of Python by which a program reaches others. Stubs of all others, such as clocks, have no effect.
_OUTWARD: Final = frozenset(
    (
        *("ftplib", "http", "imaplib", "poplib", "shutil", "smtplib", "socket", "ssl"),
        *("subprocess", "urllib", "xmlrpc"),
    )
)
#: What has a function inside.
_WRAPPING: Final = (types.MethodType, classmethod, staticmethod)
#: What a stub may keep its calls in.
_KEEPS: Final = (list, dict, set, bytearray, deque)


class Stubs:
    """The stubs of one search."""

    def __init__(self, engine: Engine) -> None:
        self._search = engine.of_search
        self._code = engine.scope
        self._outside = Outside(engine)
        putters = engine.kept.of(Putters, Putters)
        putters.catch_up(engine.kept, engine.patches)
        putters.hear_for(self._search)
        #: The places of the project that had something of the tests in the first world.
        self._assigned: list[Placed] | None = None
        #: The values that are no doubles, by their places, with the owners. pytest and its plugins put some twenty
        #: functions into classes of their own, and each world asks for all of them.
        self._settled: dict[tuple[int, bool, Any], tuple[Any, Any]] = {}
        #: Whether a class stands in a file of tests, for the classes of objects.
        self._kinds: dict[type, bool] = {}
        #: The titles of places, with the owners that keep their identities.
        self._titles: dict[tuple[int, bool, Any], tuple[Any, str]] = {}
        self._search.of(LEAVE_OUT, lambda: self._code.leave_out)

    def stand_in(
        self, world: ExitStack, observed: Callable[[], object], history: SourceState
    ) -> None:
        """Name the stubs by their places, in a world that has just been built."""
        outside = self._outside
        outside.begin_world(world, observed)
        known = list(in_force(putters_of(self._search)))
        if self._assigned is None:
            self._assigned = list(self._find_assigned(known))
        known += [one for one in self._assigned if self._is_of_tests(one.value)]
        for placed in known:
            value = placed.value
            owner, settled = self._settled.get(placed.key, (None, None))
            if owner is placed.owner and settled is value:
                continue
            if is_one_of((classmethod, staticmethod), value):
                value = getattr(placed.owner, placed.name)
            if not self._is_double(placed, value):
                self._settled[placed.key] = placed.owner, value
                if type(value) in (types.FunctionType, types.MethodType):
                    outside.ignore(value)
                continue
            title = self._title_of(placed)
            stood_for = stood_for_in(placed)
            if is_function(value) and enqueues(stood_for, self.is_made_here):
                world.callback(placed.put(_enqueueing(title, stood_for, value)))
                continue
            named = Title(
                title,
                self.is_made_here(stood_for if is_function(value) else placed.original),
                value,
            )
            if isinstance(
                without_partials(value), types.BuiltinFunctionType | types.MethodWrapperType
            ):
                world.callback(placed.put(outside.before(value, named)))
            else:
                outside.place(named, history)

    def _find_assigned(self, known: list[Placed]) -> Iterator[Placed]:
        """Yield the places to which a test has assigned something of its own without a helper that knows them.

        A project does not import its tests, so what it has of them was put there: `shop.gateway = FakeGateway()`.
        Looked at are the variables of its modules, and the attributes of the classes and objects that these have;
        and of its objects that a module of tests has, such as one that a worker gets as a context.
        """
        places = {(identity(one.owner), one.name) for one in known}
        for owner in self._owners():
            for name, value in list(attributes_of(owner).items()):
                if self._is_of_tests(value) and (identity(owner), name) not in places:
                    yield Placed(owner, name)

    def _owners(self) -> Iterator[Any]:
        """Yield the modules of the project, and its classes and objects that they or tests have, each once."""
        known: set[int] = set()
        # A project may have a hundred thousand values, and they have a few types.
        foreign: set[type] = set()
        for module in (*self._code.loaded_modules(), *self._code.modules_of_tests()):
            if not self._code.is_of_tests(file_of(module)):
                yield module
            for value in list(vars(module).values()):
                if type(value) in foreign or identity(value) in known:
                    continue
                known.add(identity(value))
                is_class = is_one_of((type,), value)
                if self._code.owns(value if is_class else type(value)):
                    if not self._is_of_tests(value):
                        yield value
                elif not is_class:
                    foreign.add(type(value))

    def _is_of_tests(self, value: Any) -> bool:
        kind = type(value)
        # Most of the values of a project are plain functions.
        if kind is types.FunctionType:
            return self._code.is_of_tests(value.__code__.co_filename)
        if issubclass(kind, partial):
            return self._is_of_tests(value.func)
        if issubclass(kind, _WRAPPING):
            return self._is_of_tests(value.__func__)
        if issubclass(kind, type):
            return self._is_kind_of_tests(value)
        known = self._kinds.get(kind)
        if known is None:
            known = self._kinds[kind] = self._is_kind_of_tests(kind)
        return known

    def _is_kind_of_tests(self, kind: type) -> bool:
        module = sys.modules.get(kind.__module__)
        return module is not None and self._code.is_of_tests(file_of(module))

    def _is_double(self, placed: Placed, value: Any) -> bool:
        """Return whether what was put in a place stands for something that a job calls."""
        owner = placed.owner
        home = owner if isinstance(owner, types.ModuleType | type) else type(owner)
        name = str(getattr(home, "__module__", "") or getattr(home, "__name__", ""))
        return not (
            # What gives itself out for another value, which may be made only when it is asked.
            any("__class__" in vars(base) for base in type(value).__mro__ if base is not object)
            or is_mock(value)
            or (not placed.is_item and name.partition(".")[0] in _TOOLS)
            or str(placed.name).startswith("__")
            or not is_client(value, returned=False)
            or not self.is_made_here(value)
            or _is_inward(placed.original)
            # To look for the name of an owner takes longest, and only an item needs it.
            or is_quiet(
                self._title_of(placed).rpartition(".")[2] if placed.is_item else str(placed.name)
            )
        )

    def _title_of(self, placed: Placed) -> str:
        # The name of an object is looked for in all modules, and each world has the same stubs.
        known = self._titles.get(placed.key)
        if known is None or known[0] is not placed.owner:
            known = self._titles[placed.key] = placed.owner, placed.title
        return known[1]

    def is_made_here(self, value: Any) -> bool:
        """Return whether the code of a value is of the project or its tests, rather than of a library."""
        if isinstance(value, partial):
            return self.is_made_here(value.func)
        code = getattr(getattr(value, "__func__", value), "__code__", None)
        if code is not None:
            return self._code.is_of_project(code)
        if isinstance(value, types.BuiltinFunctionType | types.MethodWrapperType):
            # `calls.append`, and not `time.time`.
            return isinstance(value.__self__, _KEEPS)
        if isinstance(value, types.SimpleNamespace | types.ModuleType):
            return getattr(value, "__file__", None) is None
        return self._code.owns(value if isinstance(value, type) else type(value))


def _enqueueing(title: str, function: Any, stub: Any) -> Callable[..., Any]:
    """Return a function that answers as a stub, and enqueues the job that the stub keeps from its queue."""

    def enqueue(*args: Any, **kwargs: Any) -> Any:
        current = watcher.get()
        if current is None:
            return stub(*args, **kwargs)
        message = enqueued(current, title, function, args, kwargs)
        answer = stub(*args, **kwargs)
        return both(message, answer) if inspect.isawaitable(answer) else answer

    async def both(message: Any, answer: Any) -> Any:
        await result_of(message)
        return await answer

    return enqueue


def _is_inward(original: Any) -> bool:
    """Return whether a stub stands for something of Python itself that reaches nobody, such as a clock."""
    if is_mock(original):
        return False
    kind = original if is_function(original) or isinstance(original, type) else type(original)
    module = original.__name__ if isinstance(original, types.ModuleType) else kind.__module__
    home = str(module).partition(".")[0]
    return (
        home in sys.stdlib_module_names
        and home not in _OUTWARD
        and (home != "builtins" or is_function(original) or isinstance(original, type))
    )
