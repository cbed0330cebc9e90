"""The mocks that a test has put in place: calls of them are what jobs do.

The calls of a history are no calls of the test: what its mocks have counted is put back when the history ends, and
each delivery gets the answers of `side_effect=[...]` from the first.
"""

from __future__ import annotations

import functools
import inspect
import re
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import chain, count
from typing import Any, Final

from ....harness.records.patches import Patches
from ...engine.acts import (
    SourceState,
    Watch,
    acting,
    looking,
    note_look,
    skippable,
    watcher,
)
from ..doubles.call_kinds import CallKind, kinds_of
from ..doubles.judgement import Called, Running, Title
from ..doubles.operators import is_in_place, setting
from ..wrapping import in_delivery, source_of
from .enqueues import enqueued, enqueues, give_up, method_of, stood_for_in
from .places import ABSENT, LEAVE_OUT, mock_names

_COUNTS: Final = ("called", "call_count", "call_args", "await_count", "await_args")
_LISTS: Final = frozenset(
    f"{begin}{name}"
    for begin in ("", "_mock_")
    for name in ("call_args_list", "mock_calls", "method_calls", "await_args_list")
)
#: What a mock counts. A function that stands before one has it under the names without the beginning.
_COUNTED: Final = _LISTS | {*_COUNTS, *(f"_mock_{name}" for name in _COUNTS)}
_OPENS_FILE: Final = re.compile(r"(^|\.)open$")
_WRITES_FILE: Final = re.compile(r"(^|\.)open\(\)(\.__enter__\(\))?\.write(lines)?$")


@source_of("unittest.mock", idles=True)
def mocks(patches: Patches, module: Any) -> None:
    """Let the calls of all mocks be effects, by the one method that they share."""

    def call(current: Watch, original: Any, mock: Any, /, *args: Any, **kwargs: Any) -> Any:
        _kept_in(current.of_history).keep_counts(mock)
        if vars(mock).get("_mock_wraps") is not None or _is_spy(mock):
            # It only looks on: what it calls is seen by itself.
            return original(mock, *args, **kwargs)
        return _CallOfMock(module, mock, original, args, kwargs, current).made()

    in_delivery(patches, module.CallableMixin, "__call__", call)
    for name in ("__setattr__", "__delattr__"):
        in_delivery(patches, module.NonCallableMock, name, functools.partial(_change, module))


#: The distribution `mock`, which has the same classes.
backport: Final = source_of("mock.mock", idles=True)(mocks.watch)


def _change(
    module: Any, current: Watch, original: Any, mock: Any, attribute: str, *value: Any
) -> None:
    """Set an attribute of a mock, or delete it, as an effect if a job does it."""
    if (
        sys._getframe(2).f_globals.get("__name__") == module.__name__
        # One of mocks themselves, such as `return_value`, or one that calls a PropertyMock.
        or attribute.startswith(("_mock_", "__"))
        or hasattr(module.AsyncMock, attribute)
        or isinstance(inspect.getattr_static(type(mock), attribute, None), module.PropertyMock)
    ):
        original(mock, attribute, *value)
        return
    kept = _kept_in(current.of_history)
    for names in (vars(mock), vars(mock)["_mock_children"]):
        kept.keep(names, [attribute])
    if _is_spy(mock):
        original(mock, attribute, *value)
        return
    owner, own = mock_names(current.of_search).of(mock)
    kinds = kinds_of(current.of_search)
    kind = kinds.of_attribute(f"{owner}.{attribute}", f"{own}.{attribute}")
    if kind in ("read", "nothing") or current.dead:
        note_look(changes=True)
        original(mock, attribute, *value)
        return
    with skippable(), acting(setting(owner, attribute, value).in_memory()):
        original(mock, attribute, *value)


def _is_spy(mock: Any) -> bool:
    """Return whether a mock is a spy of pytest-mock, which notes on itself what the spied function returns."""
    spied = vars(vars(mock).get("_mock_delegate") or mock)
    return "spy_return" in spied and hasattr(mock.side_effect, "__wrapped__")


def _ancestors(mock: Any) -> Iterator[Any]:
    """Yield a mock, and those of which it is an attribute or a result. They note its calls, too."""
    seen: list[Any] = []
    left = [mock]
    while left:
        each = left.pop()
        if each is None or any(each is other for other in seen):
            continue
        seen.append(each)
        yield each
        left += [vars(each).get("_mock_new_parent"), vars(each).get("_mock_parent")]


@dataclass(slots=True)
class _CallOfMock:
    _module: Any
    _mock: Any
    _original: Callable[..., Any]
    _args: tuple[Any, ...]
    _kwargs: dict[str, Any]
    _current: Watch

    def made(self) -> Any:
        current, search = self._current, self._current.of_search
        kinds = kinds_of(search)
        awaited: set[str] = search.of("awaited mocks", set)
        name, own = mock_names(search).of(self._mock)
        if isinstance(self._mock, self._module.PropertyMock):
            return self._of_property(name, kinds.of_attribute(name, own))
        stood_for = None
        if not kinds.said_of(name):
            stood_for = self._stood_for(self._mock)
        if stood_for is not None:
            # Methods of a message, such as a signature of Celery, enqueue as well.
            is_of_message = id(vars(self._mock).get("_mock_new_parent")) in self._messages
            if is_of_message or enqueues(stood_for, self._is_of_project):
                return self._enqueued(name, stood_for)
        kind = kinds.of(name, own, self._args, self._kwargs, mode=self._mode_of_file(own))
        is_awaited = isinstance(self._mock, self._module.AsyncMockMixin) or name in awaited
        owner, _, method = name.rpartition(".")
        title = Title(name, self._is_of_project(stood_for), self._mock)
        # A mock keeps nothing but its calls, so that its name decides.
        called = Called(owner, method, own, self._args, self._kwargs, self._kwargs, (), title)
        running = Running(called, current, kind)
        if is_awaited:
            return self._later(running)
        answer = self._now(running)
        if inspect.iscoroutine(answer):
            search.learn(awaited, name)
        is_made = getattr(answer, "__dict__", {}).get("_mock_new_parent") is self._mock
        if is_made and is_in_place(name.rpartition(".")[2]):
            # What a job assigns the answer of `+=` to is still the mock that the test has put in place.
            return vars(self._mock)["_mock_new_parent"]
        return answer

    def _stood_for(self, mock: Any) -> Any:
        """Return what a mock stands for, as far as its place says it; None if nobody knows."""
        if id(mock) in self._messages:
            return self._messages[id(mock)][1]
        parent = vars(mock).get("_mock_new_parent")
        if parent is not None:
            owner, name = self._stood_for(parent), vars(mock)["_mock_new_name"]
            return None if owner is None or name == "()" else method_of(owner, name)
        place = mock_names(self._current.of_search).place_of(mock)
        return None if place is None else stood_for_in(place[1])

    def _is_of_project(self, function: Any) -> bool:
        code = getattr(getattr(function, "__func__", function), "__code__", None)
        return code is not None and self._current.is_of_project(code)

    @property
    def _messages(self) -> dict[int, tuple[Any, Any]]:
        """What jobs have made in this history while mocks answered, by the identities of the answers."""
        return self._current.of_history.of("messages of mocks", dict)

    def _enqueued(self, name: str, function: Any) -> Any:
        """Enqueue the job that the mock keeps from its queue, and return the answer of the mock."""
        message = enqueued(self._current, name, function, self._args, self._kwargs)
        is_awaited = isinstance(self._mock, self._module.AsyncMockMixin)
        if inspect.isawaitable(message) and is_awaited:
            return self._later(looking(), message)
        if inspect.iscoroutine(message):
            message.close()
            give_up(self._current.of_search, name)
        if is_awaited:
            return self._later(looking())
        answer = self._now(looking())
        self._messages[id(answer)] = answer, message
        return answer

    def _mode_of_file(self, own: str) -> str:
        """Return the mode in which the file was opened that the call writes to; empty for all other calls."""
        if not _WRITES_FILE.search(own):
            return ""
        opened: Any = self._mock
        while opened is not None and not _OPENS_FILE.search(opened._extract_mock_name()):
            opened = vars(opened)["_mock_new_parent"]
        call: Any = getattr(opened, "call_args", None)
        return "r" if call is None else str(call.kwargs.get("mode", (*call.args, "r", "r")[1]))

    def _of_property(self, name: str, kind: CallKind) -> Any:
        """Read the attribute that a PropertyMock stands for, or set it."""
        if not self._args or kind in ("read", "nothing"):
            return self._now(looking())
        owner, _, attribute = name.rpartition(".")
        with skippable(), acting(setting(owner or name, attribute, self._args)):
            return self._original(self._mock, *self._args)
        return None

    # Not one coroutine for both: a mock whose answers are at an end raises StopIteration, which none can.
    def _now(self, block: AbstractContextManager[Running | None]) -> Any:
        with skippable(), block as running, self._answers():
            answer = self._original(self._mock, *self._args, **self._kwargs)
            if running is not None:
                running.end(answer)
            return answer
        return None

    async def _later(
        self, block: AbstractContextManager[Running | None], message: Any = None
    ) -> Any:
        if message is not None:
            await message
        with skippable(), block as running, self._answers():
            answer = await self._original(self._mock, *self._args, **self._kwargs)
            if running is not None:
                running.end(answer)
            return answer
        return None

    @contextmanager
    def _answers(self) -> Generator[None, None, None]:
        """Let the delivery have the answers of a list from the first, for a block."""
        mock, current = self._mock, watcher.get()
        before = mock.side_effect
        # The answers of a function with a specification are in an object of their own.
        inner = getattr(before, "obj", before)
        if current is None or callable(inner) or not isinstance(inner, Iterator):
            yield
            return
        said = current.of_search.of(
            ("answers", id(inner)), lambda: _Answers(mock, inner, current.of_search)
        )
        mock.side_effect = current.of_history.of(("answers", id(inner), current), said.again)
        try:
            yield
        finally:
            mock.side_effect = before


class _Answers:
    """The answers of one iterator, which each delivery gets from the first."""

    def __init__(self, mock: Any, left: Iterator[Any], search: SourceState) -> None:
        self._given: list[Any] = []
        self._left = left
        search.of(LEAVE_OUT, lambda: lambda fake: None)(left)
        # The test finds all of them again.
        search.undo_by(lambda: setattr(mock, "side_effect", chain(self._given, left)))

    def again(self) -> Iterator[Any]:
        for number in count():
            if number == len(self._given):
                try:
                    self._given.append(next(self._left))
                except StopIteration:
                    return
            yield self._given[number]


class _Kept:
    """What mocks had before the history under the names that deliveries change: their counts and attributes."""

    def __init__(self, history: SourceState) -> None:
        #: The names of an owner, the name, what it had, and the content of a list.
        self._kept: dict[tuple[int, str], tuple[dict[str, Any], Any, list[Any]]] = {}
        history.undo_by(self.put_back)

    def keep(self, names: dict[str, Any], changed: Iterable[str]) -> None:
        """Keep some names of an owner before they are changed for the first time."""
        for name in changed:
            if (id(names), name) not in self._kept:
                had = names.get(name, ABSENT)
                self._kept[id(names), name] = names, had, list(had) if name in _LISTS else []

    def keep_counts(self, mock: Any) -> None:
        """Keep the counts of a mock, and of those that count its calls."""
        for each in _ancestors(mock):
            # A function with a specification, which stands before its mock, has the counts.
            for owner in (each, vars(each).get("_mock_delegate")):
                if owner is not None:
                    self.keep(vars(owner), _COUNTED & vars(owner).keys())

    def put_back(self) -> None:
        for (_, name), (names, had, content) in self._kept.items():
            if had is ABSENT:
                names.pop(name, None)
                continue
            if name in _LISTS:
                had[:] = content
            names[name] = had
        self._kept.clear()


def _kept_in(history: SourceState) -> _Kept:
    return history.of(_Kept, lambda: _Kept(history))
