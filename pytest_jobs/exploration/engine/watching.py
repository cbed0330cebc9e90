"""One delivery, watched: its points, its effects, and its end."""

from __future__ import annotations

import contextlib
import errno
import inspect
import math
import sys
import threading
import types
from collections.abc import Callable, Generator, Set as AbstractSet
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from functools import partial
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final, NoReturn, Protocol, TypeAlias

from ...harness.records.attributes import identity
from ...harness.records.instants import duration_ns
from ...harness.running.performer import Body
from ...harness.time.limits import has_limit
from .ending.baton import Baton
from .ending.leaving import frames_of_delivery, outwards, waiting_frames
from .lines import LineHook, LineTracer
from .points import PointKind
from .run import Act, Run, SourceState, Transaction, parts, within_compared
from .scope import Scope
from .unwinding import Skipped, Unwound, holds, isolated, let_tasks_end, silence_loop

#: A line of the project, by the function that has it.
Line: TypeAlias = tuple[CodeType, int]
#: Called at a point of a delivery, with its index; returns the error to raise there, or None.
AtPoint: TypeAlias = Callable[[int], BaseException | None]


@dataclass(frozen=True, slots=True)
class AtSome:
    """Something that is called at points of a delivery."""

    at_point: AtPoint
    #: Their indexes; None for all. A search that waits for one of thousands does not ask at each.
    indexes: AbstractSet[int | None] | None = None


class Owner(Protocol):
    """Makes deliveries, one of which may be suspended while another one runs."""

    #: Whether the verdict is taken, so that what dead deliveries change in the world is seen by nobody.
    settled: bool
    #: What effect sources keep as long as a history lasts, and as long as the search lasts.
    of_history: SourceState
    of_search: SourceState

    def form_of(self, value: object) -> object:
        """Return the form of a value in which random parts and times of two deliveries are the same."""
        ...

    def refuse(self, why: str) -> None:
        """Note why nothing can be shown."""
        ...

    def is_shared(self, connection: object) -> bool:
        """Return whether a suspended delivery uses a connection."""
        ...

    def note_random(self, text: str) -> None:
        """Let a text be compared as a random one."""
        ...

    def begin_process(self) -> int | None:
        """Return the id of a new process, for a delivery that asks for it; None for the real one."""
        ...

    def is_alive(self, process_id: int) -> bool | None:
        """Return whether a delivery with a process id is alive; None if it is the id of no delivery."""
        ...


_NO_SPACE: Final = partial(OSError, errno.ENOSPC, "No space left on device")
_SHARED: Final = (
    "Two deliveries would use one connection to a database, so that each would see, commit and roll back what "
    "the other did: no two workers do. Let each delivery open its own: in the world, use a file or a server "
    "rather than one connection in memory, and no pool of a single connection (StaticPool)."
)
_TAKEN: Final = (
    "A debugger, or other code that calls sys.settrace, took the place of what hears of the lines of the job, so "
    "that the lines after it would not be explored: take it out, or run on Python 3.12 or newer."
)
#: The frames of a delivery end where one of this file begins.
_DELIVERING: Final = str(Path(__file__).with_name("delivering.py"))
#: A dead delivery may run so many more lines, so that its blocks and its `finally` end what they began.
_LAST_LINES: Final = 2_000
#: An installed package may catch the exception that unwinds a delivery so often, and then its lines raise too.
_CATCHES: Final = 50
#: A delivery after the first that runs so many lines waits without end for another one.
_SPINNING: Final = 20_000

#: Whether code runs as a part of an effect, so that it is not an effect of its own.
_within_act: ContextVar[bool] = ContextVar("pytest_jobs_within_act", default=False)


class Life(Enum):
    """How far a delivery is from its end. It goes down this list, and may leave out what is between."""

    #: Each line, effect and await is a point.
    ALIVE = auto()
    #: Its worker is gone and its connections are closed. Its frames stand where they stood.
    KILLED = auto()
    #: It is being unwound. It leaves the blocks in which it stands, and no effect happens any more.
    DYING = auto()
    #: The check failed because of what it did. Its `finally` blocks clear up as in production: effects happen, and
    #: nothing is a point.
    REFUSED = auto()


_DEAD: Final = (Life.DYING, Life.REFUSED)


class Watch:
    """Counts the points of one delivery, and stops it at one of them."""

    def __init__(
        self,
        run: Run,
        scope: Scope,
        tracer: LineTracer,
        at_point: AtSome | None,
        owner: Owner,
        *,
        rival: bool = False,
        lines: bool = True,
        limited: bool = False,
    ) -> None:
        """Prepare to watch the delivery that this thread is about to make.

        Args:
            run: receives everything that happens.
            scope: decides whose lines are points.
            tracer: reports them.
            at_point: called at each point, or at some.
            owner: makes the delivery.
            rival: whether another delivery is suspended, for which this one may have to wait.
            lines: whether its lines must be traced even if that blinds another tool, such as coverage.
            limited: whether a delivery that runs very many lines waits for a lock that is never released.
        """
        self.run = run
        #: The callbacks that loops are to call at a time, each with the line that asked for it.
        self._callbacks: list[tuple[Any, str]] = []
        self.tracer = tracer
        self._scope = scope
        self._at_point = None if at_point is None else at_point.at_point
        self._indexes = None if at_point is None else at_point.indexes
        self._owner = owner
        self._rival = rival
        self._limited = limited or rival
        self.needs_lines = lines or rival or at_point is not None
        self.thread = threading.get_ident()
        #: What one of its threads has at a time.
        self.baton = Baton(lambda: self.progress, Unwound, self._works_in)
        #: The pool of threads that this delivery uses in the place of each.
        self.pools: dict[Any, Any] = {}
        #: Whether another thread than the one that makes the delivery does a part of it.
        self._has_helpers = False
        self._points = run.points
        self._point_acts = run.point_acts
        self._connections: list[tuple[Callable[[], object], object]] = []
        self._lines = self._last_lines = self._raised = 0
        self._leaving = tracer.leaving
        self._coroutine: Any = None
        self._hand_over: Callable[[], object] | None = None
        self._patience = Patience()
        #: Texts that are different in each delivery, with the names that points give them.
        self._volatile: dict[str, str] = {}
        #: The id of the process of this delivery; None if the job has not asked for it, or has the real one.
        self.own_process_id: int | None = None
        #: Whether the body of the job runs, and not what its library does around it.
        self.in_body = False
        self.life = Life.ALIVE

    @property
    def dead(self) -> bool:
        """Whether it goes no further, and at most ends what it has begun."""
        return self.life in _DEAD

    def die(self) -> None:
        """Let the delivery be unwound from here on."""
        if not self.dead:
            self.life = Life.DYING
            self.baton.die()

    @property
    def of_history(self) -> SourceState:
        return self._owner.of_history

    @property
    def of_search(self) -> SourceState:
        return self._owner.of_search

    @property
    def beats(self) -> int:
        """A number that grows with each point and each effect: a sign of life."""
        return len(self._point_acts) + self.run.acted

    @property
    def undisturbed(self) -> bool:
        """Whether this is the first delivery of its history, and none of its points interrupts it."""
        return self.run.number == 1 and self._at_point is None

    def form_of(self, value: object) -> object:
        return self._owner.form_of(value)

    # Points

    def line(self, code: CodeType, line: int) -> None:
        """Count a line that is about to run. The tracer calls it, and nothing is called as often."""
        if self._has_helpers:
            self.baton.take()
        self._lines += 1
        if self._hand_over is not None:
            self._give_way()
        if self._limited and self._lines > _SPINNING and self.life not in _DEAD:
            self.give_up()
        if self.life in _DEAD:
            if self._ends_here():
                self._raise_again()
            return
        if _within_act.get() or (self._scope.world_runs and self._scope.is_below_world()):
            return
        if self._leaving.is_edge(code, line):
            # No worker is killed between a block and its exit, since nothing would take back what it began.
            self._points.be_at(code, line)
            return
        index = self._points.line(code, line)
        if index is None:
            return
        self._point_acts.append(None)
        if self._at_point is None or (self._indexes is not None and index not in self._indexes):
            return
        try:
            self._interrupt_at(index)
        except Unwound:
            if self._may_leave():
                raise

    def acting(self, act: Act) -> AbstractContextManager[None]:
        """Return the block in which an effect happens, with a point before it and one after it.

        Entering it raises `Skipped` if the delivery is dead and only ends what it began, so that the effect must
        not happen.
        """
        return _Acting(self, act)

    def check_alive(self) -> None:
        """Raise if the delivery is dead: `Unwound` if it may be left here, `Skipped` if it ends what it began."""
        self._give_way()
        if self.life is Life.DYING:
            if self._ends_here():
                self._raise_again()
            raise Skipped

    def come(self, kind: PointKind, act: Act, place: Line | None = None) -> Line | None:
        """Come to the point before or after an effect; return the line of the project that it comes from.

        It raises if the delivery is killed there: `Skipped` before the effect, if it may not be left there.

        Args:
            kind: whether it comes before or after the effect.
            act: the effect.
            place: the line, if it is known; None to look for it.
        """
        if place is None:
            place = self._find_place()
        else:
            self._points.be_at(*place)
        self._points.add(kind, self._named(f"{act.kind}: {act.text}"))
        try:
            self._come_to(act)
        except Unwound:
            if self._may_leave():
                raise
            if kind == "before":
                raise Skipped from None
        return place

    @contextmanager
    def calling_back(self) -> Generator[None, None, None]:
        """Let a block be a callback that waited for a commit, or a receiver of a signal."""
        begin = len(self._point_acts)
        try:
            yield
        finally:
            self.run.callbacks.append(range(begin, len(self._point_acts)))

    def interrupts_this_thread(self) -> bool:
        """Wait until this thread is the one that goes on; return whether the delivery has not ended before."""
        is_helper = threading.get_ident() != self.thread
        self._has_helpers |= is_helper
        if self._has_helpers and self.in_body:
            self.baton.take()
        return self.in_body or not is_helper

    def hook_here(self) -> LineHook | None:
        """Return what hears of lines of another thread than the one that makes the delivery."""
        if threading.get_ident() == self.thread:
            # The job's lines are over, or have not begun: a library calls the project, for a signal say.
            return None
        self._has_helpers = True
        return self.line if self.in_body or self.dead else None

    def hand_over(
        self,
        function: Callable[..., object],
        begin: Callable[[Callable[..., Any]], Any],
        pool: object = None,
        workers: float = math.inf,
    ) -> Any:
        """Let another thread run a function, as a part of this delivery."""
        self._has_helpers = self.run.hands_over = True
        return self.baton.hand_over(function, begin, pool, workers)

    def _works_in(self, frame: FrameType | None) -> bool:
        return any(self._scope.wants(each.f_code) for each in outwards(frame))

    def changing(self, text: str, *, counts: bool = False) -> None:
        """Let a file be changed, with a point before it. Nothing reports when it has been changed.

        Args:
            text: the call.
            counts: whether no content of a file shows the change, so that it is compared by itself. A change
                of a temporary file is not compared.
        """
        if _within_act.get() or self.life is Life.REFUSED:
            return
        if self.dead and self._owner.settled and not self._ends_here():
            # A temporary folder of the dead delivery, or its lock file.
            self.run.changed_files_at_its_end = True
            return
        self.check_alive()
        if not self.interrupts_this_thread():
            self.run.elsewhere.append(f"file: {text}")
            return
        counts = counts and not any(volatile in text for volatile in self._volatile)
        act = Act("file", text, counts, key=text, refused=_NO_SPACE, answer_lost=None)
        self._find_place()
        self._points.add("before", self._named(f"file: {text}"))
        self._come_to(act)
        self.run.acted += 1
        if counts:
            self.run.acts.append(act)

    def pausing(self, kind: PointKind, coroutine: Any) -> None:
        """Count an await of the coroutine of the job: while it waits, or when it has the answer."""
        self._give_way()
        if self.life is Life.DYING:
            self._last_lines += 1
            if self._last_lines > _LAST_LINES or self._leaving.may_leave_await(coroutine):
                self._raise_again()
            return
        if _within_act.get() or self.life is Life.REFUSED:
            # An effect is one step, however often its driver waits for a socket or a thread.
            return
        waiting = coroutine
        while waiting is not None:
            frame = getattr(waiting, "cr_frame", None)
            if frame is not None and self._scope.wants(frame.f_code):
                self._points.be_at(frame.f_code, frame.f_lineno)
            waiting = getattr(waiting, "cr_await", None)
        self._points.add(kind)
        self.run.looked += 1
        try:
            self._come_to()
        except Unwound:
            if self._leaving.may_leave_await(coroutine):
                raise

    def ending(self) -> None:
        """Come to the point after the last line, before the library acknowledges the delivery.

        There is none if nothing counts that the delivery has done. A job of one line, which is its effect, has no
        other point behind it.
        """
        if self.baton.was_contested:
            self.run.elsewhere.append("threads that go on at the same time")
        self._leave_threads()
        if not self.dead and (self._lines or self._point_acts):
            self._points.add("end")
            self._come_to()

    def rename(self, text: str, name: str) -> None:
        """Let points call a text, which is a different one in each delivery, by a name."""
        self._volatile[text] = name

    def draw(self, text: str) -> None:
        """Note a random text of this delivery."""
        self.rename(text, "<random>")
        self._owner.note_random(text)

    def _named(self, text: str) -> str:
        """Return the text of an effect with names for what is different in each delivery."""
        for volatile, name in self._volatile.items():
            text = text.replace(volatile, name)
        return text

    def _come_to(self, act: Act | None = None) -> None:
        """Come to the last of the points."""
        index = len(self._point_acts)
        self._point_acts.append(act)
        if self._at_point is None or (self._indexes is not None and index not in self._indexes):
            return
        self._interrupt_at(index)

    def _interrupt_at(self, index: int) -> None:
        error = None if self._at_point is None else self.baton.kept(partial(self._at_point, index))
        if error is None:
            return
        if isinstance(error, Unwound):
            self.die()
            self.run.stopped = index
        raise error

    def _find_place(self) -> Line | None:
        """Note the innermost line of the project that runs now, and return it."""
        wants = self._scope.wants
        for frame in outwards(sys._getframe(2)):
            code = frame.f_code
            if wants(code):
                place = code, frame.f_lineno
                self._points.be_at(*place)
                return place
            # Below these frames stand the test, whatever launched it, and a delivery that is suspended.
            if identity(code) in _BEGINS_DELIVERY:
                break
        return None

    def driving(self, coroutine: Any) -> None:
        self._coroutine = coroutine

    # What effect sources report

    @contextmanager
    def looking(
        self, busy: Callable[[BaseException], bool], transaction: Transaction | None = None
    ) -> Generator[None, None, None]:
        self.check_alive()
        # Where nobody else can write, what is read does not depend on anybody else.
        may_differ = not self.run.is_alone_in(transaction)
        self.run.looked += may_differ
        try:
            with PartOfAct(self, busy):
                yield
        finally:
            self.run.looked += may_differ
            # It may have released the outermost savepoint of a transaction, and the next one looks like it.
            self.run.settle()

    def look(self, *, changes: bool = False) -> None:
        """Note that something outside of the memory of the delivery was looked at, or may have changed."""
        self.run.looked += 1
        self.run.acted += changes

    def outside(self, text: str) -> None:
        """Fail the check because of a call that leaves the process, unless it is part of an effect."""
        if not _within_act.get():
            self._find_place()
            self.refuse(
                f"The job called {text}, which reaches outside of the world{self._points.located()}. No effect "
                "source owns it, so each history would do it again, and nothing would show it. Put a fake in "
                "the place of what does it (`fake(module, name, ...)`), declare it an effect "
                "(`effects.wrap(object, name)`), or, if it changes nothing, let it run inside of "
                "`effects.looking()`."
            )

    def leave_tasks(self, loop: Any = None) -> None:
        """Note the tasks of the project that go on when the job has ended."""
        asyncio: Any = sys.modules.get("asyncio")
        if asyncio is None or self.dead:
            return
        ending = None if loop is not None else asyncio.current_task()
        for task in asyncio.all_tasks(loop):
            code = getattr(task.get_coro(), "cr_code", None)
            if task is ending or task.cancelling() or code is None:
                continue
            if not self._scope.wants(code):
                continue
            self.run.unfinished.append(f"task {code.co_qualname}()")

    def _leave_threads(self) -> None:
        """Note the functions that go on in other threads, and do something, when the job has ended."""
        left = [function for function, _ in self.baton.begun.values()]
        if not left or self.dead:
            return
        before = self.run.acted
        self.baton.wait_for_begun()
        if self.run.acted > before:
            self.run.unfinished += [f"thread {_name_of(function)}" for function in left]

    def called_later(self, handle: Any, caller: FrameType) -> None:
        """Note a callback that a loop, or a timer, is to call at a time."""
        code = caller.f_code
        if not self.dead and self._scope.wants(code):
            kind = "timer" if isinstance(handle, threading.Timer) else "callback"
            where = f"{kind} of line {caller.f_lineno} of {code.co_qualname}"
            self._callbacks.append((handle, where))

    def leave_callbacks(self) -> None:
        """Note the callbacks whose time has not come when the delivery has ended."""
        left = [where for handle, where in self._callbacks if _waits(handle)]
        self.run.unfinished += [] if self.dead else left

    def note(self, act: Act) -> None:
        self.run.acted += 1
        self.run.acts.append(act)

    def commits(self) -> int:
        return self.run.commits

    def is_traced(self, function: Callable[..., object]) -> bool:
        """Return whether the lines of a function are points."""
        code = getattr(function, "__code__", None)
        return code is not None and self._scope.wants(code)

    def is_traced_at(self, frame: FrameType) -> bool:
        """Return whether the lines of the function that stands in a frame are points."""
        return self._scope.wants(frame.f_code)

    def refuse(self, why: str) -> NoReturn:
        """Stop the delivery, by `Unwound`, and fail the check, since nothing can be shown.

        Its `finally` blocks run as in production, so that they remove its lock files, for example.
        """
        self.check_alive()
        self._owner.refuse(why)
        self.life = Life.REFUSED
        self.baton.die()
        raise Unwound

    def refuse_other_tracer(self) -> None:
        """Fail the check, since lines were missed: other code has taken over the tracer."""
        self._owner.refuse(_TAKEN)

    # Processes

    def process_id(self) -> int | None:
        """Return the id of the process that makes this delivery; None if it is the real one."""
        if self.own_process_id is None:
            self.own_process_id = self._owner.begin_process()
            if self.own_process_id is not None:
                self.rename(str(self.own_process_id), "<pid>")
        return self.own_process_id

    def is_alive(self, process_id: int) -> bool | None:
        return self._owner.is_alive(process_id)

    def is_work(self) -> bool:
        """Return whether the job does what happens now, or code of the project around it, and not its library."""
        frame: FrameType | None = sys._getframe(1)
        while not self.in_body and frame is not None and frame.f_code.co_filename != _DELIVERING:
            if self.is_of_project(frame.f_code):
                return True
            frame = frame.f_back
        return self.in_body

    def is_of_project(self, code: CodeType) -> bool:
        """Return whether code belongs to the project rather than to an installed package."""
        return self._scope.wants(code) or self._scope.is_of_project(code)

    # Connections

    def opened(self, close: Callable[[], object], shared: object) -> None:
        self.run.looked += 1
        if shared is not None and self._rival and self._owner.is_shared(shared):
            self.refuse(_SHARED)
        self._connections.append((close, shared))

    def holds(self, shared: object) -> bool:
        return any(held is shared for _, held in self._connections)

    def end(self) -> None:
        """Close the connections. Threads that are left end now if they are dead, and else with the process."""
        self.close_connections()
        if self.dead:
            self.baton.end()
        elif self._has_helpers:
            self.of_history.undo_by(self.baton.end)
            self.of_history.undo_by(self.die)

    def close_connections(self) -> None:
        """Close the connections of this delivery, as the kernel does when a process ends."""
        while self._connections:
            with contextlib.suppress(Exception):
                self._connections.pop()[0]()

    # Waiting, and the end

    def may_wait(self) -> bool:
        """Return whether a lock may be waited for: no suspended delivery can hold it."""
        return not self._rival

    def sleeping(self, ns: int) -> int:
        """Return how long a sleep of so many nanoseconds takes."""
        self.run.looked += 1
        if self._has_helpers:
            self.baton.let_go()
        if not self.dead:
            if not self._limited:
                return ns
            length = self._patience.lengthened(ns, holder_is_alive=self._rival)
            if length is not None:
                return length
            self.give_up()
        if self._ends_here():
            self._raise_again()
        return 0

    def kill(self) -> None:
        """Kill the worker of this delivery: its connections close. Its frames are unwound later."""
        if self.life is Life.ALIVE:
            self.life = Life.KILLED
        self.close_connections()

    def give_up(self) -> None:
        """Stop this delivery at its next line: it waits for a delivery that is suspended."""
        self.run.spinning = True
        self.die()

    def give_way(self, hand_over: Callable[[], object]) -> None:
        """Call a function at the next line, before this delivery goes on."""
        self._hand_over = hand_over

    def found_busy(self) -> None:
        """Give this delivery up if it found a lock that a suspended delivery may hold."""
        if self._rival:
            self.give_up()
            if self._may_leave():
                raise Unwound

    def _give_way(self) -> None:
        if self._hand_over is not None:
            hand_over, self._hand_over = self._hand_over, None
            hand_over()

    # The end

    @property
    def progress(self) -> object:
        """A value that changes as long as the delivery goes on."""
        return self.beats, self._lines

    def standing(self, frame: FrameType | None) -> list[FrameType]:
        """Return the functions in which the delivery stands, the innermost first."""
        return [*reversed(list(waiting_frames(self._coroutine))), *frames_of_delivery(frame)]

    def standing_in_blocks(self, frame: FrameType | None) -> list[FrameType]:
        """Return the functions that stand inside a block such as a `with`, the innermost first."""
        return list(self._leaving.in_blocks(self.standing(frame)))

    def may_be_left(self, frame: FrameType | None) -> bool:
        """Return whether an exception that is raised in a running function skips nothing."""
        return self._leaving.may_leave(frame)

    def is_in_block(self) -> bool:
        """Return whether the delivery, which is at a point, is inside a block that it has to leave."""
        return self._leaving.is_in_block(
            sys._getframe(1), self._coroutine, self._scope.is_of_project
        )

    def _may_leave(self) -> bool:
        return self._leaving.may_leave(sys._getframe(2))

    def _ends_here(self) -> bool:
        """Return whether the dead delivery goes no further; if not, it may do a little more to clean up."""
        self._last_lines += 1
        if self._last_lines > _LAST_LINES:
            return True
        if self._raised < _CATCHES and holds(sys.exception(), Unwound):
            # A handler of it may run, whatever it does.
            return False
        return self._leaving.may_leave(sys._getframe(2))

    def _raise_again(self) -> NoReturn:
        """Unwind the delivery, which may have caught the exception before and tries again for ever."""
        self._raised += 1
        self.tracer.rearm()
        if self._raised == _CATCHES:
            self.tracer.trace_running(frames_of_delivery(sys._getframe(1)))
        raise Unwound


class PartOfAct:
    """A block in which an effect happens, or something is read: nothing in it is an effect of its own."""

    __slots__ = ("_busy", "_token", "_watch")

    def __init__(self, watch: Watch, busy: Callable[[BaseException], bool]) -> None:
        self._watch = watch
        self._busy = busy
        self._token: Token[bool] | None = None

    def __enter__(self) -> None:
        self._token = _within_act.set(True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        if self._token is not None:
            _leave(_within_act, self._token)
        if isinstance(error, Exception) and self._busy(error):
            self._watch.found_busy()


class _Acting:
    """See `Watch.acting`."""

    __slots__ = (
        *("_act", "_alone", "_counts", "_excludes", "_known"),
        *("_part", "_place", "_token", "_watch"),
    )

    def __init__(self, watch: Watch, act: Act) -> None:
        self._watch = watch
        self._act = act
        self._part = PartOfAct(watch, act.busy)
        #: Of an effect that is not seen, since the delivery only clears up.
        self._token: Token[bool] | None = None

    def __enter__(self) -> None:
        watch, act = self._watch, self._act
        watch.check_alive()
        if watch.life is not Life.REFUSED:
            is_part, noted = _within_act.get(), parts.get()
            if is_part and noted is not None:
                noted.append(act)
            self._alone = not is_part and watch.interrupts_this_thread()
            if self._alone:
                # The line waits for the effect, so it is the same afterwards.
                self._place = watch.come("before", act)
            self._counts = act.counts and not is_part
            self._known = len(watch.run.acts)
            self._excludes = watch.run.is_alone_in(act.transaction)
            self._token = within_compared.set(within_compared.get() or act.tells_itself)
            watch.run.acted += 1
        self._part.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        if self._token is None:
            self._part.__exit__(kind, error, trace)
            return
        watch, act, run = self._watch, self._act, self._watch.run
        try:
            self._part.__exit__(kind, error, trace)
        finally:
            # Both times, since other tasks of the job may go on while it is awaited.
            run.acted += 1
            run.settle()
            transaction = act.transaction
            if transaction is not None and transaction.is_open:
                # It waits for its commit, and was counted twice.
                run.pending[transaction] = run.pending.get(transaction, 0) + 2
                run.excluded += 2 * self._excludes
            _leave(within_compared, self._token)
        if kind is not None:
            return
        if act.is_commit:
            run.commits += 1
        if self._counts:
            run.acts.append(act)
        if self._alone:
            if act.tells_itself and len(run.acts) == self._known:
                run.without_effect.add(len(run.points))
            watch.come("after", act, self._place)
        elif not watch.interrupts_this_thread():
            run.elsewhere.append(f"{act.kind}: {act.text}")


def _leave(variable: ContextVar[bool], token: Token[bool]) -> None:
    # A coroutine that is thrown away ends in the context of whoever does it.
    try:
        variable.reset(token)
    except ValueError:
        return


def is_within_act() -> bool:
    """Return whether this runs as a part of an effect or of a look-up."""
    return _within_act.get()


class Patience:
    """Makes a loop that sleeps until a lock is free end soon, however long the lease of the lock is.

    A sleep may always take longer than asked for. If the holder is dead, its lease runs out in
    virtual time before the loop has gone round for ever.
    """

    __slots__ = ("_factor", "_slept", "_slept_ns")

    #: So many sleeps take as long as asked for, and from then on each is longer by a tenth.
    _PLAIN_SLEEPS: Final = 400
    _GROWTH: Final = 1.1
    #: A lock that is not free after so long never is.
    _ENOUGH_NS: Final = duration_ns(timedelta(days=50).total_seconds())

    def __init__(self) -> None:
        self._factor = 1.0
        self._slept = self._slept_ns = 0

    def lengthened(self, ns: int, *, holder_is_alive: bool) -> int | None:
        """Return how long a sleep takes; None if the delivery has waited long enough.

        Args:
            ns: how long it was to take, in nanoseconds.
            holder_is_alive: whether the delivery that holds the lock is suspended rather than dead, so
                that its lease is not to run out only because of the waiting.
        """
        self._slept += 1
        if self._slept <= self._PLAIN_SLEEPS:
            return ns
        if holder_is_alive:
            return None
        self._factor *= self._GROWTH
        longer = int(ns * self._factor)
        self._slept_ns += longer
        return longer if self._slept_ns < self._ENOUGH_NS else None


class WatchedBody(Body):
    """Runs the body of a job with its lines traced."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self.outcome: BaseException | None = None
        self.called = False
        # A check says itself what a delivery has left.
        self.unbegun: Any = None

    def __call__(self, call: Callable[[], Any], /) -> Any:
        self.called = True
        with self._watched():
            result = call()
            if not inspect.isawaitable(result):
                self._watch.ending()
                return result
        self._watch.run.awaitable = result
        return self._awaited(result)

    @contextmanager
    def _watched(self) -> Generator[None, None, None]:
        watch = self._watch
        before = watch.baton.begin()
        with watch.tracer.hooked(watch.line, needed=watch.needs_lines):
            watch.in_body = True
            watch.run.has_limit = has_limit()
            try:
                yield
            finally:
                watch.in_body = False
                watch.baton.leave(before)
            if watch.tracer.was_replaced():
                watch.refuse_other_tracer()
        if watch.life is Life.DYING:
            # It was killed in the last block of the job, or the job has caught the exception. Its library must
            # not take the job for done.
            raise Unwound

    async def _awaited(self, awaitable: Any) -> Any:
        self._watch.run.awaitable = None
        try:
            with self._watched():
                self._watch.driving(awaitable)
                try:
                    if inspect.iscoroutine(awaitable):
                        result = await _with_pauses(awaitable, self._watch)
                        self._watch.leave_tasks()
                    else:
                        result = await awaitable
                    self._watch.ending()
                    return result
                finally:
                    if self._watch.dead:
                        await let_tasks_end()
        finally:
            if self._watch.dead:
                silence_loop()


def _name_of(function: Callable[..., object]) -> str:
    return f"{getattr(function, '__qualname__', function)}()"


def _waits(handle: Any) -> bool:
    if isinstance(handle, threading.Timer):
        return not handle.finished.is_set()
    return bool(getattr(handle, "_scheduled", False)) and not handle.cancelled()


#: By identity, since hashing a code object is slow.
_BEGINS_DELIVERY: Final = frozenset(
    map(identity, (isolated.__code__, WatchedBody.__call__.__code__, WatchedBody._awaited.__code__))
)


@types.coroutine
def _with_pauses(coroutine: Any, watch: Watch) -> Generator[Any, Any, Any]:
    """Drive a coroutine, with a point where it begins to wait and one where it has the answer."""
    step: Callable[[], Any] = partial(coroutine.send, None)
    while True:
        try:
            wanted = step()
        except StopIteration as end:
            return end.value
        try:
            watch.pausing("await", coroutine)
            answer = yield wanted
            watch.pausing("awaited", coroutine)
        except BaseException as error:
            step = partial(coroutine.throw, error)
        else:
            step = partial(coroutine.send, answer)
