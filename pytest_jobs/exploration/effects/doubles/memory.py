"""What doubles keep: what a call has changed, what the job has changed itself, and what is pending."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any

from ....harness.records.attributes import identity
from ...engine.acts import Act, SourceState, Watch, later_acts
from ...engine.memory.places import GONE, Held, Key, Place, Taken, found_from
from .arguments import comparable
from .operators import setting


class Memory:
    """Where the test keeps something, from some values on, as it was at a time."""

    def __init__(self, roots: tuple[Any, ...], is_own: Callable[[type], bool]) -> None:
        self.taken: dict[Key, tuple[Place, Taken]] = {
            key: (place, place.taken())
            for key, place in (found_from(roots, is_own) if roots else {}).items()
        }

    def catch_up(self) -> None:
        """Take again what has changed since."""
        for key, (place, before) in self.taken.items():
            self.taken[key] = place, place.look(before)

    def changed(self) -> Iterator[Key]:
        """Yield what is another one now: not what is new, and equal."""
        for key, (place, before) in self.taken.items():
            now = place.look(before)
            if now is not before and not (
                now.keys() == before.keys()
                and all(_is_equal(now[name], before[name]) for name in now)
            ):
                yield key

    def put_back(self) -> None:
        for place, before in reversed(self.taken.values()):
            now = place.look(before)
            if now is not before:
                for name in now.keys() - before.keys():
                    place.put(name, GONE)
                for name, value in before.items():
                    place.put(name, value)


class Kept:
    """What doubles keep in one history, which ends by putting it back. What the job changes itself is an effect.

    What code of a double changes is a part of its calls. So each call looks before it begins whether the job has
    changed something, and takes at its end what it has left.
    """

    def __init__(self, history: SourceState) -> None:
        #: As it was before the history.
        self._first = Memory((), bool)
        #: What the job has got, as it was when code of a double ran last, with the names of what it is.
        self._given = Memory((), bool)
        self._named: dict[Key, tuple[str, str, tuple[Any, ...]]] = {}
        #: What the job has changed of it.
        self._filled: dict[Key, None] = {}
        #: How many calls run that are heard by what they do. All that changes meanwhile may be theirs.
        self.under_way = 0
        history.undo_by(self._first.put_back)
        later_acts(history).append(self._acts)

    def keep(self, memory: Memory) -> None:
        for key, taken in memory.taken.items():
            self._first.taken.setdefault(key, taken)

    def give(self, memory: Memory, name: str, path: str, through: tuple[Any, ...] = ()) -> None:
        """Note what the job gets of a double, if it may change it: `batch.left -= 3`, `outbox.append(mail)`."""
        for key, taken in memory.taken.items():
            self._named.setdefault(key, (name, path, through))
            self._given.taken.setdefault(key, taken)

    def look(self) -> None:
        """Find out what the job has changed since code of a double ran."""
        if self._given.taken and not self.under_way:
            self._filled.update(dict.fromkeys(self._given.changed()))

    def catch_up(self) -> None:
        """Take what code of a double has left."""
        self._given.catch_up()

    def __enter__(self) -> None:
        self.look()

    def __exit__(self, *error: object) -> None:
        self.catch_up()

    def _acts(self) -> Iterator[Act]:
        self.look()
        forms: dict[str, list[Any]] = {}
        for key in self._filled:
            forms.setdefault(repr(self._named[key]), []).append(
                form_of(self._given.taken[key][0].taken())
            )
        for name, path, through in {repr(one): one for one in self._named.values()}.values():
            found = forms.get(repr((name, path, through)), [])
            if found:
                # Their order says nothing: a history may come to them in another one.
                now = found[0] if len(found) == 1 else sorted(found, key=repr)
                yield setting(name, path, (now,), through)


def kept_in(history: SourceState) -> Kept:
    return history.of(Kept, lambda: Kept(history))


class Unit:
    """A unit of work of the test in one delivery: what is done in it is pending until `commit()`.

    If the worker dies before, the database of production would have nothing of it, so nothing stays in the double.
    """

    def __init__(self, double: Any, is_own: Callable[[type], bool], current: Watch) -> None:
        self._double, self._is_own, self._current = double, is_own, current
        #: Each notes an effect.
        self._pending: list[Callable[[], object]] = []
        self._memory: Memory | None = None

    def has(self, owner: Any) -> bool:
        """Return whether an object is a part of it, and begin if it is."""
        memory = self._memory or Memory((self._double,), self._is_own)
        if identity(owner) not in memory.taken:
            return False
        if self._memory is None:
            self._memory = memory
            # As a connection does when its process is gone.
            self._current.opened(self._end, None)
        return True

    def note(self, note: Callable[[], object]) -> None:
        self._pending.append(note)

    def commit(self) -> None:
        for note in self._pending:
            note()
        self._pending.clear()
        self._memory = None

    def _end(self) -> None:
        delivery = self._current.run.delivery
        if self._memory is not None and (delivery is None or delivery.error is not None):
            self._memory.put_back()
        else:
            self.commit()


def _is_equal(now: Held, before: Held) -> bool:
    """Return whether a value, and what is in it, is equal: of a million items most are the very same."""
    new, old = now.content, before.content
    if new is None or old is None:
        return bool(comparable(now.value) == comparable(before.value))
    if issubclass(type(now.value), set):
        return bool(set(new) == set(old))
    if issubclass(type(new), dict) and new.keys() == old.keys():
        new, old = list(new.values()), list(old.values())
    pairs = zip(new, old, strict=False)
    return len(new) == len(old) and all(
        one is other or comparable(one) == comparable(other) for one, other in pairs
    )


def globals_of(code: CodeType, variables: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the values that a function names, without modules and functions."""
    for name in code.co_names:
        value = variables.get(name)
        if value is not None and type(value) not in (ModuleType, FunctionType):
            yield value
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from globals_of(inner, variables)


def form_of(taken: Taken) -> object:
    """Return what a place has, in a form in which what is new and equal is the same."""
    forms = {}
    for name, (value, content) in taken.items():
        now = value if content is None else content
        forms[name] = comparable(set(now) if issubclass(type(value), set) else now)
    # A container has no names.
    return forms[None] if forms.keys() == {None} else [(str(name), forms[name]) for name in forms]
