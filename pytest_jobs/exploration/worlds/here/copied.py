"""What all kinds of copies have in common."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ....errors import ExplorationError


class Copied(Protocol):
    """Something of the test that was copied once, and of which each history gets a copy of its own."""

    def opened(self, ignored: Ignored) -> AbstractContextManager[Callable[[], dict[str, Any]]]:
        """Return a block in which deliveries find the copy, and which yields what returns its state by name.

        Args:
            ignored: what is left out of the state.
        """
        ...

    def described(self) -> str:
        """Return in a few words what was copied; "" for nothing."""
        ...


class Ignored:
    """The names of tables, keys and files that are left out of the state."""

    def __init__(self, patterns: str | Collection[str]) -> None:
        self._patterns = (patterns,) if isinstance(patterns, str) else tuple(patterns)
        for pattern in self._patterns:
            if not isinstance(pattern, str):
                raise ExplorationError(
                    f"ignore= names {pattern!r}, which is not a name: name tables, keys or files, as in "
                    "ignore={'audit_log', 'lock:*'}."
                )

    def has(self, *names: object) -> bool:
        """Return whether one of the names of a thing is ignored."""
        return any(
            fnmatch.fnmatchcase(str(name), pattern) for name in names for pattern in self._patterns
        )


def counted(number: int, noun: str) -> str:
    """Return a number and its noun, such as `1 row` or `2 rows`."""
    return f"{number} {noun if number == 1 else noun + 's'}"
