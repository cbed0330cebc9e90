"""How far a long piece of work has come, for whoever shows it meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, Protocol, Self


class Watcher(Protocol):
    """Shows how far work has come: see `watcher`."""

    def begun(self, work: Work) -> bool:
        """Return whether the steps of this work are wanted: those of work inside other work are not."""
        ...

    def stepped(self, work: Work) -> None:
        """Note that a step of the work begins."""
        ...

    def ended(self, work: Work) -> None:
        """Note that the work has ended."""
        ...


#: Who watches the work of this context; None for nobody.
watcher: Final[ContextVar[Watcher | None]] = ContextVar("pytest_jobs_watcher", default=None)


@dataclass(slots=True, eq=False)
class Work:
    """A check, a drain or the kills of a test, while it goes on: a block of many steps.

    A block that Ctrl-C ends adds a note to the KeyboardInterrupt, which says how far it had come.
    """

    #: What is done, as a test writes it.
    name: str
    #: What a step is, in the plural.
    unit: str
    #: How many steps there will be, or a function of the work that returns it.
    _planned: int | Callable[[Work], int]
    #: How many steps have begun.
    steps: int = 0
    #: What the current step does. Its text is asked for when it is shown.
    now: object = ""
    _watcher: Watcher | None = None

    def __enter__(self) -> Self:
        found = watcher.get()
        if found is not None and found.begun(self):
            self._watcher = found
        return self

    def step(self, now: object) -> None:
        self.steps += 1
        self.now = now
        if self._watcher is not None:
            self._watcher.stepped(self)

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if isinstance(error, KeyboardInterrupt):
            error.add_note(f"interrupted: {self.text()}")
        if self._watcher is not None:
            self._watcher.ended(self)
            self._watcher = None

    @property
    def planned(self) -> int:
        """How many steps there will be in all."""
        planned = self._planned(self) if callable(self._planned) else self._planned
        return max(planned, self.steps)

    def text(self, time_left: str = "") -> str:
        """Return how far it has come, in one line.

        Args:
            time_left: how long it goes on, where that is known: "about 7 s left".
        """
        now = str(self.now)
        parts = [
            f"{self.name}: {self.steps} of {self.planned} {self.unit}",
            time_left,
            f"now {now}" if now else "",
        ]
        return ", ".join(filter(None, parts))
