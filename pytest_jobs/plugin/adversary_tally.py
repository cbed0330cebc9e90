"""What an adversary found in all tests, counted over the workers of pytest-xdist."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Names = dict[str, list[str]]


class Tally:
    """Counts, and lists of names; each is known by a key."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._names: dict[str, Names] = {}

    def count(self, key: str, number: int = 1) -> None:
        """Count up."""
        self._counts[key] = self._counts.get(key, 0) + number

    def name(self, key: str, name: str, detail: str = "") -> None:
        """Note a name, and a detail of it unless it is empty."""
        details = self._names.setdefault(key, {}).setdefault(name, [])
        if detail and detail not in details:
            details.append(detail)

    def number(self, key: str) -> int:
        """Return how many were counted, or how many names were noted."""
        return self._counts.get(key, 0) + len(self._names.get(key, {}))

    def names(self, key: str) -> Iterable[tuple[str, list[str]]]:
        """Return the names in order, each with its details."""
        return (
            (name, sorted(details)) for name, details in sorted(self._names.get(key, {}).items())
        )

    def to_dict(self) -> dict[str, Any]:
        """Return all of it in a form that travels."""
        return {"counts": self._counts, "names": self._names}

    def add(self, found: dict[str, Any]) -> None:
        """Take over what another process counted."""
        for key, number in found["counts"].items():
            self.count(key, number)
        for key, names in found["names"].items():
            for name, details in names.items():
                self.name(key, name)
                for detail in details:
                    self.name(key, name, detail)


def several(number: int, noun: str) -> str:
    """Return a number and its noun, such as `1 test` or `2 tests`."""
    plural = {"delivery": "deliveries"}.get(noun, f"{noun}s")
    return f"{number} {noun if number == 1 else plural}"
