"""What a job does outside of itself, and who hears of it."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol, TypeVar

T = TypeVar("T")


def _refused() -> Exception:
    return ConnectionError("refused: it did not happen")


def _answer_lost() -> Exception:
    return TimeoutError("no answer: it has happened")


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that a job does outside of itself."""

    #: What it is done to, such as `gateway` or `sqlite`.
    kind: str
    #: What is done, as a call or a statement.
    text: str
    #: Whether how often it was done is compared, since no state may show it.
    counts: bool = True
    #: What is compared; the text where this is None.
    value: object = None
    #: Makes the error of the attempt that did not happen.
    refused: Callable[[], Exception] = _refused
    #: Makes the error of the attempt whose answer was lost; None where there is no answer to lose.
    answer_lost: Callable[[], Exception] | None = _answer_lost


class ActWatcher(Protocol):
    """Hears of the acts of one delivery, and may make them fail."""

    def act(self, act: Act, do: Callable[[], T]) -> T:
        """Do it, or not."""
        ...

    def note(self, act: Act) -> None:
        """Take note of an act that has taken effect: of those that do not count by themselves."""
        ...

    def changing(self, text: str) -> None:
        """Hear that a file is about to be changed; raise to prevent it."""
        ...

    def outside(self, text: str) -> None:
        """Hear of something outside the process that no effect source owns, unless it is part of an act."""
        ...

    def opened(self, close: Callable[[], object]) -> None:
        """Take note of a connection: the function is called when the worker that opened it dies."""
        ...


#: Who watches the delivery that runs in this context.
watcher: ContextVar[ActWatcher | None] = ContextVar("pytest_jobs_act_watcher", default=None)


def perform_act(act: Act, do: Callable[[], T]) -> T:
    """Do something outside of the job, and let the explorer know: for effect sources.

    Args:
        act: what is done.
        do: does it.
    """
    current = watcher.get()
    return do() if current is None else current.act(act, do)


def note_effect(act: Act) -> None:
    """Let the explorer know that an act which need not have an effect has had one: for effect sources."""
    current = watcher.get()
    if current is not None:
        current.note(act)


def note_connection(close: Callable[[], object]) -> None:
    """Let the explorer know of a connection: it is closed when the worker that opened it dies."""
    current = watcher.get()
    if current is not None:
        current.opened(close)
