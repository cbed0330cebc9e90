"""A time that freezegun has frozen: the clock takes it over, and moves it along.

freezegun is never imported here: who froze the time has imported it.
"""

from __future__ import annotations

import calendar
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from ...errors import ClockConflictError

_RUNS_ON: Final = (
    "freezegun lets the time run on (`tick=True` or `auto_tick_seconds=`), and the clock of pytest-jobs stands "
    "still between its moves. Take that argument off `freeze_time`, and move the time with "
    "`jobs.clock.advance(...)`."
)
#: Why the clock cannot move while such a block is open, which froze another time than that of the clock.
FREEZE_OVER_OURS: Final = (
    "A `freeze_time` of freezegun was opened over the clock of pytest-jobs after it had moved. Move the jobs' "
    "clock instead (`jobs.clock.move_to(...)`), or open the `freeze_time` before the clock first moves."
)
_HAS_ENDED: Final = (
    "The clock of pytest-jobs moved in the time of a `freeze_time` of freezegun, and that has ended. Move the "
    "clock inside the block, let `freeze_time` surround the whole test, or let the next block freeze a later time."
)


class _Factory(Protocol):
    """Where freezegun asks for the time; what `freeze_time` and the fixture `freezer` give to a test."""

    def __call__(self) -> datetime: ...
    def move_to(self, destination: datetime, /) -> None: ...


class Freeze:
    """A `freeze_time` whose time the clock moves. The test may go on to move it as well."""

    __slots__ = ("_began", "_factory", "_shown")

    def __init__(self, factory: _Factory) -> None:
        self._factory = factory
        self._began = self._shown = factory()

    def move_to(self, destination: datetime) -> None:
        """Set the time, as a traveller of time-machine does."""
        self._factory.move_to(destination)
        self._shown = self._factory()

    @property
    def now_ns(self) -> int:
        """The time, in nanoseconds since the epoch."""
        now = self._factory()
        return calendar.timegm(now.timetuple()) * 1_000_000_000 + now.microsecond * 1000

    @property
    def was_moved(self) -> bool:
        """Whether the test itself has moved the time since the clock set it."""
        return self._factory() != self._shown

    def stop(self) -> None:
        """Set the time back to what it was, unless the test has moved it since."""
        if not self.was_moved:
            self._factory.move_to(self._began)

    @property
    def over(self) -> bool:
        """Whether the block has ended."""
        return all(factory is not self._factory for factory in _factories())

    @property
    def conflict(self) -> str | None:
        """Why the clock cannot move; None where it can."""
        if self.over:
            return _HAS_ENDED
        return None if _factories()[-1] is self._factory else FREEZE_OVER_OURS


def is_frozen() -> bool:
    """Say whether freezegun has frozen the time."""
    return bool(_factories())


def current_freeze() -> Freeze | None:
    """Return the innermost freeze; None where the time is not frozen.

    Raises:
        ClockConflictError: when the time runs on in it.
    """
    factories = _factories()
    if not factories:
        return None
    if type(factories[-1]).__name__ != "FrozenDateTimeFactory":
        raise ClockConflictError(_RUNS_ON)
    return Freeze(factories[-1])


def _factories() -> Sequence[Any]:
    found: Sequence[Any] = getattr(sys.modules.get("freezegun.api"), "freeze_factories", ())
    return found
