"""One delivery, watched: its points, its acts, and its end."""

from __future__ import annotations

import contextlib
import dis
import errno
import functools
import inspect
import sys
import threading
import types
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from types import CodeType, FrameType
from typing import Any, Final, Literal, NoReturn, Protocol, TypeAlias

from ...harness.records.delivery import Delivery
from ...harness.records.instants import duration_ns
from ...harness.running.performer import Body
from .acts import Act, watcher
from .lines import LineTracer
from .points import Place, Point, PointCounter, PointKind
from .unwinding import hush_loop

#: So often a delivery sleeps as long as it wants to.
_AS_ASKED: Final = 400
#: From then on each sleep is so much longer than the one before.
_GROWTH: Final = 1.1
#: After so much of it, what has not run out by then never will.
_ENOUGH_NS: Final = duration_ns(timedelta(days=50).total_seconds())


class Patience:
    """Lets a loop that sleeps until a lock is free end soon, whatever the lock's lease.

    A sleep may always take longer than was asked for. Where the holder is dead, its lease runs out
    in the time of the exploration before the loop has gone round for ever.
    """

    __slots__ = ("_factor", "_slept", "_slept_ns")

    def __init__(self) -> None:
        self._factor = 1.0
        self._slept = self._slept_ns = 0

    def lengthened(self, ns: int, *, holder_is_alive: bool) -> int | None:
        """Return how long a sleep takes, in nanoseconds; None when the delivery has waited long enough.

        Args:
            ns: how long it was to take.
            holder_is_alive: whether what is waited for is suspended rather than dead: its lease is not
                to run out for the waiting alone.
        """
        self._slept += 1
        if self._slept <= _AS_ASKED:
            return ns
        if holder_is_alive:
            return None
        self._factor *= _GROWTH
        longer = int(ns * self._factor)
        self._slept_ns += longer
        return longer if self._slept_ns < _ENOUGH_NS else None


#: By an exception, or without one.
BlockEnd: TypeAlias = Literal["raised", "reached"]

_RAISED: Final = ("PUSH_EXC_INFO", "WITH_EXCEPT_START")
#: The three `None` that `__exit__` gets.
_REACHED: Final = ("LOAD_CONST",) * 3
_OPERATION: Final = 2


def block_end(code: CodeType) -> BlockEnd | None:
    """Return how a function that is running leaves a `with` block; None where it does not.

    Args:
        code: its code, a line of which is heard.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not code:
        frame = frame.f_back
    if frame is None:
        return None
    rest = code.co_code[frame.f_lasti :]
    if _names(rest, 2) == _RAISED:
        return "raised"
    if _names(rest, 1) == ("SWAP",):
        # What is returned in the block stays below.
        rest = rest[_OPERATION:]
    if _names(rest, 4) == (*_REACHED, "CALL") and _loads_none(code, rest):
        return "reached"
    return None


def _names(operations: bytes, number: int) -> tuple[str, ...]:
    return tuple(dis.opname[each] for each in operations[: number * _OPERATION : _OPERATION])


def _loads_none(code: CodeType, operations: bytes) -> bool:
    loaded: list[Any] = [code.co_consts[operations[place]] for place in (1, 3, 5)]
    return loaded == [None, None, None]


_SHARED: Final = (
    "Two deliveries would use one connection to a database, so that each would see, commit and roll back what "
    "the other did: no two workers do. Let each delivery open its own: in the world, use a file or a server "
    "rather than one connection in memory, and no pool of a single connection (StaticPool)."
)
_TAKEN: Final = (
    "A debugger, or other code that calls sys.settrace, took the place of what hears of the lines of the job, so "
    "that the lines after it would not be explored: take it out, or run on Python 3.12 or newer."
)
#: Called at each point of a delivery, with its place in the order; returns what to raise there, or None.
Reach: TypeAlias = Callable[[int, Point], BaseException | None]
#: So many lines may run of a delivery that is dead, while it is unwound.
_LAST_LINES: Final = 200
#: So many lines of a delivery that is not the first, and it waits without end for another.
_SPINNING: Final = 20_000


class Unwound(BaseException):
    """Ends a delivery that is dead already, and whose world is thrown away."""


@dataclass(eq=False)
class Run:
    """One delivery of a history, as it went."""

    number: int
    #: When it began, in nanoseconds of the virtual clock.
    at_ns: int = 0
    points: list[Point] = field(default_factory=list)
    #: The act of each point that is one of an act.
    point_acts: list[Act | None] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    #: Where it was stopped; None when it came to its end.
    stopped_at: Point | None = None
    delivery: Delivery | None = None
    error: BaseException | None = None
    acknowledged: bool = False
    #: Whether it had to wait for a delivery that was suspended, and so was given up.
    spinning: bool = False
    #: Whether the library would never deliver the job again, as it is configured.
    dropped: bool = False
    #: What it did in threads that it began.
    elsewhere: list[str] = field(default_factory=list)


class Surroundings(Protocol):
    """What a delivery is watched in."""

    def refuse(self, why: str) -> None:
        """Note that nothing can be shown."""
        ...

    def wants(self, code: CodeType) -> bool:
        """Say whether the lines of some code are points."""
        ...

    def is_shared(self, connection: object) -> bool:
        """Say whether a delivery that is suspended, and alive, holds a connection."""
        ...

    def hear_again(self) -> None:
        """Hear lines again, where an exception ended it."""
        ...


#: Whether what happens outside in this context is part of an act.
_within_act: ContextVar[bool] = ContextVar("pytest_jobs_within_act", default=False)


class Watch:
    """Counts the points of one delivery, and stops it where it is to be stopped."""

    def __init__(
        self,
        run: Run,
        reach: Reach | None,
        history: Surroundings,
        *,
        rival: bool,
        lines: bool = True,
        limited: bool = False,
    ) -> None:
        """Begin to watch the delivery that this thread is about to make.

        Args:
            run: is told of all.
            reach: called at each point.
            history: in which it is made.
            lines: whether its lines are points, also where that keeps another tool from hearing them.
            limited: whether so many lines mean that it waits without end for what is dead.
            rival: whether another delivery is suspended meanwhile, for which this one may have to wait.
        """
        self._run = run
        self._reach = reach
        self._history = history
        self._rival = rival
        self._limited = limited or rival
        #: Whether its lines have to be heard.
        self.lines = lines or rival or reach is not None
        #: In which it is made.
        self.thread = threading.get_ident()
        self._counter = PointCounter()
        self._connections: list[tuple[Callable[[], object], object]] = []
        self._lines = self._last_lines = 0
        self._hold: Callable[[], object] | None = None
        self._patience = Patience()
        #: How much has gone on.
        self.beats = 0
        self.dead = False
        #: Whether its worker was killed.
        self.killed = False
        self.spinning = False

    def line(self, code: CodeType, line: int) -> None:
        """Hear that a line is about to run."""
        self._lines += 1
        if self.dead:
            self._unwind_line()
            return
        self._check_alive()
        if self._limited and self._lines > _SPINNING:
            self._wait_for_rival()
        if not self._counter.is_inlined(code, line):
            self._at(self._counter.line(code, line))

    def sleeping(self, ns: int) -> int:
        """Hear of a sleep in nanoseconds; return how long it takes."""
        if not self._limited or self.dead:
            return ns
        length = self._patience.lengthened(ns, holder_is_alive=self._rival)
        if length is None:
            self._wait_for_rival()
        return length

    def waiting(self, awaitable: Any) -> None:
        """Hear that the coroutine of the job waits for something."""
        self._pause("await", awaitable)

    def going_on(self, awaitable: Any) -> None:
        """Hear that it has what it waited for."""
        self._pause("awaited", awaitable)

    @contextmanager
    def acting(self, act: Act) -> Generator[None, None, None]:
        """Hear of an act, and let it happen or not."""
        self._check_alive()
        alone = self._is_own_thread() and not _within_act.get()
        name = f"{act.kind}: {act.text}"
        if alone:
            self._counter.place = self._place()
            self._at(self._counter.act("before", name), act)
        counts = act.counts and not _within_act.get()
        with _Doing(self, act.busy):
            yield
        self.beats += 1
        if counts:
            self._run.acts.append(act)
        if alone:
            self._counter.place = self._place()
            self._at(self._counter.act("after", name), act)
        elif not self._is_own_thread():
            self._run.elsewhere.append(name)

    @contextmanager
    def looking(self, busy: Callable[[BaseException], bool]) -> Generator[None, None, None]:
        """Hear that something is read."""
        self._check_alive()
        with _Doing(self, busy):
            yield

    def changing(self, text: str) -> None:
        """Hear that a file is about to be changed."""
        if _within_act.get():
            return
        self._check_alive()
        if not self._is_own_thread():
            self._run.elsewhere.append(f"file: {text}")
            return
        act = Act("file", text, counts=False, refused=_no_space, answer_lost=None)
        self._counter.place = self._place()
        self._at(self._counter.act("before", f"file: {text}"), act)

    def outside(self, text: str) -> None:
        """Refuse what leaves the process and is no act that can be told from others."""
        if not _within_act.get():
            self.refuse(
                f"The job called {text}, which reaches outside of the world, and nothing that pytest-jobs knows "
                "owns it: put a fake in the place of what does it (`fake(module, name, ...)`), or declare what "
                "does it an effect (`effects.wrap(object, name)`)."
            )

    def note(self, act: Act) -> None:
        """Note that an act has had its effect."""
        self._run.acts.append(act)

    def begun(self, function: Callable[..., object]) -> None:
        """Hear that a thread begins to run a function."""
        code = getattr(function, "__code__", None)
        if code is not None and self._history.wants(code):
            self._run.elsewhere.append(f"{function.__qualname__}()")

    def opened(self, close: Callable[[], object], shared: object) -> None:
        """Note a connection of this delivery."""
        if shared is not None and self._rival and self._history.is_shared(shared):
            self.refuse(_SHARED)
        self._connections.append((close, shared))

    def refuse(self, why: str) -> NoReturn:
        """End it, since nothing can be shown by it."""
        self._check_alive()
        self._history.refuse(why)
        self.dead = True
        raise Unwound

    def kill(self) -> None:
        """Let its worker die."""
        self.killed = True
        self.close_connections()

    def give_up(self) -> None:
        """Let it go no further: it waits for another delivery."""
        self.dead = self.spinning = True

    def give_way(self, hold: Callable[[], object]) -> None:
        """Let it call a function as soon as it goes on: it waits for another delivery."""
        self._hold = hold

    def taken_from(self) -> None:
        """Hear that something else has taken the place of what hears of the lines."""
        self._history.refuse(_TAKEN)

    def may_wait(self) -> bool:
        """Say whether no delivery is suspended that may hold a lock."""
        return not self._rival

    def holds(self, shared: object) -> bool:
        """Say whether a connection is one of this delivery's."""
        return any(held is shared for _, held in self._connections)

    def close_connections(self) -> None:
        """Close what this delivery opened, as the kernel does."""
        while self._connections:
            with contextlib.suppress(Exception):
                self._connections.pop()[0]()

    def _pause(self, kind: PointKind, awaitable: Any) -> None:
        self._check_alive()
        if _within_act.get():
            # An act is one step, however often a driver waits for its socket or its thread in it.
            return
        self._counter.place = _place_of_await(awaitable, self._history.wants) or self._counter.place
        self._at(self._counter.pause(kind))

    def _at(self, point: Point, act: Act | None = None) -> None:
        index = len(self._run.points)
        self.beats += 1
        self._run.points.append(point)
        self._run.point_acts.append(act)
        if self._reach is None:
            return
        error = self._reach(index, point)
        if error is None:
            return
        if isinstance(error, Unwound):
            self.dead = True
            self._run.stopped_at = point
        raise error

    def give_way_to_rival(self) -> None:
        """Let it wait for the delivery that is suspended, if there is one, since it found a lock held."""
        if self._rival:
            self._wait_for_rival()

    def _wait_for_rival(self) -> NoReturn:
        self.dead = self.spinning = True
        raise Unwound

    def _place(self) -> Place:
        frame: FrameType | None = sys._getframe(2)
        while frame is not None:
            if self._history.wants(frame.f_code):
                return frame.f_code.co_qualname, frame.f_code.co_filename, frame.f_lineno
            frame = frame.f_back
        return self._counter.place

    def _is_own_thread(self) -> bool:
        return threading.get_ident() == self.thread

    def _check_alive(self) -> None:
        if self._hold is not None:
            hold, self._hold = self._hold, None
            hold()
        if self.dead:
            # It may catch what unwinds it here, and try again for ever.
            self._history.hear_again()
            raise Unwound

    def _unwind_line(self) -> None:
        """Let what is dead release what it holds in memory, which the next history finds; no more than that."""
        self._last_lines += 1
        if self._last_lines > _LAST_LINES:
            raise Unwound


def lengthened(ns: int) -> int:
    """Return how long a sleep takes in what is explored, in nanoseconds."""
    watch = watcher.get()
    return watch.sleeping(ns) if isinstance(watch, Watch) else ns


class _Doing:
    """The block in which an act is done, or something is read: what happens in it is part of that."""

    __slots__ = ("_busy", "_token", "_watch")

    def __init__(self, watch: Watch, busy: Callable[[BaseException], bool]) -> None:
        self._watch = watch
        self._busy = busy

    def __enter__(self) -> None:
        self._token = _within_act.set(True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        _within_act.reset(self._token)
        if isinstance(error, Exception) and self._busy(error):
            self._watch.give_way_to_rival()


def _place_of_await(awaitable: Any, wants: Callable[[CodeType], bool]) -> Place | None:
    """Return where a coroutine stands: in the innermost function that counts."""
    place = None
    while awaitable is not None:
        frame = getattr(awaitable, "cr_frame", None)
        if frame is not None and wants(frame.f_code):
            place = (frame.f_code.co_qualname, frame.f_code.co_filename, frame.f_lineno)
        awaitable = getattr(awaitable, "cr_await", None)
    return place


def _no_space() -> Exception:
    return OSError(errno.ENOSPC, "No space left on device")


class WatchedBody(Body):
    """Runs the body of a job with its lines heard."""

    def __init__(self, watch: Watch, tracer: LineTracer) -> None:
        self._watch = watch
        self._tracer = tracer
        self.outcome: BaseException | None = None
        self.called = False

    def __call__(self, call: Callable[[], Any], /) -> Any:
        """Run the body."""
        self.called = True
        with self._hooked():
            result = call()
        return self._awaited(result) if inspect.isawaitable(result) else result

    @contextmanager
    def _hooked(self) -> Generator[None, None, None]:
        watch = self._watch
        with self._tracer.hooked(watch.line, needed=watch.lines):
            yield
            if self._tracer.was_taken():
                watch.taken_from()

    async def _awaited(self, awaitable: Any) -> Any:
        try:
            with self._hooked():
                if not inspect.iscoroutine(awaitable):
                    return await awaitable
                return await _paused(awaitable, self._watch)
        finally:
            if self._watch.dead:
                hush_loop()


@types.coroutine
def _paused(coroutine: Any, watch: Watch) -> Generator[Any, Any, Any]:
    """Drive a coroutine, and let what watches it hear where it waits, and where it goes on."""
    step: Callable[[], Any] = functools.partial(coroutine.send, None)
    while True:
        try:
            wanted = step()
        except StopIteration as end:
            return end.value
        step = yield from _waited(coroutine, watch, wanted)


def _waited(coroutine: Any, watch: Watch, wanted: Any) -> Generator[Any, Any, Callable[[], Any]]:
    try:
        watch.waiting(coroutine)
        answer = yield wanted
        watch.going_on(coroutine)
    except BaseException as error:
        return functools.partial(coroutine.throw, error)
    return functools.partial(coroutine.send, answer)
