"""How much of what there is a text shows, and who reads it."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads the text of a failure."""

    #: Whether everything is shown.
    verbose: bool = False
    #: Whether what is read can show nothing but ASCII.
    ascii: bool = False


@dataclass(frozen=True, slots=True)
class Folding:
    """How much is shown of what there may be a lot of."""

    #: Jobs or deliveries in a list.
    items: int = 5
    #: Rows of a table.
    rows: int = 20
    #: Lines of a difference.
    lines: int = 12
    #: Hints, and callbacks in one of them.
    hints: int = 3
    #: Criteria at the head, each of which comes again below.
    criteria: int = 12
    #: Characters of a value.
    value: int = 60
    #: Characters of a call.
    call: int = 100


_EVERYTHING: Final = sys.maxsize
WHOLE: Final = Folding(*[_EVERYTHING] * 7)
_USUAL: Final = Folding()
_folding: Final[ContextVar[Folding | None]] = ContextVar("pytest_jobs_folding", default=None)


def folding() -> Folding:
    """Return how much is shown here."""
    return _folding.get() or _USUAL


@contextmanager
def folded(how: Folding) -> Generator[None, None, None]:
    """Show so much in a block."""
    token = _folding.set(how)
    try:
        yield
    finally:
        _folding.reset(token)
