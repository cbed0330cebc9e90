"""Jobs that stay pending while the others are performed."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

from .record import JobRecord


class Holding:
    """Keeps some jobs pending, whatever verb is called; see `Jobs.holding`."""

    __slots__ = ("_every", "_holds", "_released", "described")

    def __init__(
        self,
        holds: Callable[[JobRecord], bool],
        described: str,
        every: list[Holding],
        released: Callable[[], None],
    ) -> None:
        """Begin to hold.

        Args:
            holds: says of a record whether it is held back.
            described: how a message names the jobs.
            every: those in force, of which this is one from now on.
            released: called when it ends.
        """
        self._holds = holds
        self.described = described
        self._every = every
        self._released = released
        every.append(self)

    def holds(self, record: JobRecord) -> bool:
        """Say whether a record is held back."""
        return self._holds(record)

    def release(self) -> None:
        """Let the jobs be performed from now on; in inline mode those that are due are, at once."""
        self._end()
        self._released()

    def __enter__(self) -> Self:
        """The jobs are held back already."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let the jobs be performed from now on."""
        if error is None:
            self.release()
        else:
            self._end()

    def _end(self) -> None:
        if self in self._every:
            self._every.remove(self)

    def __repr__(self) -> str:
        return f"<Holding {self.described}>"
