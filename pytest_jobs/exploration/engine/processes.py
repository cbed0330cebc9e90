"""What each process has of its own: an id, and its memory, which is fresh in a new process."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Collection, Generator, Iterable, Set as AbstractSet
from contextlib import ExitStack, contextmanager
from types import FrameType, FunctionType, ModuleType
from typing import Any, Final, NamedTuple, TypeAlias

from ...harness.records.attributes import identity, is_one_of
from .ending.held_locks import release_held
from .ending.process_memory import CONTAINERS, ProcessValues, fill, shown_by
from .ending.process_state import ProcessState
from .ending.synchronisers import Namespace, Slot
from .engine import Engine
from .scope import file_of

LOCKS: Final[dict[type, Callable[[], object]]] = {
    type(threading.Lock()): threading.Lock,
    type(threading.RLock()): threading.RLock,
}
#: Globals of these types are not state: code, and other modules.
_NO_STATE: Final = (ModuleType, FunctionType, type)
#: The module and the name of a global.
GlobalName: TypeAlias = tuple[str, str]
#: The globals of a process: the value of each, and a copy of its content if it is a container.
ProcessGlobals: TypeAlias = dict[GlobalName, tuple[Any, Any]]


class ProcessIds:
    """The ids of the worker processes of one history: each delivery has its own.

    They are above the highest id that an operating system gives, so that a dead one never belongs to a real
    process, and a signal that is sent to one never arrives anywhere.
    """

    _FIRST: Final = 738_204_001

    def __init__(self, note: Callable[[int], object]) -> None:
        """Begin without processes.

        Args:
            note: called with each id, which is a different one in each delivery.
        """
        self._note = note
        self._next = self._FIRST
        self._alive: set[int] = set()

    def begin(self) -> int:
        """Return the id of a new process."""
        number, self._next = self._next, self._next + 1
        self._alive.add(number)
        self._note(number)
        return number

    def end_all_but(self, alive: Iterable[int | None]) -> None:
        self._alive.intersection_update(alive)

    def is_alive(self, number: int) -> bool | None:
        """Return whether a process is alive; None if its id is not one of these."""
        return number in self._alive if self._FIRST <= number < self._next else None


class ModuleGlobals:
    """Gives each process of a history its own values of the globals of some modules."""

    def __init__(self, modules: Iterable[Namespace], kept: Iterable[GlobalName] = ()) -> None:
        """Remember the globals as they are.

        Args:
            modules: the modules.
            kept: globals that belong to the world, and so to all processes.
        """
        self._modules = tuple(modules)
        self._kept = frozenset(kept)
        self._first = self.taken()

    def restart(self, kept: Iterable[GlobalName] = ()) -> None:
        """Start a new process: give every global its first value, and every container its first content."""
        self._kept |= frozenset(kept)
        self._put(self._first, self._kept)

    def add(self, module: Namespace) -> None:
        """Remember the globals of one more module as they are."""
        self._modules = (*self._modules, module)
        self._first |= self._taken_of((module,))

    def keep_only(self, modules: Iterable[Namespace]) -> None:
        """Ignore the other modules from now on."""
        wanted = {id(module) for module in modules}
        self._modules = tuple(module for module in self._modules if id(module) in wanted)

    def switch_to(self, there: ProcessGlobals | None, kept: Iterable[GlobalName] = ()) -> None:
        """Switch to another process.

        Args:
            there: the result of `taken` in it; None for a new process.
            kept: further globals that belong to the world.
        """
        if there is None:
            self.restart(kept)
            return
        self._kept |= frozenset(kept)
        # The other process has not imported the modules that were added since.
        imported = {owner for owner, _ in there}
        first = {place: value for place, value in self._first.items() if place[0] not in imported}
        self._put({**first, **there}, self._kept)

    def free_locks(self) -> None:
        self._renew({identity(lock) for lock in held_locks(self._modules)})

    def _renew(self, locks: AbstractSet[int]) -> None:
        """Replace some locks, by their identity, under all their names."""
        new: dict[int, object] = {}
        for module in self._modules if locks else ():
            namespace = vars(module)
            for name, value in list(namespace.items()):
                if type(value) in LOCKS and (key := identity(value)) in locks:
                    namespace[name] = new.setdefault(key, LOCKS[type(value)]())

    def any_lock_held(self) -> bool:
        return bool(held_locks(self._modules))

    def changed(self) -> set[GlobalName]:
        """Return the globals that have changed since the first process began."""
        now = self.taken()
        return {
            place
            for place in {*now, *self._first}
            if place not in self._kept and not _alike(now.get(place), self._first.get(place))
        }

    def shown_by(
        self, observe: Callable[[], object], candidates: AbstractSet[GlobalName]
    ) -> frozenset[GlobalName]:
        """Return the candidates that belong to the world; see the function `shown_by`."""
        return shown_by(observe, candidates, self._reset)

    @contextmanager
    def _reset(self, places: AbstractSet[GlobalName]) -> Generator[None, None, None]:
        """Give some globals their first values for a block."""
        here = self.taken()
        others = {*self._first, *here} - places
        self._put(self._first, self._kept | others)
        try:
            yield
        finally:
            self._put(here, self._kept)

    def taken(self) -> ProcessGlobals:
        """Return the globals as they are."""
        return self._taken_of(self._modules)

    def _taken_of(self, modules: Iterable[Namespace]) -> ProcessGlobals:
        return {
            (module.__name__, name): (value, _content(value))
            for module in modules
            for name, value in vars(module).items()
            if not is_one_of(_NO_STATE, value) and not name.startswith("__")
        }

    def _put(self, values: ProcessGlobals, kept: frozenset[GlobalName] | set[GlobalName]) -> None:
        namespaces = {module.__name__: vars(module) for module in self._modules}
        held_elsewhere = set()
        for (owner, name), (value, content) in values.items():
            namespace = namespaces.get(owner)
            if namespace is None or (owner, name) in kept:
                continue
            namespace[name] = value
            if type(value) in LOCKS:
                # A lock excludes only threads of its own process.
                if is_held(value) and not content:
                    held_elsewhere.add(identity(value))
            elif content is not None:
                fill(vars(value) if is_one_of((threading.local,), value) else value, content)
        for owner, namespace in namespaces.items():
            for name, value in list(namespace.items()):
                is_state = not is_one_of(_NO_STATE, value) and not name.startswith("__")
                if is_state and (owner, name) not in values and (owner, name) not in kept:
                    del namespace[name]
        self._renew(held_elsewhere)


class Memory(NamedTuple):
    """The memory of a process, while another one runs."""

    names: ProcessGlobals
    #: What classes, functions and objects keep.
    values: ProcessValues
    locks: list[Slot]
    #: What belongs to the whole process, such as its working directory.
    state: ProcessState


class Memories:
    """Gives each process of a world a memory of its own, although all of them run in this Python."""

    def __init__(
        self,
        engine: Engine,
        modules: Iterable[Namespace],
        observe: Callable[[], object],
        *,
        kept: Iterable[GlobalName] = (),
        ran: Callable[[], Collection[str]] | None = None,
    ) -> None:
        """Begin with the first process of a world that was just built.

        Args:
            engine: knows what processes keep besides globals.
            modules: each process has its own globals of these modules.
            observe: returns the state, to find out what belongs to the world.
            kept: globals that are known to belong to the world.
            ran: returns the files whose code has run in deliveries, where that is not the code of all modules, and
                where no clean run has shown what processes keep; None otherwise.
        """
        self._engine = engine
        self._observe = observe
        self._ran = ran
        modules = tuple(modules)
        self._files = {module.__name__: file_of(module) for module in modules}
        self.globals = ModuleGlobals(modules, kept)

    def begin(self, stack: ExitStack, *, learns: bool) -> None:
        """Begin when the first state of the world was looked at.

        Args:
            stack: ends it, before `end`.
            learns: whether to look at every place in which a process may keep something.
        """
        self._engine.process_memory.begin(learns=learns)
        if self._ran is not None:
            self._engine.process_memory.note_step(self._engine.scope.modules())
        stack.enter_context(self._engine.noting_imports(self._note_import))

    def of_world(self) -> frozenset[GlobalName]:
        """Return the globals that have changed and belong to the world."""
        changed = self.globals.changed()
        others = self._of_others(changed)
        return frozenset(others) | self.globals.shown_by(self._observe, changed - others)

    @contextmanager
    def step(self) -> Generator[None, None, None]:
        """Make deliveries, or start processes, in a block. The test changes what changes between two blocks."""
        self._engine.process_memory.note_others()
        try:
            yield
        finally:
            self._engine.process_memory.note_step(self._engine.scope.modules())

    def restart(self) -> None:
        """Start a new process, when the one before it is dead."""
        self._guess()
        self.globals.restart(self.of_world())
        self._engine.process_memory.restart()
        self._engine.renew_process(self._observe)

    def leave_dead(self, frames: Iterable[FrameType] = ()) -> Memory:
        """Return the memory of the process, which is dead, and release the locks that it holds.

        Args:
            frames: its functions that may hold locks, inside of blocks.
        """
        memory, held = self._taken(), release_held(frames)
        self._engine.renew_locks(self._observe)
        return memory._replace(locks=[*memory.locks, *held])

    def switch_to(self, there: Memory | None, frames: Iterable[FrameType] = ()) -> Memory:
        """Switch to another process; return the memory of the one that is left.

        Args:
            there: its memory; None for a new process.
            frames: the functions of the process that is left which may hold locks, inside of blocks.
        """
        self._guess()
        here = self._taken()
        decides = there is None or self._ran is not None
        kept = self.of_world() if decides else ()
        self.globals.switch_to(None if there is None else there.names, kept)
        self._engine.process_memory.switch_to(None if there is None else there.values)
        # After the globals: one of them may be a lock that is bound to the loop of a process that has ended.
        held = release_held(frames)
        if there is None:
            self._engine.renew_locks(self._observe)
            self._engine.first_state.put_back(recursion_limit=False)
        else:
            for slot in there.locks:
                slot.put(slot.value)
            there.state.put_back()
        return here._replace(locks=[*here.locks, *held])

    def _taken(self) -> Memory:
        return Memory(
            self.globals.taken(),
            self._engine.process_memory.taken(),
            self._engine.synchronisers(),
            ProcessState.taken(),
        )

    def end(self) -> None:
        """End the last process: nothing of the deliveries stays in force."""
        self.globals.restart(() if self._ran is None else self._of_others(self.globals.changed()))
        self._engine.process_memory.end()
        self._engine.leave_nothing()

    def _note_import(self, module: Namespace) -> None:
        if module.__name__ not in self._files:
            self._files[module.__name__] = file_of(module)
            self.globals.add(module)
            self._engine.process_memory.note_import(module)

    def _of_others(self, changed: set[GlobalName]) -> set[GlobalName]:
        """Return the globals that no delivery can have changed."""
        files = None if self._ran is None else self._ran()
        return {name for name in changed if files is not None and self._files[name[0]] not in files}

    def _guess(self) -> None:
        self._engine.process_memory.guess(self._observe, only_caches=self._ran is None)


def _content(value: Any) -> Any:
    """Return what a global holds: a copy of a container, what this thread keeps, or whether it is a held lock."""
    if is_one_of(CONTAINERS, value):
        return copy.copy(value)
    if type(value) in LOCKS:
        return is_held(value)
    return dict(vars(value)) if is_one_of((threading.local,), value) else None


def _alike(now: tuple[Any, Any] | None, before: tuple[Any, Any] | None) -> bool:
    if now is None or before is None:
        return now is before
    if now[0] is not before[0]:
        return False
    try:
        return before[1] is None or bool(now[1] == before[1])
    except Exception:
        return False


def held_locks(modules: Iterable[Namespace]) -> list[Any]:
    """Return the locks among the globals of modules that are held."""
    return [
        value
        for module in modules
        for value in list(vars(module).values())
        if type(value) in LOCKS and is_held(value)
    ]


def is_held(lock: Any) -> bool:
    locked = getattr(lock, "locked", None)
    return bool(locked() if locked is not None else lock._is_owned())
