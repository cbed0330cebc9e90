"""What the service knows."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Store:
    #: What has become of each letter.
    letters: dict[str, str] = field(default_factory=dict[str, str])
    #: The letters that are paid.
    paid: set[str] = field(default_factory=set[str])


store = Store()
