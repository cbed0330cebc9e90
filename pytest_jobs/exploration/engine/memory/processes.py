"""Gives each process of a world a memory of its own, although all of them run in this Python."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Final, NamedTuple, TypeAlias

from ....harness.records.attributes import identity, is_one_of
from ..ending.process_state import ProcessState
from .locks import HeldLock, Synchronisers, close_tasks, is_held
from .places import (
    CACHE,
    GONE,
    LOCKS,
    Held,
    Keeper,
    Key,
    Names,
    Namespace,
    Place,
    Taken,
    found_below,
    is_keeper,
    is_of_module,
    is_same,
)

#: Of more places than these, each history looks only at those in which the clean runs have left something. What an
#: interrupted delivery alone leaves elsewhere is then still there in the next history, where the job does not come
#: to its point as the clean run did, and the check says so.
_MOST_EACH_TIME: Final = 1_000

#: A place, and the name of a value in it.
Spot: TypeAlias = tuple[Key, Any]
#: What has changed: where, what was there at first, and what is there now.
Changes: TypeAlias = "list[tuple[Spot, Held, Held]]"


class Memory(NamedTuple):
    """The memory of a process, while another one runs."""

    values: dict[Spot, Held]
    #: Those that it holds.
    locks: list[HeldLock]
    #: What belongs to the whole process, such as its working directory.
    state: ProcessState


@dataclass
class _World:
    """What is remembered of one world."""

    observe: Callable[[], object] = object
    #: What belongs to it for certain.
    kept: set[Spot] = field(default_factory=set)
    #: The places, with queues and the like, which it may have made, and the first values there.
    here: dict[Key, Place] = field(default_factory=dict)
    first: dict[Key, Taken] = field(default_factory=dict)
    #: Locks, queues and the like, and which of the locks are held from the beginning.
    found: list[Any] = field(default_factory=list)
    held: set[int] = field(default_factory=set)
    state: ProcessState = field(default_factory=ProcessState.taken)


class ProcessMemory:
    """Remembers what processes keep, and lets a new process begin without it.

    One search goes through these states:

        look_at          before the first world: find every place below the loaded modules
           |
        begin  <------+  a world is built: note the first value at each place. What the deliveries of the world
           |          |  before have left in classes and objects is judged now: what is still there belongs to
           |          |  processes and is put back; what the new world has made anew belongs to worlds.
           |          |
           |  restart, leave_dead, switch_to
           |          |  a new process: what has changed and belongs to processes gets its first value. A process
           |          |  that is left gives a `Memory`, and has it again when it goes on. Meanwhile nobody holds
           |          |  its locks.
           |          |
         end  --------+  names of modules, caches and queues get their first values; the rest waits to be judged

    `keep_only`, after the first run, leaves out what the job has no way to; it puts back the names of modules as
    they were before the first world. `note_import` adds a module that a delivery is the first to import.

    Who decides whether something that has changed belongs to the world, and so stays in a new process:

    - the *state* decides about names of modules, with the containers that they name, about caches of functions,
      and about queues, events and the like: what the state of the world shows belongs to the world;
    - the *next world* decides about classes, objects, and containers in containers: what it makes anew belongs to
      the world;
    - a lock always belongs to a process, by whatever name.

    Other places, such as an object of a library or a generator that waits, are not looked at: of two clean runs
    that are alike the second does something else then, and the check is refused.
    """

    def __init__(
        self,
        modules: Callable[[], list[Namespace]],
        may_wait: Callable[[], bool],
        left_out: Callable[[type], bool],
        renew: Callable[[bool], object],
    ) -> None:
        """Look at nothing yet.

        Args:
            modules: returns the modules that traced code has used so far.
            may_wait: returns whether it may take a lock.
            left_out: returns whether a class is a fake, which stands for a service.
            renew: resets handlers of signals and the like. Its argument says whether the last process has ended;
                otherwise a new one begins.
        """
        self._modules = modules
        self._may_wait = may_wait
        self._left_out = left_out
        self._renew = renew
        self._synchronisers = Synchronisers()
        self._any_synchroniser = False
        #: Where to look. What only a job inside of a test can reach belongs to the test.
        self._project: tuple[Namespace, ...] = ()
        self._all: dict[Key, Place] = {}
        self._places: dict[Key, Place] = {}
        #: The names of modules before the first world.
        self._before: dict[Key, Taken] = {}
        #: What belongs to processes.
        self._own: set[Spot] = set()
        #: What deliveries have changed, and left in the world that is gone: what is there, and what was before.
        self._left: dict[Spot, tuple[Held, Held]] = {}
        self._world = _World()
        #: Those that are not torn down yet: the end of a history may have to be compared with that of another run.
        self._open: list[_World] = []

    # Between two worlds

    def look_at(self, modules: Iterable[Namespace]) -> None:
        """Look at what some modules keep, in addition to what was looked at before: between two worlds."""
        modules = tuple(modules)
        self._add(modules)
        self._places = {**self._places, **{key: self._all[key] for key in map(_key_of, modules)}}
        self._before = _taken({key: self._all[key] for key in map(_key_of, modules)}, {})
        self._any_synchroniser = any(True for _ in self._synchronisers.found(modules))

    def _add(self, modules: Iterable[Namespace]) -> dict[Key, Place]:
        """Find the places below modules that are new, and return the new ones."""
        new = [module for module in modules if _key_of(module) not in self._all]
        self._project = (*self._project, *new)
        found = found_below(new, self._left_out, self._project) if new else {}
        added = {key: place for key, place in found.items() if key not in self._all}
        self._all, self._places = {**self._all, **added}, {**self._places, **added}
        return added

    def keep_only(self, modules: Iterable[Namespace]) -> None:
        """Look at the other modules no longer, nor at what these modules have got since."""
        reached = found_below(modules, self._left_out)
        self._places = {key: place for key, place in self._all.items() if key in reached}
        self._left = {spot: value for spot, value in self._left.items() if spot[0] in reached}
        self._any_synchroniser = any(True for _ in self._synchronisers.found(modules))
        self._world.first = {key: first for key, first in self._before.items() if key in reached}
        self._world.here = self._all
        for (key, name), was, _ in self._changed():
            self._put(key, name, was)

    def note_import(self, module: Namespace) -> None:
        """Look at what a module keeps that a delivery has just imported."""
        added = self._add((module,))
        first = _taken(added, {})
        for world in self._open:
            world.here |= added
            world.first |= first
        if _key_of(module) in first:
            self._before[_key_of(module)] = first[_key_of(module)]

    # One world

    def begin(
        self,
        observe: Callable[[], object],
        *,
        kept: AbstractSet[Spot],
        learns: bool,
    ) -> None:
        """Begin with the first process of a world that was just built, and looked at.

        Args:
            observe: returns the state of the world. What it shows belongs to the world.
            kept: what is known to belong to the world.
            learns: whether to look at every place, however many there are.
        """
        places = self._places
        if not learns and len(places) > _MOST_EACH_TIME:
            keys = {key for key, _ in (*self._own, *self._left)}
            places = {
                key: place for key, place in places.items() if key in keys or _is_of_module(place)
            }
        for module in self._modules():
            place = _key_of(module)
            if place not in places:
                places[place] = self._all[place] = self._all.get(place) or Names(
                    module, is_of_module
                )
        now = _taken(places, self._world.first)
        for (key, name), (left, first) in self._left.items():
            if is_same(now[key].get(name, GONE), left):
                self._own.add((key, name))
                self._all[key].put(name, first)
        if self._left:
            self._left = {}
            now = _taken(places, self._world.first)
        # Most projects have none.
        waits = self._any_synchroniser or self._may_wait()
        found = list(self._synchronisers.found(self._modules())) if waits else []
        locks = [each for each in found if is_one_of(LOCKS, each)]
        keepers: dict[Key, Place] = {
            identity(each): Keeper(each) for each in found if not is_one_of(LOCKS, each)
        }
        self._world = _World(
            observe,
            set(kept),
            {**places, **keepers},
            {**now, **_taken(keepers, {})},
            found,
            {identity(lock) for lock in locks if is_held(lock)},
            # Not that of the check: a world may set the environment, and each of its processes has that.
            ProcessState.taken(),
        )
        self._open.append(self._world)

    def end(self) -> None:
        """End the last process of a world: nothing of the deliveries stays in force."""
        self._left = {}
        changed = self._changed()
        self._end_process(changed)
        self._world.kept = set()
        by_state = self._by_state(changed)
        for (key, name), was, left in changed:
            if (key, name) in self._own or (key, name) in by_state:
                self._put(key, name, was)
            elif not self._state_decides((key, name), was):
                self._left[key, name] = left, was
        self._world.state.put_back(recursion_limit=False)
        self._renew(True)
        self._open.pop()
        if self._open:
            self._world = self._open[-1]

    def of_world(self) -> frozenset[Spot]:
        """Return what has changed, about which the state decides, and what belongs to the world."""
        self._decide(self._changed())
        return frozenset(self._world.kept)

    # Processes

    def restart(self) -> None:
        """Start a new process, when the one before it is dead."""
        changed = self._changed()
        self._end_process(changed)
        for key, name in self._decide(changed):
            self._put(key, name, self._first_of((key, name)))
        self._world.state.put_back(recursion_limit=False)
        self._renew(False)

    def leave_dead(self, frames: Iterable[FrameType] = ()) -> Memory:
        """Release the locks of a process that is dead, also those that functions hold, and return its memory."""
        changed = self._changed()
        spots = self._own | self._by_state(changed)
        return Memory(self._values(spots), self._release(frames, changed), ProcessState.taken())

    def switch_to(self, there: Memory | None, frames: Iterable[FrameType] = ()) -> Memory:
        """Switch to another process; return the memory of the one that is left, which stays alive.

        Without a memory to switch to, a new process begins. The functions are those of the process that is left.
        """
        changed = self._changed()
        locks = self._release(frames, changed)
        spots = self._decide(changed)
        here = Memory(self._values(spots), locks, ProcessState.taken())
        if there is None:
            self._put_anew(spots)
            self._world.state.put_back(recursion_limit=False)
            return here
        # Only the process that is left has changed these.
        for key, name in spots - there.values.keys():
            self._put(key, name, self._first_of((key, name)))
        for (key, name), value in there.values.items():
            if (key, name) not in self._world.kept:
                self._put(key, name, value)
        for lock in there.locks:
            lock.take()
        there.state.put_back()
        return here

    def _end_process(self, changed: Changes) -> None:
        for each in self._synchronisers_with(changed):
            close_tasks(each)
        self._release((), changed)

    def free_locks(self) -> None:
        self._release((), self._changed())

    def any_lock_held(self) -> bool:
        """Return whether a delivery holds a lock that has a name in a module."""
        values = (value for module in self._modules() for value in list(vars(module).values()))
        return any(is_one_of(LOCKS, value) and is_held(value) for value in values)

    def _release(self, frames: Iterable[FrameType], changed: Changes) -> list[HeldLock]:
        """Release the locks that deliveries hold, and return those."""
        found = {identity(lock): lock for lock in self._synchronisers.held_by(frames)}
        for each in self._synchronisers_with(changed):
            if is_one_of(LOCKS, each) and identity(each) not in self._world.held:
                found[identity(each)] = each
        return [lock for lock in map(HeldLock, found.values()) if lock.release()]

    def _synchronisers_with(self, changed: Changes) -> Iterator[Any]:
        """Yield the locks and keepers of the world, and those that deliveries have made."""
        yield from self._world.found
        for _, _, now in changed:
            content = now.content.values() if isinstance(now.content, dict) else ()
            for each in (now.value, *content):
                if is_one_of(LOCKS, each) or is_keeper(type(each)):
                    yield each

    # What belongs to whom

    def _decide(self, changed: Changes) -> set[Spot]:
        """Return what belongs to the process, and has its first value in a new one."""
        by_state = self._by_state(changed)
        shown = self._shown(by_state)
        self._world.kept |= shown
        return self._own | (by_state - shown)

    def _shown(self, candidates: AbstractSet[Spot]) -> set[Spot]:
        """Return what belongs to the world: without it, the state is another one."""
        if not candidates:
            return set()
        before = _state(self._world.observe)
        with self._without(candidates):
            if _state(self._world.observe) == before:
                return set()
        shown = set()
        for candidate in candidates:
            with self._without({candidate}):
                if _state(self._world.observe) != before:
                    shown.add(candidate)
        return shown

    def _by_state(self, changed: Changes) -> set[Spot]:
        """Return about which of some changes the state decides, without what belongs to the world for certain."""
        return {
            spot for spot, was, _ in changed if self._state_decides(spot, was)
        } - self._world.kept

    def _state_decides(self, spot: Spot, was: Held) -> bool:
        place = self._world.here[spot[0]]
        return type(was.value) is CACHE or isinstance(place, Keeper) or _is_of_module(place)

    def _changed(self) -> Changes:
        """Return what is not as it was at first."""
        found = []
        for key, first in self._world.first.items():
            here = self._world.here[key].look(first)
            if here is first:
                continue
            for name in {**first, **here}:
                was, now = first.get(name, GONE), here.get(name, GONE)
                if not is_same(was, now):
                    found.append(((key, name), was, now))
        return found

    # Values

    @contextmanager
    def _without(self, spots: AbstractSet[Spot]) -> Generator[None, None, None]:
        """Give some spots their first values for a block."""
        here = self._values(spots)
        self._put_anew(spots)
        try:
            yield
        finally:
            for (key, name), value in here.items():
                self._put(key, name, value)

    def _values(self, spots: Iterable[Spot]) -> dict[Spot, Held]:
        taken = {key: self._world.here[key].taken() for key in {key for key, _ in spots}}
        return {(key, name): taken[key].get(name, GONE) for key, name in spots}

    def _put_anew(self, spots: Iterable[Spot]) -> None:
        """Give spots their first values, and let the process that is left have its own caches as they are."""
        anew: dict[int, Any] = {}
        for key, name in spots:
            first = self._first_of((key, name))
            if type(first.value) is CACHE and not first.content:
                # Two names may stand for one function.
                cached = first.value
                empty = functools.lru_cache(**cached.cache_parameters())(cached.__wrapped__)
                first = Held(anew.setdefault(identity(cached), empty), 0)
            self._put(key, name, first)

    def _put(self, key: Key, name: Any, value: Held) -> None:
        self._world.here[key].put(name, value)

    def _first_of(self, spot: Spot) -> Held:
        return self._world.first[spot[0]].get(spot[1], GONE)


def _state(observe: Callable[[], object]) -> object:
    """Return the state; None if the world needs what was reset, or if a suspended delivery holds a lock."""
    try:
        return observe()
    except Exception:
        return None


def _taken(places: Mapping[Key, Place], before: Mapping[Key, Taken]) -> dict[Key, Taken]:
    return {
        key: place.look(before[key]) if key in before else place.taken()
        for key, place in places.items()
    }


def _key_of(module: Namespace) -> int:
    return identity(vars(module))


def _is_of_module(place: Place) -> bool:
    return isinstance(place, Names) and place.is_of_module
