"""Where a process keeps things: under names of modules, classes and objects, in containers and in caches."""

from __future__ import annotations

import abc
import functools
import threading
import types
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from operator import attrgetter, is_
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from ....harness.records.attributes import attributes_of, identity, is_one_of

CACHE: Final[Any] = type(functools.lru_cache(lambda: None))
CONTAINERS: Final = (dict, list, set, deque, bytearray)
LOCKS: Final = (type(threading.Lock()), type(threading.RLock()))
#: Values of these types are not state: code, and other modules.
NO_STATE: Final = (types.ModuleType, types.FunctionType, type)
CONSTANTS: Final = frozenset((type(None), bool, int, float, complex, str, bytes))
_METHODS: Final = (staticmethod, classmethod, types.MethodType)
#: These do not change, but what is in them may.
_WRAPPING: Final = (tuple, frozenset, CACHE, functools.partial, *_METHODS)
#: Classes of other metaclasses, such as models, change when their library looks at them for the first time.
_USUAL: Final = (type, abc.ABCMeta)
#: Classes of libraries whose objects keep what a project puts into them, or get the loop that uses them first.
_KEEPING: Final = (
    "asyncio.locks.",
    "asyncio.queues.",
    "asyncio.runners.",
    "anyio._backends._asyncio.",
    "anyio._core._synchronization.",
    "collections.User",
    "queue.",
    "threading.BoundedSemaphore",
    "threading.Condition",
    "threading.Event",
    "threading.Semaphore",
    "weakref.Weak",
    "_weakrefset.WeakSet",
)
_ATTRIBUTES: Final = attrgetter("__dict__")
#: Looking at more takes longer than a check should.
_MOST: Final = 20_000
#: Or than a call of a double should.
_MOST_FROM_VALUES: Final = 2_000


class Namespace(Protocol):
    """A module, or the globals of a function that has none."""

    @property
    def __name__(self) -> str: ...


class Held(NamedTuple):
    """A value, and what is in it: the items of a container, the number of results in a cache."""

    value: Any
    content: Any = None


#: Stands for a value that is not there.
GONE: Final = Held(object())
#: What a place keeps, by names.
Taken: TypeAlias = dict[Any, Held]
#: By what a place is known: the identity of what it is.
Key: TypeAlias = Hashable


def held(value: Any) -> Held:
    """Return a value with a copy of what is in it. A lock has nothing in it: see `locks`."""
    kind = type(value)
    if kind in CONSTANTS:
        return Held(value)
    if issubclass(kind, CONTAINERS):
        return Held(value, (dict if issubclass(kind, dict) else list)(value))
    if kind is CACHE:
        return Held(value, value.cache_info().currsize)
    if issubclass(kind, threading.local):
        # Those of this thread.
        return Held(value, dict(vars(value)))
    return Held(value)


def is_same(one: Held, two: Held) -> bool:
    """Return whether two values are the very same, and so is what is in them, in the same order."""
    return one.value is two.value and _is_alike(one.content, two.content)


def _is_alike(now: Any, content: Any) -> bool:
    if isinstance(content, dict):
        return _has(now, content)
    if isinstance(content, list):
        return len(now) == len(content) and all(map(is_, now, content))
    return bool(now == content)


def _is_unchanged(was: Held) -> bool:
    """Return whether a value has the very same in it as it had, without a copy: each history asks that often."""
    if isinstance(was.content, int):
        return bool(was.value.cache_info().currsize == was.content)
    is_local = is_one_of((threading.local,), was.value)
    return _is_alike(vars(was.value) if is_local else was.value, was.content)


def fill(container: Any, content: Any) -> None:
    """Give a container another content, and let it stay the same object."""
    container.clear()
    if isinstance(container, dict | set):
        container.update(content)
    else:
        container.extend(content)


def _restore(was: Held) -> None:
    """Give a value again what was in it. A cache cannot be filled, only emptied."""
    if isinstance(was.content, int):
        if not was.content:
            was.value.cache_clear()
    elif was.content is not None:
        is_local = is_one_of((threading.local,), was.value)
        fill(vars(was.value) if is_local else was.value, was.content)


def _has(names: Mapping[Any, Any], taken: Mapping[Any, Any]) -> bool:
    return (
        len(names) == len(taken)
        and all(map(is_, names, taken))
        and all(map(is_, names.values(), taken.values()))
    )


class Place:
    """Something in which values are kept by names."""

    def taken(self) -> Taken:
        raise NotImplementedError

    def look(self, before: Taken) -> Taken:
        """Return what is there now: `before` itself if that is the same. Each history asks each place twice."""
        now = self.taken()
        is_as_before = now.keys() == before.keys() and all(
            is_same(now[name], before[name]) for name in now
        )
        return before if is_as_before else now

    def put(self, name: Any, value: Held) -> None:
        """Put a value back; `GONE` if there was none."""
        raise NotImplementedError


class Names(Place):
    """The names of a module, of a class, or of an object, in its dictionary and in slots."""

    def __init__(
        self,
        owner: Any,
        is_state: Callable[[Any, Any], bool],
        slots: tuple[types.MemberDescriptorType, ...] = (),
    ) -> None:
        self.owner = owner
        self.slots = slots
        #: Returns whether a value by a name is something that a process keeps.
        self._is_state = is_state
        self._names = vars(owner) if is_one_of((type,), owner) else attributes_of(owner)
        #: What was there when it was looked at last, with the methods of a class.
        self._all: dict[Any, Any] = {}
        self._last: Taken = {}
        self._with_content: list[Held] = []

    @property
    def is_of_module(self) -> bool:
        return self._is_state is is_of_module

    def taken(self) -> Taken:
        self._all = self.values()
        self._last = {
            name: held(value)
            for name, value in self._all.items()
            # `variables = globals()` says again what is here.
            if value is not self._names and self._is_state(name, value)
        }
        self._with_content = [value for value in self._last.values() if value.content is not None]
        return self._last

    def look(self, before: Taken) -> Taken:
        # A class may have a hundred methods, and is as it was nearly always.
        if (
            before is self._last
            and _has(self.values() if self.slots else self._names, self._all)
            and (not self._with_content or all(map(_is_unchanged, self._with_content)))
        ):
            return before
        now = super().look(before)
        if now is before:
            self._last = before
        return now

    def put(self, name: Any, value: Held) -> None:
        if type(name) is types.MemberDescriptorType:
            if value is not GONE:
                name.__set__(self.owner, value.value)
            else:
                with suppress(AttributeError):
                    name.__delete__(self.owner)
        elif is_one_of((type,), self.owner):
            if value is not GONE:
                setattr(self.owner, name, value.value)
            elif name in self._names:
                delattr(self.owner, name)
        elif value is not GONE:
            self._names[name] = value.value
        else:
            self._names.pop(name, None)
        if value is not GONE:
            _restore(value)

    def values(self) -> dict[Any, Any]:
        values = dict(self._names)
        for slot in self.slots:
            with suppress(AttributeError):
                values[slot] = slot.__get__(self.owner)
        return values


class Functions(Place):
    """The attributes of the functions of one module. Few functions have any."""

    def __init__(self) -> None:
        self.functions: list[types.FunctionType] = []

    def taken(self) -> Taken:
        return {
            (function, name): held(value)
            for function in filter(_ATTRIBUTES, self.functions)
            for name, value in function.__dict__.items()
            if name != "__wrapped__"
        }

    def look(self, before: Taken) -> Taken:
        return super().look(before) if before or any(map(_ATTRIBUTES, self.functions)) else before

    def put(self, name: Any, value: Held) -> None:
        function, attribute = name
        if value is GONE:
            function.__dict__.pop(attribute, None)
        else:
            function.__dict__[attribute] = value.value
            _restore(value)


class Inner(Place):
    """A container inside of another value, or a cache that has no name, such as one in a closure."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def taken(self) -> Taken:
        return {None: held(self._value)}

    def look(self, before: Taken) -> Taken:
        return before if _is_unchanged(before[None]) else self.taken()

    def put(self, name: Any, value: Held) -> None:
        _restore(value)


class Variable(Place):
    """A variable of a function that an inner function sees."""

    def __init__(self, cell: types.CellType) -> None:
        self._cell = cell

    def taken(self) -> Taken:
        try:
            return {None: Held(self._cell.cell_contents)}
        except ValueError:
            return {}

    def put(self, name: Any, value: Held) -> None:
        if value is GONE:
            del self._cell.cell_contents
        else:
            self._cell.cell_contents = value.value


class Keeper(Place):
    """An object of a library that keeps what a project puts into it, such as a queue, with all its attributes."""

    def __init__(self, value: Any) -> None:
        self._value = value
        self._names = Names(value, is_of_object, slots_of(type(value)))

    def taken(self) -> Taken:
        return {None: Held(self._value, self._names.taken())}

    def look(self, before: Taken) -> Taken:
        content = before[None].content
        now = self._names.look(content)
        return before if now is content else {None: Held(self._value, now)}

    def put(self, name: Any, value: Held) -> None:
        for gone in self._names.taken().keys() - value.content.keys():
            self._names.put(gone, GONE)
        for each, inner in value.content.items():
            self._names.put(each, inner)


def is_of_module(name: str, value: Any) -> bool:
    return not (name.startswith("__") or is_one_of(NO_STATE, value))


def is_of_class(name: str, value: Any) -> bool:
    if name.startswith(("__", "_abc_")):
        return False
    return type(value) is CACHE or not (
        hasattr(type(value), "__get__") or is_one_of((*_METHODS, type), value)
    )


def is_of_object(name: Any, value: Any) -> bool:
    return True


def is_keeper(kind: type) -> bool:
    """Return whether objects of a class of a library keep what a project puts into them."""
    return f"{kind.__module__}.{kind.__qualname__}".startswith(_KEEPING)


def slots_of(kind: type) -> tuple[types.MemberDescriptorType, ...]:
    return tuple(
        member
        for base in kind.__mro__
        for member in vars(base).values()
        if type(member) is types.MemberDescriptorType
    )


def holds_nothing(function: types.FunctionType) -> bool:
    """Return whether nothing can be kept in a function, as in most."""
    return not (
        function.__closure__
        or function.__defaults__
        or function.__kwdefaults__
        or function.__dict__
    )


def within(value: Any) -> Iterator[Any]:
    """Yield what something holds that does not change itself: a function, a tuple, or what wraps a function."""
    if type(value) is types.FunctionType:
        for cell in value.__closure__ or ():
            # A variable may have no value yet.
            with suppress(ValueError):
                yield cell.cell_contents
        yield from value.__defaults__ or ()
        yield from (value.__kwdefaults__ or {}).values()
    elif is_one_of((tuple, frozenset), value):
        yield from value
    elif type(value) is CACHE:
        yield value.__wrapped__
    elif is_one_of((functools.partial,), value):
        yield from (value.func, *value.args, *value.keywords.values())
    elif is_one_of((property,), value):
        yield value.fget
    else:
        yield value.__func__
        yield getattr(value, "__self__", None)


def found_below(
    modules: Iterable[Namespace],
    left_out: Callable[[type], bool],
    project: Iterable[Namespace] | None = None,
) -> dict[Key, Place]:
    """Return the places below some modules, by the identity of what they are.

    Only classes and functions of the project count, by default of the same modules, and no fakes: they stand for a
    service.
    """
    modules = tuple(modules)
    walk = _Walk(modules if project is None else tuple(project), left_out)
    walk.go(modules)
    return walk.places


class _Walk:
    """Goes from the names of modules to everything that keeps something for them.

    What is done with a value follows from its type. A walk meets a hundred thousand values, and they have a few
    types.
    """

    def __init__(self, project: Iterable[Namespace], left_out: Callable[[type], bool]) -> None:
        self._left_out = left_out
        self._names = {module.__name__ for module in project}
        self._globals = {identity(vars(module)) for module in project}
        self._seen: set[int] = set()
        #: Containers and caches that have a name: the place of the name has what is in them too.
        self._named: set[int] = set()
        self._ways: dict[type, Callable[[Any], Iterable[Any]] | None] = {}
        self._slots: dict[type, tuple[types.MemberDescriptorType, ...]] = {}
        self.places: dict[Key, Any] = {}

    def go(self, modules: Iterable[Namespace]) -> None:
        waiting: list[Any] = []
        for module in modules:
            names = vars(module)
            self.places[identity(names)] = Names(module, is_of_module)
            waiting += self._behind(names)
        seen, ways = self._seen, self._ways
        while waiting and len(self.places) < _MOST:
            value = waiting.pop()
            kind = type(value)
            way = ways[kind] if kind in ways else self._way(kind)
            if way is not None and identity(value) not in seen:
                seen.add(identity(value))
                waiting += way(value)
        for key in self._named - self._globals:
            self.places.pop(key, None)

    def _way(self, kind: type) -> Callable[[Any], Iterable[Any]] | None:
        way: Callable[[Any], Iterable[Any]] | None = None
        if issubclass(kind, CONTAINERS):
            way = self._in_container
        elif kind is types.FunctionType:
            way = self._in_function
        elif issubclass(kind, type):
            way = self._in_class
        elif issubclass(kind, _WRAPPING):
            way = self._in_wrapping
        elif self._belongs(kind) and not issubclass(kind, threading.local):
            self._slots[kind] = slots_of(kind)
            way = self._in_object
        self._ways[kind] = way
        return way

    def _behind(self, names: Mapping[Any, Any]) -> list[Any]:
        """Return what lies behind some names. The place of the names has what is in a container already."""
        found: list[Any] = []
        for name, value in list(names.items()):
            if type(value) in CONSTANTS or (type(name) is str and name.startswith("__")):
                continue
            if is_one_of(CONTAINERS, value):
                self._named.add(identity(value))
                found += value.values() if isinstance(value, dict) else value
            else:
                if type(value) is CACHE:
                    self._named.add(identity(value))
                found.append(value)
        return found

    def _in_container(self, value: Any) -> Iterable[Any]:
        if identity(value) in self._globals:
            # The variables of a module have a place of their own.
            return ()
        self.places[identity(value)] = Inner(value)
        return list(value.values() if isinstance(value, dict) else value)

    def _in_wrapping(self, value: Any) -> Iterable[Any]:
        if type(value) is CACHE:
            self.places[identity(value)] = Inner(value)
        return within(value)

    def _in_function(self, function: types.FunctionType) -> Iterable[Any]:
        module = identity(function.__globals__)
        if module not in self._globals or function.__qualname__.startswith("test_"):
            # Of a library, or of a test and put in place by it.
            return ()
        self.places.setdefault(("functions", module), Functions()).functions.append(function)
        if holds_nothing(function):
            return ()
        for cell in function.__closure__ or ():
            self.places[identity(cell)] = Variable(cell)
        return [*within(function), *self._behind(function.__dict__)]

    def _in_class(self, kind: type) -> Iterable[Any]:
        if not self._belongs(kind):
            return ()
        self.places[identity(kind)] = Names(kind, is_of_class)
        return [type(kind), *self._behind(vars(kind))]

    def _in_object(self, owner: Any) -> Iterable[Any]:
        kind = type(owner)
        place = self.places[identity(owner)] = Names(owner, is_of_object, self._slots[kind])
        return [kind, *self._behind(place.values())]

    def _belongs(self, kind: type) -> bool:
        is_usual = kind.__module__ in self._names and type(kind) in _USUAL
        return is_usual and not self._left_out(kind)


class _WalkFromValues(_Walk):
    """Goes from some values to everything that keeps something for them."""

    def __init__(self, is_own: Callable[[type], bool]) -> None:
        super().__init__((), lambda kind: False)
        self._is_own = is_own

    def go_from(self, values: Iterable[Any]) -> None:
        waiting = list(values)
        for _ in range(_MOST_FROM_VALUES):
            if not waiting:
                break
            value = waiting.pop()
            kind = type(value)
            way = self._ways[kind] if kind in self._ways else self._way(kind)
            if way is not None and identity(value) not in self._seen:
                self._seen.add(identity(value))
                waiting += islice(way(value), _MOST_FROM_VALUES)
        for key in self._named:
            self.places.pop(key, None)

    def _way(self, kind: type) -> Callable[[Any], Iterable[Any]] | None:
        way = super()._way(kind)
        if way is None and is_keeper(kind):
            self._slots[kind] = slots_of(kind)
            way = self._ways[kind] = self._in_object
        return way

    def _in_function(self, function: types.FunctionType) -> Iterable[Any]:
        for cell in function.__closure__ or ():
            self.places[identity(cell)] = Variable(cell)
        self.places[identity(function)] = place = Functions()
        place.functions.append(function)
        return within(function)

    def _belongs(self, kind: type) -> bool:
        return type(kind) in _USUAL and kind.__module__ != "builtins" and self._is_own(kind)


def found_from(values: Iterable[Any], is_own: Callable[[type], bool]) -> dict[Key, Place]:
    """Return the places to which one comes from some values by way of own objects, the first few thousand."""
    walk = _WalkFromValues(is_own)
    walk.go_from(values)
    return walk.places
