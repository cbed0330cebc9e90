"""Sleeping in a performed job moves the clock instead of waiting, and is measured as if it had waited."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from operator import index
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex

from ..records.attributes import identity, names_of
from ..records.instants import duration_ns
from ..records.record import current_record
from .clock import SleepingClock, VirtualClock
from .limits import sleep_within_limits

if TYPE_CHECKING:
    from .loop import JobLoops

_NS_PER_SECOND = 1_000_000_000


class Place(NamedTuple):
    """A name in the namespace of a module that holds a function."""

    namespace: dict[str, Any]
    name: str
    #: The number of the function among those that were looked for.
    number: int


class Replaced(NamedTuple):
    """A place that holds a function of ours instead of the original."""

    place: Place
    ours: Callable[..., Any]
    original: Callable[..., Any]

    def restore(self) -> bool:
        """Put the original back and return True, unless another patch is in the place."""
        if self.place.namespace.get(self.place.name) != self.ours:
            return False
        self.place.namespace[self.place.name] = self.original
        return True


class BoundSleeps:
    """Finds the places that hold a function, and searches again only when modules were imported since."""

    __slots__ = ("_found", "_left", "_modules")

    def __init__(self) -> None:
        self._modules = 0
        # By the ids of the functions, since not every callable has a hash; with the functions, so that no
        # others get their ids.
        self._found: dict[tuple[int, ...], tuple[Sequence[Callable[..., Any]], list[Place]]] = {}
        self._left: list[Replaced] = []

    def places(self, functions: Sequence[Callable[..., Any]]) -> list[Place]:
        """Return every place that holds one of some functions, without those in the standard library.

        Args:
            functions: functions of `time`, whose own places are among them unless they are patched.
        """
        if len(sys.modules) != self._modules:
            self._modules = len(sys.modules)
            self._found = {}
        key = tuple(map(id, functions))
        if key not in self._found:
            self._found[key] = functions, list(_places(functions))
        return self._found[key][1]

    def restore(self, replaced: list[Replaced]) -> None:
        """Put originals back where ours still are; remember the places where another patch is."""
        self._left += [place for place in replaced if not place.restore()]

    def restore_left(self) -> None:
        """Put originals back where another patch has ended since `restore`, and brought ours back."""
        left = [replaced for replaced in self._left if not replaced.restore()]
        if len(left) < len(self._left):
            self._left, self._found = left, {}


def _places(functions: Sequence[Callable[..., Any]]) -> Iterator[Place]:
    wanted: dict[int, int] = {}
    for number, function in enumerate(functions):
        wanted.setdefault(identity(function), number)
    left_out = sys.stdlib_module_names - {"time"}
    for module_name, module in list(sys.modules.items()):
        if not isinstance(module, ModuleType) or module_name.partition(".")[0] in left_out:
            continue
        for name, value in names_of(wanted.keys(), vars(module)):
            yield Place(vars(module), name, wanted[identity(value)])


#: The places of this process.
bound_sleeps = BoundSleeps()


class SleepPatch(SleepingClock):
    """Replaces `time.sleep` while a harness is open, for the threads that perform a job.

    From the first delivery on it replaces the functions that measure durations too, since a loop
    that sleeps until `time.monotonic` has passed a deadline would never end; and it finds the
    modules that have any of them under a name of their own. The standard library keeps the real
    ones: it waits for real threads, locks and sockets. It is the clock of the loops that a job makes.
    """

    __slots__ = (
        "_installed",
        "_loops",
        "_modules",
        "_pass",
        "_performs_here",
        "_real",
        "_replaced",
        "_still",
        "threads",
    )

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self._real: Callable[[Any], None] = time.sleep
        self._installed = False
        self._replaced: list[Replaced] = []
        #: The thread of each delivery that is being made.
        self.threads: list[int] = []
        self._pass: Callable[[int], None] = clock.advance_ns
        #: Returns whether a thread performs a part of a job, although no delivery was begun in it.
        self._performs_here: Callable[[], bool] = lambda: False
        #: Where the functions that measure durations stand, but for the sleeps; None if they measure real time.
        self._still: dict[Callable[..., Any], Any] | None = None
        self._loops: JobLoops | None = None
        #: How many modules had been imported at the last look for event loops.
        self._modules = 0

    def install(self) -> None:
        self._real = time.sleep
        self._installed = True
        time.sleep = self._sleep

    def uninstall(self) -> None:
        """Restore every place where no other patch is."""
        self._installed = False
        if self._loops is not None:
            self._loops.uninstall()
            self._loops = None
            self._modules = 0
        if self._replaced:
            bound_sleeps.restore(self._replaced)
            self._replaced = []
        if time.sleep == self._sleep:
            time.sleep = self._real

    def enter(self) -> int:
        """Note that this thread begins a delivery; return the number to pass to `leave`."""
        if not self._replaced:
            self._replace()
        if len(sys.modules) != self._modules:
            self._virtualize_loops()
        thread = threading.get_ident()
        self.threads.append(thread)
        return thread

    def _virtualize_loops(self) -> None:
        """Patch asyncio, and asgiref, if either has been imported since."""
        if "asyncio" in sys.modules:
            if self._loops is None:
                from .loop import JobLoops

                self._loops = JobLoops(self, self)
                self._loops.install()
            self._loops.catch_up()
        self._modules = len(sys.modules)

    def leave(self, thread: int) -> None:
        """Note that a delivery of this thread has ended."""
        self.threads.remove(thread)

    @contextmanager
    def passing_time(
        self,
        pass_ns: Callable[[int], None],
        performs_here: Callable[[], bool] = lambda: False,
        *,
        stands_still: bool = False,
    ) -> Generator[None, None, None]:
        """Call a function for the sleeps of jobs in a block, instead of moving the clock.

        Args:
            pass_ns: called in the thread of the job with how long it sleeps, in nanoseconds.
            performs_here: returns whether a thread performs a part of a job that another one has handed over.
            stands_still: whether a job measures its sleeps alone, so that it measures the same each time it runs.
        """
        before = self._pass, self._performs_here, self._still
        self._pass, self._performs_here = pass_ns, performs_here
        self._still = {} if stands_still else None
        try:
            yield
        finally:
            self._pass, self._performs_here, self._still = before

    def _replace(self) -> None:
        """Put our functions into every place that holds one of the originals."""
        bound_sleeps.restore_left()
        replaced: list[tuple[Callable[..., Any], Callable[..., Any]]] = [(self._real, self._sleep)]
        for clock, is_ns in (
            (time.monotonic, False),
            (time.monotonic_ns, True),
            (time.perf_counter, False),
            (time.perf_counter_ns, True),
        ):
            replaced.append((clock, self._with_sleeps(clock, is_ns=is_ns)))
        for place in bound_sleeps.places([original for original, _ in replaced]):
            original, ours = replaced[place.number]
            if place.namespace.get(place.name) is original:
                place.namespace[place.name] = ours
                self._replaced.append(Replaced(place, ours, original))

    def _sleep(self, seconds: float | SupportsIndex, /) -> None:
        length = None
        if self._is_virtual_for(sys._getframe(1).f_globals):
            if isinstance(seconds, int | float):
                length = seconds
            elif isinstance(seconds, SupportsIndex):
                length = index(seconds)
        if length is not None and length >= 0:
            self.advance_ns(duration_ns(length))
        else:
            self._real(seconds)

    def _with_sleeps(self, original: Callable[[], Any], *, is_ns: bool) -> Callable[[], Any]:
        """Return a clock that measures real time and, in a job, the virtual sleeps in addition."""

        def measured() -> Any:
            slept_ns, now = self._clock.travelled_ns, original()
            if not slept_ns or self._clock.moves_durations:
                return now
            if not self._is_virtual_for(sys._getframe(1).f_globals):
                return now
            if self._still is not None:
                now = self._still.setdefault(original, now)
            return now + (slept_ns if is_ns else slept_ns / _NS_PER_SECOND)

        return measured

    def _is_virtual_for(self, caller: dict[str, Any]) -> bool:
        """Return whether the caller is a job, or code that a job called, outside the standard library.

        Args:
            caller: the namespace of the module that calls.
        """
        package = caller.get("__name__", "").partition(".")[0]
        return self.performs_job() and package not in sys.stdlib_module_names

    def performs_job(self) -> bool:
        """Return whether this thread performs a job, and not within a block of real time."""
        return (
            self._installed
            and (threading.get_ident() in self.threads or self._performs_here())
            and current_record.get() is not None
            and not self._clock.suspended
        )

    def advance_ns(self, ns: int) -> None:
        """Let a job sleep."""
        sleep_within_limits(ns, self._pass)
