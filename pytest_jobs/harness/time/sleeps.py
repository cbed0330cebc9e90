"""Sleeping in a performed job moves the clock instead of waiting, and is measured as if it had waited."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from operator import index
from types import ModuleType
from typing import Any, NamedTuple, SupportsIndex

from ..records.instants import duration_ns
from ..records.record import current_record
from .clock import VirtualClock


class Place(NamedTuple):
    """A name in the namespace of a module."""

    namespace: dict[str, Any]
    name: str


class Taken(NamedTuple):
    """A place that holds a function of ours instead of the original."""

    place: Place
    ours: Callable[..., Any]
    original: Callable[..., Any]

    def give_back(self) -> bool:
        """Put the original back, unless another patch holds the place; say whether it was put back."""
        if self.place.namespace.get(self.place.name) != self.ours:
            return False
        self.place.namespace[self.place.name] = self.original
        return True


class BoundSleeps:
    """Finds the places, and looks again only when modules were imported since."""

    __slots__ = ("_found", "_left", "_modules")

    def __init__(self) -> None:
        self._modules = 0
        # By id, since not every callable has a hash; with the function, so that no other gets its id.
        self._found: dict[int, tuple[Callable[..., Any], list[Place]]] = {}
        self._left: list[Taken] = []

    def places(self, function: Callable[..., Any]) -> list[Place]:
        """Return every place that holds a function; those of the standard library are left out.

        Args:
            function: a function of `time`, whose own place is one of them unless it is patched.
        """
        if len(sys.modules) != self._modules:
            self._modules = len(sys.modules)
            self._found = {}
        key = id(function)
        if key not in self._found:
            self._found[key] = function, list(_search(function))
        return self._found[key][1]

    def give_back(self, taken: list[Taken]) -> None:
        """Put originals back where ours still are; remember the places that another patch holds."""
        self._left += [place for place in taken if not place.give_back()]

    def reclaim(self) -> None:
        """Put originals back where another patch has put ours since, too late."""
        left = [taken for taken in self._left if not taken.give_back()]
        if len(left) < len(self._left):
            self._left, self._found = left, {}


def _search(function: Callable[..., Any]) -> Iterator[Place]:
    for module, namespace in _namespaces():
        if module == "time" or not in_standard_library(module):
            for name, value in list(namespace.items()):
                if value is function:
                    yield Place(namespace, name)


def _namespaces() -> list[tuple[str, dict[str, Any]]]:
    modules = list(sys.modules.items())
    return [(name, vars(module)) for name, module in modules if isinstance(module, ModuleType)]


def in_standard_library(module: str) -> bool:
    """Say whether a module of this name is the standard library's."""
    return module.partition(".")[0] in sys.stdlib_module_names


#: The places of this process.
bound_sleeps = BoundSleeps()


_NS_PER_SECOND = 1_000_000_000


class SleepPatch:
    """Replaces `time.sleep` while a harness is open, for the threads that perform a job.

    From the first delivery on it replaces the functions that measure durations too, since a loop
    that sleeps until `time.monotonic` has passed a deadline would never end; and it finds the
    modules that hold any of them under a name of their own. The standard library keeps the real
    ones: it waits for what is real.
    """

    __slots__ = (
        "_clock",
        "_installed",
        "_originals",
        "_pass",
        "_places",
        "_real",
        "threads",
    )

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._real: Callable[[Any], None] = time.sleep
        self._installed = False
        self._originals: dict[str, Callable[..., Any]] = {}
        self._places: list[Taken] = []
        #: The thread of each delivery that is being made.
        self.threads: list[int] = []
        self._pass: Callable[[int], None] = clock.advance_ns

    def install(self) -> None:
        """Take the place of `time.sleep`."""
        self._real = time.sleep
        self._installed = True
        time.sleep = self._sleep

    def uninstall(self) -> None:
        """Give every place back that no other patch has taken since."""
        self._installed = False
        if self._places:
            bound_sleeps.give_back(self._places)
            self._places = []
        if time.sleep == self._sleep:
            time.sleep = self._real

    def enter(self) -> int:
        """Note that this thread begins a delivery; return what names it to `leave`."""
        if not self._places:
            self._take_places()
        thread = threading.get_ident()
        self.threads.append(thread)
        return thread

    def leave(self, thread: int) -> None:
        """Note that a delivery of this thread has ended."""
        self.threads.remove(thread)

    @contextmanager
    def passing_time(self, pass_ns: Callable[[int], None]) -> Generator[None, None, None]:
        """Let something else than moving the clock come of the sleeps of jobs, for a block.

        Args:
            pass_ns: called in the thread of the job with how long it sleeps, in nanoseconds.
        """
        before, self._pass = self._pass, pass_ns
        try:
            yield
        finally:
            self._pass = before

    def _take_places(self) -> None:
        bound_sleeps.reclaim()
        self._take(self._real, self._sleep)
        self._take(time.monotonic, _measuring(self, time.monotonic, seconds=True))
        self._take(time.monotonic_ns, _measuring(self, time.monotonic_ns, seconds=False))
        self._take(time.perf_counter, _measuring(self, time.perf_counter, seconds=True))
        self._take(time.perf_counter_ns, _measuring(self, time.perf_counter_ns, seconds=False))

    def _take(self, original: Callable[..., Any], ours: Callable[..., Any]) -> None:
        for place in bound_sleeps.places(original):
            if place.namespace.get(place.name) is original:
                place.namespace[place.name] = ours
                self._places.append(Taken(place, ours, original))

    def _sleep(self, seconds: float | SupportsIndex, /) -> None:
        length = None
        if self.is_virtual_for(sys._getframe(1).f_globals):
            length = seconds if isinstance(seconds, int | float) else _whole(seconds)
        if length is not None and length >= 0:
            self._pass(duration_ns(length))
        else:
            self._real(seconds)

    def is_virtual_for(self, caller: dict[str, Any]) -> bool:
        """Say whether the caller is a job at work, or what a job called outside the standard library.

        Args:
            caller: the namespace of the module that calls.
        """
        return (
            self._installed
            and threading.get_ident() in self.threads
            and current_record.get() is not None
            and not self._clock.suspended
            and not in_standard_library(caller.get("__name__", ""))
        )

    @property
    def slept_ns(self) -> int:
        """How far the clock was moved, in nanoseconds."""
        return self._clock.travelled_ns


def _measuring(
    patch: SleepPatch, original: Callable[[], Any], *, seconds: bool
) -> Callable[[], Any]:
    """Return a clock that measures real time and, in a job, what was slept besides."""

    def measured() -> Any:
        if not patch.is_virtual_for(sys._getframe(1).f_globals):
            return original()
        return original() + (patch.slept_ns / _NS_PER_SECOND if seconds else patch.slept_ns)

    return measured


def _whole(seconds: object) -> int | None:
    return index(seconds) if isinstance(seconds, SupportsIndex) else None
