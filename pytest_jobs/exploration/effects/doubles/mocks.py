"""The mocks that a test has put in place: calls of them are what jobs do.

The calls of a history are no calls of the test: what its mocks have counted is put back when the history ends, and
each delivery gets the answers of `side_effect=[...]` from the first.
"""

from __future__ import annotations

import copy
import functools
import inspect
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, Final

from ....harness.records.patches import Patches
from ...engine.acts import Act, ActWatcher, acting, looking, skippable, watcher
from .arguments import comparable, text_of, usual_key
from .mock_kinds import kinds_of
from .mock_names import MockNames

library: Final = "unittest.mock"

_COUNTS: Final = ("called", "call_count", "call_args", "await_count", "await_args")
_LISTS: Final = ("call_args_list", "mock_calls", "method_calls", "await_args_list")
#: Their answers can be given again from the first; a generator cannot.
_REPEATABLE: Final[tuple[type, ...]] = (type(iter([])), type(iter(())))


class Backport:
    """The distribution `mock`, which has the same classes."""

    library: Final = "mock.mock"

    def install(self, patches: Patches) -> None:
        _install(patches, sys.modules[self.library])


backport: Final = Backport()


def install(patches: Patches) -> None:
    """Let the calls of all mocks be acts, by the one method that they share."""
    _install(patches, sys.modules[library])


def _install(patches: Patches, module: Any) -> None:
    original = module.CallableMixin.__call__

    @functools.wraps(original)
    def call(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        current = watcher.get()
        if current is None:
            return original(self, *args, **kwargs)
        if current.isolated:
            current.of_history.of("counts of mocks", lambda: _counts_of(current)).keep(self)
        if _lets_through(self):
            return original(self, *args, **kwargs)
        return _CallOfMock(module, self, original, args, kwargs).made(current)

    patches.set(module.CallableMixin, "__call__", call)


def _active_patches(module: Any) -> list[Any]:
    """Return the patches that were begun by `start`, as `mocker.patch` does it."""
    return getattr(vars(module).get("_patch"), "_active_patches", [])


def _lets_through(mock: Any) -> bool:
    """Return whether a mock only looks on, so that what it calls is seen by itself: `wraps=`, and spies."""
    held = vars(mock)
    if held.get("_mock_wraps") is not None:
        return True
    spied = vars(held.get("_mock_delegate") or mock)
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


def _root(mock: Any) -> Any:
    while vars(mock).get("_mock_new_parent") is not None:
        mock = vars(mock)["_mock_new_parent"]
    return mock


class _CallOfMock:
    """One call of a mock in a delivery."""

    def __init__(
        self,
        module: Any,
        mock: Any,
        original: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        self._module = module
        self._mock = mock
        self._original = original
        self._args = args
        self._kwargs = kwargs

    def made(self, current: ActWatcher) -> Any:
        """Make the call: at once, or when it is awaited."""
        search = current.of_search
        names: MockNames = search.of("names of mocks", MockNames)
        kinds = kinds_of(search)
        awaited: set[str] = search.of("awaited mocks", set)
        name, own = names.of(self._mock, _root(self._mock), _active_patches(self._module))
        kind = kinds.of(name, own, self._args)
        is_awaited = isinstance(self._mock, self._module.AsyncMockMixin) or name in awaited
        if kind in ("read", "nothing"):
            return self._looked_up_later() if is_awaited else self._looked_up()
        if current.undisturbed:
            kinds.learn_of(name, search)
        act = self._act(name, is_put=kind == "put")
        if is_awaited:
            return self._awaiting(act)
        answer: Any = None
        with skippable(), acting(act), self._answers(current):
            answer = self._original(self._mock, *self._args, **self._kwargs)
        if inspect.iscoroutine(answer):
            current.of_search.learn(awaited, name)
        return answer

    def _act(self, name: str, *, is_put: bool) -> Act:
        owner, _, method = name.rpartition(".")
        value = comparable((method, *self._args, *sorted(self._kwargs.items())))
        key = repr(value) if is_put else usual_key(self._kwargs)
        return Act(
            owner or name,
            text_of(method, self._args, self._kwargs),
            value=value,
            key=None if key is None else (method, key),
        )

    def _looked_up(self) -> Any:
        current = watcher.get()
        with skippable(), looking(), self._answers(current):
            return self._original(self._mock, *self._args, **self._kwargs)
        return None

    async def _looked_up_later(self) -> Any:
        current = watcher.get()
        with skippable(), looking(), self._answers(current):
            return await self._original(self._mock, *self._args, **self._kwargs)
        return None

    async def _awaiting(self, act: Act) -> Any:
        current = watcher.get()
        with skippable(), acting(act), self._answers(current):
            return await self._original(self._mock, *self._args, **self._kwargs)
        return None

    @contextmanager
    def _answers(self, current: ActWatcher | None) -> Generator[None, None, None]:
        """Let the delivery have the answers of a list from the first, for a block."""
        mock = self._mock
        before = mock.side_effect
        # The answers of a function with a specification are in an object of their own.
        inner = getattr(before, "obj", before)
        if current is None or not current.isolated or not isinstance(inner, _REPEATABLE):
            yield
            return
        history = current.of_history
        first = history.of(("answers", id(mock)), lambda: (mock, copy.copy(inner)))[1]
        mock.side_effect = history.of(("answers", id(mock), current), lambda: copy.copy(first))
        try:
            yield
        finally:
            mock.side_effect = before


class _Counts:
    """What mocks have counted before the history."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[Any, dict[str, Any], dict[str, tuple[Any, list[Any]]]]] = {}

    def keep(self, mock: Any) -> None:
        """Keep the counts of a mock, and of those that count its calls, before the first call."""
        if id(mock) in self._kept:
            return
        for each in _ancestors(mock):
            if id(each) in self._kept:
                continue
            counts = {name: getattr(each, name) for name in _COUNTS if _has(each, name)}
            lists = {name: getattr(each, name) for name in _LISTS if _has(each, name)}
            self._kept[id(each)] = (
                each,
                counts,
                {name: (held, list(held)) for name, held in lists.items()},
            )

    def put_back(self) -> None:
        for mock, counts, lists in self._kept.values():
            for name, count in counts.items():
                object.__setattr__(mock, name, count)
            for name, (held, before) in lists.items():
                held[:] = before
                object.__setattr__(mock, name, held)
        self._kept.clear()


def _has(mock: Any, name: str) -> bool:
    """Return whether a mock counts something; asking it for an attribute would make one."""
    return name in vars(mock) or hasattr(type(mock), name)


def _counts_of(current: ActWatcher) -> _Counts:
    counts = _Counts()
    current.of_history.undo_by(counts.put_back)
    return counts
