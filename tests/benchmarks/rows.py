"""One measured figure beside its budget."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    what: str
    measured: str
    ratio: float
    budget: float
    unit: str = "x"

    @property
    def verdict(self) -> str:
        return "ok" if self.ratio <= self.budget else "OVER"
