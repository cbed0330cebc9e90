"""What a process keeps inside the classes, functions and objects of a project: a new process begins without it."""

from __future__ import annotations

import abc
import collections
import functools
import threading
import types
import weakref
from collections import deque
from collections.abc import (
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
    Set as AbstractSet,
)
from contextlib import AbstractContextManager, contextmanager, suppress
from operator import is_
from typing import Any, Final, NamedTuple, Protocol, TypeAlias, TypeVar

from ....harness.records.attributes import attributes_of, identity, is_one_of
from .synchronisers import Namespace, is_synchroniser

H = TypeVar("H")

_CACHE: Final[Any] = type(functools.lru_cache(lambda: None))
#: What has a content that can be replaced.
CONTAINERS: Final = (dict, list, set, deque, bytearray)
_CALLABLE: Final = (staticmethod, classmethod, types.MethodType)
#: These do not change, but what is in them may.
_WRAPPING: Final = (tuple, frozenset, _CACHE, functools.partial, *_CALLABLE)
#: Classes of other metaclasses, such as models, change when their library looks at them for the first time.
_USUAL: Final = (type, abc.ABCMeta)
#: Of objects of installed classes, only these keep what the project puts into them.
_KEEPING: Final = (
    collections.UserDict,
    collections.UserList,
    weakref.WeakSet,
    weakref.WeakKeyDictionary,
    weakref.WeakValueDictionary,
)
#: Runners of asyncio, and locks of anyio, which get a loop when they are used for the first time.
_KEEPING_MODULES: Final = (
    "asyncio.runners",
    "anyio._core._synchronization",
    "anyio._backends._asyncio",
)
_CONSTANT: Final = (type(None), bool, int, float, complex, str, bytes, types.ModuleType)
#: Looking at more takes longer than a check should.
_MOST: Final = 20_000
#: Of more places than these, each history looks only at those in which the clean runs have left something. What an
#: interrupted delivery alone leaves elsewhere is then still there in the next history, where the job does not come
#: to its point as the clean run did, and the check says so.
_MOST_EACH_TIME: Final = 1_000


class _Gone:
    """Stands for a value that is not there."""


_GONE: Final = _Gone()


class _Items(NamedTuple):
    """The content of a container without names."""

    items: list[Any]


class _Filled(NamedTuple):
    """A function whose results are cached, and how many."""

    function: Any
    size: int


class _Place(Protocol):
    """Something in which values are kept by names."""

    def taken(self) -> dict[Any, Any]: ...

    def is_as(self, taken: dict[Any, Any]) -> bool:
        """Return whether `taken` would return the same. Every history asks each place twice."""
        ...

    def put(self, name: Any, value: Any) -> None: ...


class _Names(NamedTuple):
    """A dictionary."""

    names: dict[Any, Any]

    def taken(self) -> dict[Any, Any]:
        return dict(self.names)

    def is_as(self, taken: dict[Any, Any]) -> bool:
        return _has(self.names, taken)

    def put(self, name: Any, value: Any) -> None:
        _put_into(self.names, name, value)


class _Caches(NamedTuple):
    """The globals of a module that cache the results of a function."""

    names: dict[str, Any]

    def taken(self) -> dict[Any, Any]:
        return {
            name: _Filled(value, value.cache_info().currsize)
            for name, value in self.names.items()
            if type(value) is _CACHE
        }

    def is_as(self, taken: dict[Any, Any]) -> bool:
        return _are_same(taken, self.taken())

    def put(self, name: Any, value: Any) -> None:
        if value is not _GONE:
            self.names[name] = value.function


class _Class:
    """What a class keeps besides its methods."""

    __slots__ = ("_all", "_taken", "kind")

    def __init__(self, kind: type) -> None:
        self.kind = kind
        #: What it had when it was looked at last, with its methods.
        self._all: dict[str, Any] = {}
        self._taken: dict[Any, Any] = {}

    def taken(self) -> dict[Any, Any]:
        self._all = dict(vars(self.kind))
        self._taken = {
            name: _Filled(value, value.cache_info().currsize) if type(value) is _CACHE else value
            for name, value in self._all.items()
            if not name.startswith(("__", "_abc_")) and _is_data(value)
        }
        return self._taken

    def is_as(self, taken: dict[Any, Any]) -> bool:
        return (
            taken is self._taken
            and _has(vars(self.kind), self._all)
            and not any(
                type(value) is _Filled and value.size != value.function.cache_info().currsize
                for value in taken.values()
            )
        )

    def put(self, name: Any, value: Any) -> None:
        if value is _GONE:
            if name in vars(self.kind):
                delattr(self.kind, name)
        else:
            setattr(self.kind, name, value.function if isinstance(value, _Filled) else value)


class _Object(NamedTuple):
    """The attributes of an object or a function, in its dictionary or in slots."""

    owner: Any
    names: dict[Any, Any]
    slots: tuple[types.MemberDescriptorType, ...] = ()

    def taken(self) -> dict[Any, Any]:
        found = dict(self.names)
        for slot in self.slots:
            with suppress(AttributeError):
                found[slot] = slot.__get__(self.owner)
        return found

    def is_as(self, taken: dict[Any, Any]) -> bool:
        return _are_same(self.taken(), taken) if self.slots else _has(self.names, taken)

    def put(self, name: Any, value: Any) -> None:
        if type(name) is not types.MemberDescriptorType:
            _put_into(self.names, name, value)
        elif value is _GONE:
            with suppress(AttributeError):
                name.__delete__(self.owner)
        else:
            name.__set__(self.owner, value)


class _Content(NamedTuple):
    """A container without names."""

    container: Any

    def taken(self) -> dict[Any, Any]:
        return {None: _Items(list(self.container))}

    def is_as(self, taken: dict[Any, Any]) -> bool:
        items = taken[None].items
        return len(items) == len(self.container) and all(map(is_, items, self.container))

    def put(self, name: Any, value: Any) -> None:
        fill(self.container, value.items)


def fill(container: Any, content: Any) -> None:
    """Give a container another content, and let it stay the same object."""
    container.clear()
    if isinstance(container, dict | set):
        container.update(content)
    else:
        container.extend(content)


def _put_into(names: dict[Any, Any], name: Any, value: Any) -> None:
    if value is _GONE:
        names.pop(name, None)
    else:
        names[name] = value


class _Cell(NamedTuple):
    """A variable of a function that an inner function sees."""

    cell: types.CellType

    def taken(self) -> dict[Any, Any]:
        try:
            return {None: self.cell.cell_contents}
        except ValueError:
            return {}

    def is_as(self, taken: dict[Any, Any]) -> bool:
        return _are_same(self.taken(), taken)

    def put(self, name: Any, value: Any) -> None:
        if value is _GONE:
            del self.cell.cell_contents
        else:
            self.cell.cell_contents = value


class _Cache(NamedTuple):
    """A function whose results are cached, where it has no name in a module or a class: in a closure, for example.

    A suspended process shares it with others: nothing could take its place, and nothing could fill it again.
    """

    function: Any

    def taken(self) -> dict[Any, Any]:
        return {None: _Filled(self.function, self.function.cache_info().currsize)}

    def is_as(self, taken: dict[Any, Any]) -> bool:
        return bool(taken[None].size == self.function.cache_info().currsize)

    def put(self, name: Any, value: Any) -> None:
        """Do nothing: only a new process, after the death of the one before it, empties the cache."""


#: A place, and the name of a value in it.
Spot: TypeAlias = tuple[int, Any]
#: The values at the spots that belong to one process.
ProcessValues: TypeAlias = dict[Spot, Any]


def shown_by(
    observe: Callable[[], object],
    candidates: AbstractSet[H],
    without: Callable[[AbstractSet[H]], AbstractContextManager[None]],
) -> frozenset[H]:
    """Return what belongs to the world: without it, the state is another one.

    Args:
        observe: returns the state. It may fail if the world needs what was reset, or if a suspended delivery holds
            a lock.
        candidates: what is tried.
        without: gives some candidates their first values for a block.
    """
    if not candidates:
        return frozenset()
    before = _state(observe)
    with without(candidates):
        if _state(observe) == before:
            return frozenset()
    belonging = set()
    for candidate in candidates:
        with without({candidate}):
            if _state(observe) != before:
                belonging.add(candidate)
    return frozenset(belonging)


def _state(observe: Callable[[], object]) -> object:
    """Return the state; None if it cannot be observed."""
    try:
        return observe()
    except Exception:
        return None


class ProcessMemory:
    """Gives each process of a search its own values inside of the classes, functions and objects of a project.

    What a world makes anew belongs to the world. So only what a delivery has changed, and what is still changed
    when the next world has been built, counts as the memory of a process. Where no world has decided that yet,
    what the state shows belongs to the world. So it does in the cache of a function, which any world may empty.
    """

    def __init__(self, modules: Iterable[Namespace], left_out: Callable[[type], bool]) -> None:
        """Look for what can be kept, before the first world is built.

        Args:
            modules: where to look. What only a job inside of a test can reach belongs to the test.
            left_out: returns whether a class is a fake, which stands for a service.
        """
        self._modules = tuple(modules)
        self._left_out = left_out
        self._all = _found(self._modules, left_out)
        self._places = self._all
        #: What belongs to processes.
        self._own: set[Spot] = set()
        #: What most likely does, and what was there: the state of this world does not show it.
        self._guessed: dict[Spot, Any] = {}
        #: What worlds have made anew, and the caches that they have emptied.
        self._of_worlds: set[Spot] = set()
        self._emptied: set[Spot] = set()
        self._first: dict[int, dict[Any, Any]] = {}
        #: What was there when the last step of a machine ended.
        self._seen: dict[int, dict[Any, Any]] = {}
        #: The modules that the jobs use, and what they reach.
        self._used: tuple[Namespace, ...] | None = None
        self._reached: AbstractSet[int] = frozenset()
        #: What deliveries have changed, and left in the world that is gone: what is there, and what was before.
        self._left: dict[Spot, tuple[Any, Any]] = {}
        #: Names of what was guessed to belong to processes before the last world has made it anew.
        self.guessed_wrongly: list[str] = []

    def __bool__(self) -> bool:
        return bool(self._all)

    def look_at(self, modules: Iterable[Namespace]) -> None:
        """Look at what some modules keep too, such as one that was imported since: between two worlds."""
        self._modules = tuple(modules)
        self._all = {**_found(self._modules, self._left_out), **self._all}
        self._places = self._all

    def note_import(self, module: Namespace) -> None:
        """Look at what a module keeps that a delivery has just imported."""
        self._modules = (*self._modules, module)
        found = _found((module,), self._left_out, self._modules)
        new = {key: place for key, place in found.items() if key not in self._all}
        self._all, self._places = {**self._all, **new}, {**self._places, **new}
        self._first |= {key: place.taken() for key, place in new.items()}

    def keep_only(self, modules: Iterable[Namespace]) -> None:
        """Look at the other modules no longer, nor at what these modules have got since."""
        reached = _found(modules, self._left_out)
        self._places = {key: place for key, place in self._all.items() if key in reached}
        self._left = {spot: value for spot, value in self._left.items() if spot[0] in reached}

    def begin(self, *, learns: bool) -> None:
        """Begin with the first process of a world that was just built.

        Args:
            learns: whether to look at every place, however many there are.
        """
        places = self._places
        if not learns and len(places) > _MOST_EACH_TIME:
            keys = {key for key, _ in (*self._own, *self._left, *self._emptied)}
            places = {key: places[key] for key in keys}
        now = self._taken(places, self._first)
        self.guessed_wrongly = []
        for (key, name), (left, first) in self._left.items():
            if _is_same(now[key].get(name, _GONE), left):
                self._own.add((key, name))
                self._put_first(key, name, first)
            else:
                self._note_made_anew((key, name), left)
        if self._left:
            self._left = {}
            now = self._taken(places, self._first)
        self._first, self._guessed, self._seen = now, {}, {}

    def end(self) -> None:
        """End the last process of a world."""
        self._left = {}
        for (key, name), was, left in self._changed():
            if (key, name) in self._own:
                self._put_first(key, name, was)
            else:
                self._left[key, name] = left, was
        for (key, name), left in self._guessed.items():
            # A new process has put it back, and the next world is still to decide.
            if (key, name) not in self._left and not isinstance(left, _Filled):
                self._put(key, name, left)
                self._left[key, name] = left, self._first_of((key, name))

    def put_back(self) -> None:
        """Put back what the next world was to decide: there is none."""
        for (key, name), (_, first) in self._left.items():
            self._put_first(key, name, first)
        self._left = {}

    def any_guess(self) -> bool:
        """Return whether the next world is to decide something that was guessed in the one that is gone."""
        return not self._guessed.keys().isdisjoint(self._left)

    def guess(self, observe: Callable[[], object], *, only_caches: bool) -> None:
        """Let what deliveries have changed belong to processes, unless the state of the world shows it.

        The next world decides whether that was right: what it makes anew is not guessed again.

        Args:
            observe: returns the state.
            only_caches: whether to decide only about caches that worlds have emptied.
        """
        if only_caches and not self._emptied:
            return
        changed = {
            spot: now
            for spot, _, now in self._changed()
            if not (spot in self._own or spot in self._guessed)
            and (spot in self._emptied if only_caches else self._is_undecided(spot))
        }
        shown = shown_by(observe, changed.keys(), self._without)
        self._guessed |= {spot: now for spot, now in changed.items() if spot not in shown}

    def note_step(self, modules: Iterable[Namespace]) -> None:
        """Note what is there at the end of a step of a machine, which makes deliveries.

        Args:
            modules: those that the jobs use. In a large project only what they reach is looked at.
        """
        places = self._places
        if len(places) > _MOST_EACH_TIME:
            modules = tuple(modules)
            if self._used != modules:
                self._used, self._reached = modules, _found(modules, self._left_out).keys()
            places = {key: places[key] for key in self._reached if key in places}
        self._seen = self._taken(places, self._seen)

    def note_others(self) -> None:
        """Let each process have what the test has changed between two steps, such as the model of a rule."""
        for key, seen in self._seen.items():
            place = self._places[key]
            if place.is_as(seen):
                continue
            here, first = place.taken(), dict(self._first[key])
            for name in {**seen, **here}:
                now = here.get(name, _GONE)
                if _is_same(seen.get(name, _GONE), now) or isinstance(now, _Filled):
                    # The state may be shown by a function with a cache.
                    continue
                if now is _GONE:
                    first.pop(name, None)
                else:
                    first[name] = now
            self._first[key] = first

    def taken(self) -> ProcessValues:
        """Return what belongs to the process that runs now."""
        spots = self._own | self._guessed.keys()
        places = {key: self._places[key].taken() for key in {key for key, _ in spots}}
        return {(key, name): places[key].get(name, _GONE) for key, name in spots}

    def restart(self) -> None:
        """Start a new process, when the one before it is dead."""
        for key, name in self._own | self._guessed.keys():
            self._put_first(key, name, self._first_of((key, name)))

    def switch_to(self, there: ProcessValues | None) -> None:
        """Switch to another process, while the one that is left stays alive.

        Args:
            there: the result of `taken` in it; None for a new process.
        """
        spots = self._own | self._guessed.keys()
        if there is None:
            self._put_anew(spots)
            return
        for (key, name), value in there.items():
            self._put(key, name, value)
        # Only the process that is left has changed these.
        for key, name in spots - there.keys():
            self._put_first(key, name, self._first_of((key, name)))

    def _note_made_anew(self, spot: Spot, left: Any) -> None:
        if isinstance(left, _Filled):
            self._emptied.add(spot)
            return
        self._of_worlds.add(self._as_of_world(spot))
        if spot in self._guessed:
            self.guessed_wrongly.append(self._name_of(spot))

    def _is_undecided(self, spot: Spot) -> bool:
        return self._as_of_world(spot) not in self._of_worlds

    def _name_of(self, spot: Spot) -> str:
        """Return how a message names a spot: by the class or the function that keeps it."""
        place = self._places[spot[0]]
        if isinstance(place, _Class):
            return f"{place.kind.__qualname__}.{spot[1]}"
        if isinstance(place, _Names | _Content):
            content = place.names if isinstance(place, _Names) else place.container
            for key, keeping in self._places.items():
                for name, value in keeping.taken().items():
                    if value is content and isinstance(keeping, _Class | _Object):
                        return self._name_of((key, name))
            return f"a {type(content).__name__}"
        owner = place.owner if isinstance(place, _Object) else None
        kept_by = getattr(owner, "__qualname__", type(owner).__qualname__)
        name = getattr(spot[1], "__name__", spot[1])
        return "a variable of a closure" if owner is None else f"{kept_by}.{name}"

    def _changed(self) -> Iterator[tuple[Spot, Any, Any]]:
        """Yield what is not as it was at first, with its first value and the one that it has now."""
        for key, first in self._first.items():
            place = self._places[key]
            if place.is_as(first):
                continue
            here = place.taken()
            for name in {**first, **here}:
                was, now = first.get(name, _GONE), here.get(name, _GONE)
                if not (_is_same(was, now) or is_synchroniser(was) or is_synchroniser(now)):
                    yield (key, name), was, now

    def _as_of_world(self, spot: Spot) -> Spot:
        """Return how it is noted that a spot belongs to the world: a dictionary does so with all its items."""
        return (spot[0], None) if isinstance(self._places[spot[0]], _Names) else spot

    @contextmanager
    def _without(self, spots: AbstractSet[Spot]) -> Generator[None, None, None]:
        """Give some spots their first values for a block."""
        here = {key: self._places[key].taken() for key in {key for key, _ in spots}}
        self._put_anew(spots)
        try:
            yield
        finally:
            for key, taken in here.items():
                place = self._places[key]
                if isinstance(place, _Names):
                    # One by one, its items would come back in another order.
                    fill(place.names, taken)
                    continue
                for name in [name for owner, name in spots if owner == key]:
                    place.put(name, taken.get(name, _GONE))

    def _put_anew(self, spots: Iterable[Spot]) -> None:
        anew: dict[int, Any] = {}
        for key, name in spots:
            first = self._first_of((key, name))
            if isinstance(first, _Filled) and not first.size:
                # What the other process has cached must stay there. Two names may stand for one function.
                function = first.function
                first = _Filled(anew.setdefault(identity(function), _emptied(function)), 0)
            self._put(key, name, first)

    def _first_of(self, spot: Spot) -> Any:
        return self._first[spot[0]].get(spot[1], _GONE)

    def _taken(
        self, places: Mapping[int, _Place], before: Mapping[int, dict[Any, Any]]
    ) -> dict[int, dict[Any, Any]]:
        return {
            key: found
            if (found := before.get(key)) is not None and place.is_as(found)
            else place.taken()
            for key, place in places.items()
        }

    def _put(self, key: int, name: Any, value: Any) -> None:
        place = self._places[key]
        now = place.taken().get(name, _GONE)
        if not (is_synchroniser(value) or is_synchroniser(now)):
            place.put(name, value)

    def _put_first(self, key: int, name: Any, value: Any) -> None:
        self._put(key, name, value)
        if isinstance(value, _Filled) and not value.size:
            value.function.cache_clear()


def _is_data(value: object) -> bool:
    return type(value) is _CACHE or not (
        hasattr(type(value), "__get__") or is_one_of((*_CALLABLE, type), value)
    )


def _is_same(one: Any, two: Any) -> bool:
    if isinstance(one, _Items) and isinstance(two, _Items):
        return len(one.items) == len(two.items) and all(map(is_, one.items, two.items))
    if isinstance(one, _Filled) and isinstance(two, _Filled):
        return one.function is two.function and one.size == two.size
    return one is two


def _has(names: Mapping[Any, Any], taken: Mapping[Any, Any]) -> bool:
    """Return whether names and values are the very same, and in the same order."""
    if not names:
        # Of a function, as nine of ten places are: a project has thousands, and each history asks all of them.
        return not taken
    return (
        len(names) == len(taken)
        and all(map(is_, names, taken))
        and all(map(is_, names.values(), taken.values()))
    )


def _are_same(one: dict[Any, Any], two: dict[Any, Any]) -> bool:
    return (
        len(one) == len(two)
        and all(map(is_, one, two))
        and all(map(_is_same, one.values(), two.values()))
    )


def _emptied(cached: Any) -> Any:
    parameters = cached.cache_parameters()
    return functools.lru_cache(**parameters)(cached.__wrapped__)


def _found(
    modules: Iterable[Namespace],
    left_out: Callable[[type], bool],
    project: Iterable[Namespace] | None = None,
) -> dict[int, _Place]:
    """Return the places below some modules, by their identity.

    Args:
        modules: the modules.
        left_out: returns whether a class is a fake.
        project: the modules whose classes and functions count; None for the same.
    """
    modules = tuple(modules)
    walk = _Walk(modules, modules if project is None else tuple(project), left_out)
    walk.go()
    return walk.places


class _Slots(dict[type, tuple[types.MemberDescriptorType, ...]]):
    """The slots of each type. A walk meets thousands of objects, which have a few types."""

    def __missing__(self, kind: type) -> tuple[types.MemberDescriptorType, ...]:
        self[kind] = slots = tuple(
            member
            for base in kind.__mro__
            for member in vars(base).values()
            if type(member) is types.MemberDescriptorType
        )
        return slots


class _Walk:
    """Goes from the globals of modules to everything that keeps something for them."""

    def __init__(
        self,
        modules: Sequence[Namespace],
        project: Sequence[Namespace],
        left_out: Callable[[type], bool],
    ) -> None:
        self._modules = modules
        self._left_out = left_out
        self._names = {module.__name__ for module in project}
        self._globals = {identity(vars(module)) for module in project}
        self._seen: set[int] = set()
        #: The caches that have a name in a module or a class, by which another one can take their place.
        self._named: set[int] = set()
        self._slots = _Slots()
        self.places: dict[int, _Place] = {}

    def go(self) -> None:
        waiting: list[Any] = []
        for module in self._modules:
            waiting += self._in_globals(vars(module))
        while waiting and len(self.places) < _MOST:
            value = waiting.pop()
            if is_one_of(_CONSTANT, value) or identity(value) in self._seen:
                continue
            self._seen.add(identity(value))
            waiting += self._within(value)
        for key in self._named:
            self.places.pop(key, None)

    def _in_globals(self, names: dict[str, Any]) -> Iterator[Any]:
        if self._note_caches(names):
            self.places[identity(names)] = _Caches(names)
        for name, value in list(names.items()):
            if name.startswith("__") or is_one_of(_CONSTANT, value):
                continue
            if is_one_of(CONTAINERS, value):
                # Its content is that of the global.
                self._seen.add(identity(value))
                yield from _members(value)
            else:
                yield value

    def _note_caches(self, names: Mapping[str, Any]) -> bool:
        """Note the caches that have a name, and return whether there are any."""
        named = {identity(value) for value in names.values() if type(value) is _CACHE}
        self._named |= named
        return bool(named)

    def _within(self, value: Any) -> Iterator[Any]:
        kind = type(value)
        if is_one_of(CONTAINERS, value):
            is_dictionary = isinstance(value, dict)
            self.places[identity(value)] = _Names(value) if is_dictionary else _Content(value)
            yield from _members(value)
        elif kind is types.FunctionType:
            if identity(value.__globals__) in self._globals:
                yield from self._in_function(value)
        elif is_one_of((type,), value):
            yield from self._in_class(value)
        elif is_one_of(_WRAPPING, value):
            if kind is _CACHE:
                self.places[identity(value)] = _Cache(value)
            yield from _wrapped(value)
        elif self._keeps(value):
            yield kind
            yield from self._in_object(value)

    def _in_function(self, function: types.FunctionType) -> Iterator[Any]:
        if function.__qualname__.startswith("test_"):
            # Of a test, and put in place by it.
            return
        # Attributes may come later.
        self.places[identity(function)] = _Object(function, function.__dict__)
        yield from function.__dict__.values()
        for cell in function.__closure__ or ():
            self.places[identity(cell)] = place = _Cell(cell)
            yield from place.taken().values()
        yield from function.__defaults__ or ()
        yield from (function.__kwdefaults__ or {}).values()

    def _in_class(self, kind: type) -> Iterator[Any]:
        if not self._belongs(kind):
            return
        self._note_caches(vars(kind))
        self.places[identity(kind)] = _Class(kind)
        yield type(kind)
        yield from (value for name, value in vars(kind).items() if not name.startswith("__"))

    def _in_object(self, owner: Any) -> Iterator[Any]:
        slots = self._slots[type(owner)]
        self.places[identity(owner)] = place = _Object(owner, attributes_of(owner), slots)
        yield from place.taken().values()

    def _keeps(self, value: object) -> bool:
        if is_one_of((threading.local,), value):
            return False
        kind = type(value)
        return (
            is_one_of(_KEEPING, value) or kind.__module__ in _KEEPING_MODULES or self._belongs(kind)
        )

    def _belongs(self, kind: type) -> bool:
        is_usual = kind.__module__ in self._names and type(kind) in _USUAL
        return is_usual and not self._left_out(kind)


def _members(container: Any) -> Iterator[Any]:
    values = list(container.values() if isinstance(container, dict) else container)
    return (value for value in values if not is_one_of(_CONSTANT, value))


def _wrapped(value: Any) -> Iterator[Any]:
    if is_one_of((tuple, frozenset), value):
        yield from value
    elif type(value) is _CACHE:
        yield value.__wrapped__
    elif is_one_of((functools.partial,), value):
        yield from (value.func, *value.args, *value.keywords.values())
    else:
        yield value.__func__
        yield getattr(value, "__self__", None)
