"""The virtual clock: real until it first moves, frozen from then on."""

from __future__ import annotations

import calendar
import sys
import time
from collections.abc import Callable, Generator, Sequence, Sized
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any, Final, Protocol

from ...core.foundation.vocabulary import in_our_words
from ...core.foundation.waits import Seconds
from ...errors import ClockConflictError, ClockError, WaitError
from ..records.instants import FIRST_NS, LAST_NS, delta_ns, to_datetime, to_ns

#: time-machine shows microseconds, and some versions round them through a float.
_CLOCK_STEP_NS: Final = 1500
_FLOAT_STEPS: Final = 2**51
#: With a datetime in UTC time-machine would set the local timezone as well.
_NOT_UTC: Final = timezone(timedelta(hours=1))

_TRAVEL_OVER_OURS: Final = (
    "The time is no longer what the clock of pytest-jobs set it to: a `time_machine.travel` block was opened "
    "over the clock after it had moved, or was closed before the clock was. Move the jobs' clock instead "
    "(`jobs.clock.move_to(...)`), or let the `travel` surround the whole test, as its decorator and marker do."
)


class _Traveller(Protocol):
    def move_to(self, destination: datetime, /) -> None: ...


class _Travel(Protocol):
    def stop(self) -> None: ...


class Stops(Protocol):
    """Times at which something happens when the clock passes them, whoever moves it."""

    @property
    def next_ns(self) -> int | None:
        """The next such time, in nanoseconds since the epoch; None for none."""
        ...

    def reached(self) -> None:
        """Let it happen. The clock has reached the time, or is beyond it, and may be moved further."""
        ...


class RealTime:
    """A block in which the time is that of the system."""

    __slots__ = ("_block", "entered")

    def __init__(self, block: AbstractContextManager[None]) -> None:
        self._block = block
        #: Whether the block has begun.
        self.entered = False

    def __enter__(self) -> None:
        self.entered = True
        self._block.__enter__()

    def __exit__(self, *error: object) -> None:
        # It only puts the time back, whatever the block has raised.
        self._block.__exit__(None, None, None)


class VirtualClock:
    """Controls the time of the test: `time.time`, `datetime.now` and their like see it move.

    Nothing is patched until it first moves.
    """

    __slots__ = (
        "_freeze",
        "_history",
        "_ns",
        "_origin_ns",
        "_stops",
        "_travel",
        "_traveller",
        "suspended",
        "travelled_ns",
        "when_let_through",
    )

    def __init__(self, history: Sized | None = None) -> None:
        """Start in the time of the system.

        Args:
            history: everything that has happened; while it is empty the clock can start anywhere, also in
                the past. None for a clock that cannot.
        """
        self._history = history
        self._ns: int | None = None
        self._origin_ns: int | None = None
        #: Whether a `real_time` block is open.
        self.suspended = False
        #: How far the clock was moved in all; the time of our event loop.
        self.travelled_ns = 0
        #: Called with each block of `real_time` when it is made: set by the harness.
        self.when_let_through: Callable[[RealTime], None] | None = None
        self._stops: Stops | None = None
        # What sets the time, once the clock has moved: time-machine, or the freeze of the test.
        self._travel: _Travel | None = None
        self._traveller: _Traveller | None = None
        self._freeze: Freeze | None = None

    @property
    def frozen(self) -> bool:
        """Whether the clock has moved, and so stands still until it moves again."""
        return self._ns is not None

    @property
    def moves_durations(self) -> bool:
        """Whether `time.monotonic` and its like move with the clock, as they do when freezegun has the time."""
        return self._freeze is not None and not self._freeze.over

    @property
    def origin_ns(self) -> int | None:
        """The time of the system from which its time counts on; None where the test has chosen the time."""
        if self._ns is not None:
            return self._origin_ns
        return None if is_frozen() or _is_travelling() else time.time_ns()

    def now_ns(self) -> int:
        """Return the time in nanoseconds since the epoch."""
        ns = self._ns
        if ns is None:
            return time.time_ns()
        return ns if self._freeze is None else self._follow(ns, self._freeze)

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return to_datetime(self.now_ns())

    @in_our_words(WaitError)
    def advance(self, delta: Seconds) -> datetime:
        """Move on by seconds or a timedelta, without performing anything; return the new time.

        Raises:
            WaitError: when the delta is negative or not a duration.
            ClockConflictError: when another library controls the time.
        """
        self.advance_ns(delta_ns(delta, "delta"))
        return self.now()

    def move_to(self, instant: datetime) -> datetime:
        """Move on to an aware datetime, without performing anything; return the new time.

        The first move may go into the past, as long as nothing was enqueued.

        Raises:
            NaiveDatetimeError: when it has no timezone.
            ClockError: when it lies in the past.
            ClockConflictError: when another library controls the time.
        """
        ns = to_ns(instant, "instant")
        if ns < FIRST_NS:
            raise ClockError(
                f"The clock cannot move to {instant.isoformat()}: in UTC that is before the year 1. Name a later "
                "time."
            )
        self.move_ns(ns)
        return self.now()

    def move_ns(self, ns: int) -> None:
        """Move the clock to a time in nanoseconds since the epoch; see `move_to`."""
        now_ns = self.now_ns()
        if ns >= now_ns - now_ns % 1000:
            self._move(now_ns, max(ns, now_ns))
        elif self._ns is None and self._history is not None and not self._history:
            self._move(ns, ns)
        else:
            raise ClockError(
                f"The clock stands at {to_datetime(now_ns).isoformat()} and cannot go back to "
                f"{to_datetime(ns).isoformat()}: what was enqueued since would be due before it existed. "
                "Move to the earlier time first, before anything is enqueued."
            )
        self._origin_ns = None

    def reach_ns(self, ns: int) -> None:
        """Move on to a time in nanoseconds since the epoch, unless it has passed already."""
        now_ns = self.now_ns()
        self._move(now_ns, max(ns, now_ns))

    def advance_ns(self, delta_ns: int) -> None:
        """Move on by nanoseconds."""
        now_ns = self.now_ns()
        self._move(now_ns, now_ns + delta_ns)

    def freeze(self) -> datetime:
        """Stand still from now on; return the time."""
        self.advance_ns(0)
        return self.now()

    def real_time(self) -> RealTime:
        """Let the time of the system through for a block: for code that measures it."""
        block = RealTime(self._let_through())
        if self.when_let_through is not None:
            self.when_let_through(block)
        return block

    @contextmanager
    def _let_through(self) -> Generator[None, None, None]:
        stopped_at, suspended = self._ns, self.suspended
        self.stop()
        self.suspended = True
        try:
            yield
        finally:
            self.suspended = suspended
            self.stop()
            if stopped_at is not None:
                self._start(stopped_at)
                self._ns = stopped_at

    @contextmanager
    def stopping(self, stops: Stops | None) -> Generator[None, None, None]:
        """Stop on the way, for a block, at each time at which something happens."""
        before, self._stops = self._stops, stops
        try:
            yield
        finally:
            self._stops = before

    @contextmanager
    def excursion(self) -> Generator[None, None, None]:
        """Go back, after a block, to the time before it; nothing happens on the way."""
        before, stops = self._ns, self._stops
        self._stops = None
        try:
            yield
        finally:
            self._stops = stops
            if before is None:
                self.stop()
            elif self._traveller is not None:
                self._traveller.move_to(to_datetime(before).astimezone(_NOT_UTC))
                self._ns = before

    @contextmanager
    def showing(self, instant: datetime) -> Generator[None, None, None]:
        """Show another time for a block, also an earlier one: for a look at something as it was then.

        Nothing comes due. A clock that has not moved yet, or follows a freeze of the test, goes on as it is.
        """
        before, traveller = self._ns, self._traveller
        if before is None or traveller is None or self._freeze is not None:
            yield
            return
        traveller.move_to(instant.astimezone(_NOT_UTC))
        self._ns = to_ns(instant, "the time to show")
        try:
            yield
        finally:
            traveller.move_to(to_datetime(before).astimezone(_NOT_UTC))
            self._ns = before

    def stop(self) -> None:
        """Restore the time of the system; the clock is real again.

        Raises:
            ClockConflictError: when a block is still open that was opened over the clock and sets the time.
        """
        # A freeze that has ended took its time with it. A decorator ends before the harness does.
        conflict = None if self._freeze is not None and self._freeze.over else self._conflict()
        travel = self._travel
        self._travel = self._traveller = self._freeze = self._ns = None
        if travel is not None:
            travel.stop()
        if conflict is not None:
            raise ClockConflictError(conflict)

    def _move(self, now_ns: int, ns: int) -> None:
        stops = self._stops
        if stops is not None:
            while (stop_ns := stops.next_ns) is not None and stop_ns <= ns:
                self._jump(now_ns, max(stop_ns, now_ns))
                stops.reached()
                now_ns = self.now_ns()
            ns = max(ns, now_ns)
        self._jump(now_ns, ns)

    def _jump(self, now_ns: int, ns: int) -> None:
        conflict = self._conflict()
        if conflict is not None:
            raise ClockConflictError(conflict)
        if ns > LAST_NS:
            raise ClockError(
                "The clock cannot move beyond the year 9999. If a job is due then, it most likely retries for "
                "ever: give its `retry_on` an end with `attempts=`, or perform a part with `until=`."
            )
        if self._traveller is None:
            self._origin_ns = self.origin_ns
            self._start(ns)
        else:
            self._traveller.move_to(to_datetime(ns).astimezone(_NOT_UTC))
        self.travelled_ns += ns - now_ns
        self._ns = ns

    def _start(self, ns: int) -> None:
        instant = to_datetime(ns).astimezone(_NOT_UTC)
        freeze = current_freeze()
        if freeze is not None:
            self._take_over(freeze)
            freeze.move_to(instant)
            return
        import time_machine

        travel = self._travel = time_machine.travel(instant, tick=False)
        self._traveller = travel.start()

    def _take_over(self, freeze: Freeze) -> None:
        self._travel = self._traveller = self._freeze = freeze
        freeze.hold()

    def _follow(self, stands_ns: int, freeze: Freeze) -> int:
        """Return where a freeze stands now, which the test may have moved, or followed by another."""
        ns = freeze.now_ns if freeze.was_moved else stands_ns
        if freeze.over:
            following = current_freeze()
            if following is not None and following.now_ns >= ns:
                self._take_over(following)
                ns = following.now_ns
        self._ns = ns
        return ns

    def _conflict(self) -> str | None:
        """Return why the clock, which has moved, no longer decides what time it is; None if it does."""
        if self._ns is None:
            return None
        if self._freeze is not None:
            return self._freeze.conflict
        rounding_ns = _CLOCK_STEP_NS + abs(self._ns) // _FLOAT_STEPS
        if abs(time.time_ns() - self._ns) <= rounding_ns and not is_frozen():
            return None
        return _FREEZE_OVER_OURS if is_frozen() else _TRAVEL_OVER_OURS

    def __repr__(self) -> str:
        state = "frozen" if self.frozen else "real"
        return f"<VirtualClock {self.now().isoformat()} {state}>"


def _is_travelling() -> bool:
    """Say whether a `travel` of time-machine is open. Who opened it has imported time-machine."""
    time_machine = sys.modules.get("time_machine")
    return time_machine is not None and time_machine.escape_hatch.is_travelling()


class LoopClock(Protocol):
    """What an event loop needs of its clock: a `VirtualClock`, or the clock of a worker."""

    @property
    def travelled_ns(self) -> int:
        """How far the clock was moved in all, in nanoseconds."""
        ...

    @travelled_ns.setter
    def travelled_ns(self, ns: int, /) -> None: ...

    @property
    def suspended(self) -> bool:
        """Whether the time of the system is let through."""
        ...

    def advance_ns(self, delta_ns: int, /) -> None:
        """Move on by nanoseconds."""
        ...


class SleepingClock:
    """A clock for an event loop in a job, which shows another clock: where that would move, the job sleeps."""

    __slots__ = ("_clock",)

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock

    @property
    def suspended(self) -> bool:
        return self._clock.suspended

    @property
    def travelled_ns(self) -> int:
        return self._clock.travelled_ns

    @travelled_ns.setter
    def travelled_ns(self, ns: int) -> None:
        self._clock.travelled_ns = ns


# A time that freezegun has frozen: the clock takes it over, and moves it along. freezegun is never imported here:
# who froze the time has imported it.

#: Why the clock cannot move while such a block is open, which froze another time than that of the clock.
_FREEZE_OVER_OURS: Final = (
    "A `freeze_time` of freezegun was opened over the clock of pytest-jobs after it had moved. Move the jobs' "
    "clock instead (`jobs.clock.move_to(...)`), or open the `freeze_time` before the clock first moves."
)
_HAS_ENDED: Final = (
    "The clock of pytest-jobs moved in the time of a `freeze_time` of freezegun, and that has ended. Move the "
    "clock inside the block, let `freeze_time` surround the whole test, or let the next block freeze a later time."
)


class Freeze:
    """A `freeze_time` whose time the clock moves. The test may go on to move it as well.

    One that lets the time run on (`tick=True`) stands still while the clock holds it.
    """

    __slots__ = ("_before", "_factory", "_kind", "_shown")

    def __init__(self, factory: Any) -> None:
        #: Where freezegun asks for the time; what `freeze_time` and the fixture `freezer` give to a test.
        self._factory = factory
        self._kind, self._before = type(factory), dict(vars(factory))
        self._shown: datetime = factory()

    def hold(self) -> None:
        """Let the time stand still."""
        self._factory.__class__ = sys.modules["freezegun.api"].FrozenDateTimeFactory
        self._factory.time_to_freeze = self._shown

    def move_to(self, destination: datetime) -> None:
        """Set the time, as a traveller of time-machine does."""
        self._factory.move_to(destination)
        self._shown = self._factory()

    @property
    def now_ns(self) -> int:
        """The time, in nanoseconds since the epoch."""
        now: datetime = self._factory()
        return calendar.timegm(now.timetuple()) * 1_000_000_000 + now.microsecond * 1000

    @property
    def was_moved(self) -> bool:
        """Whether the test itself has moved the time since the clock set it."""
        return bool(self._factory() != self._shown)

    def stop(self) -> None:
        """Set the time back to what it was, unless the test has moved it since."""
        if not self.was_moved:
            vars(self._factory).update(self._before)
        self._factory.__class__ = self._kind

    @property
    def over(self) -> bool:
        return all(factory is not self._factory for factory in _factories())

    @property
    def conflict(self) -> str | None:
        """Why the clock cannot move; None where it can."""
        if self.over:
            return _HAS_ENDED
        return None if _factories()[-1] is self._factory else _FREEZE_OVER_OURS


def is_frozen() -> bool:
    return bool(_factories())


def current_freeze() -> Freeze | None:
    """Return the innermost freeze; None where the time is not frozen."""
    factories = _factories()
    return Freeze(factories[-1]) if factories else None


def _factories() -> Sequence[Any]:
    found: Sequence[Any] = getattr(sys.modules.get("freezegun.api"), "freeze_factories", ())
    return found
