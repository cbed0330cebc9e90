"""What a delivery does to the records that it is given: one unit of work."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, TypeVar, cast

if TYPE_CHECKING:
    from .records import Reference

_log: Final = logging.getLogger(__name__)


class Unit(Protocol):
    """What a database library keeps open while a job has its records.

    The methods of one for coroutine jobs return what is awaited.
    """

    def commit(self) -> Awaitable[None] | None:
        """Keep what was done to the records."""
        ...

    def roll_back(self) -> Awaitable[None] | None:
        """Take it back."""
        ...

    def close(self) -> Awaitable[None] | None:
        """Let go of the records."""
        ...


U = TypeVar("U", bound=Unit)


class RecordWork:
    """The records of one delivery.

    What was done to them is committed when the job has been performed, and rolled back when it has
    raised; then its rules have their turn, and what these did is committed.
    """

    __slots__ = ("_unit",)

    def __init__(self) -> None:
        self._unit: Unit | None = None

    def find(self, reference: Reference, identifier: object) -> object:
        """Look a record up; see `Reference.find_record`."""
        return reference.find_record(identifier, self)

    def unit(self, open: Callable[[], U]) -> U:
        """Return what is open for this delivery, which is opened for the first record."""
        if self._unit is None:
            self._unit = open()
        return cast(U, self._unit)

    def commit(self) -> None:
        """Keep what was done."""
        if self._unit is not None:
            self._unit.commit()

    async def acommit(self) -> None:
        """Keep what was done, for a coroutine job."""
        await _awaited(self._unit and self._unit.commit())

    def roll_back(self, error: Exception) -> None:
        """Take back what was done, for an error, which is told if that fails too."""
        try:
            if self._unit is not None:
                self._unit.roll_back()
        except Exception as raised:
            error.add_note(_not_rolled_back(raised))

    async def aroll_back(self, error: Exception) -> None:
        """Take back what was done, for a coroutine job; see `roll_back`."""
        try:
            await _awaited(self._unit and self._unit.roll_back())
        except Exception as raised:
            error.add_note(_not_rolled_back(raised))

    def __enter__(self) -> Self:
        """Begin; nothing is open yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let go of the records."""
        try:
            if self._unit is not None:
                self._unit.close()
        except Exception:
            _log.warning(_NOT_CLOSED, exc_info=True)

    async def __aenter__(self) -> Self:
        """Begin; nothing is open yet."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let go of the records, unless the coroutine is thrown away, which can await nothing any more."""
        if kind is GeneratorExit:
            return
        try:
            await _awaited(self._unit and self._unit.close())
        except Exception:
            _log.warning(_NOT_CLOSED, exc_info=True)


_NOT_CLOSED: Final = "What held the records of a job could not be closed."


def _not_rolled_back(raised: Exception) -> str:
    return f"What the job did to its records could not be rolled back either: {type(raised).__name__}: {raised}"


async def _awaited(waiting: Any) -> None:
    if waiting is not None:
        await waiting
