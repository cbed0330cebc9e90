"""What the service knows."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Store:
    #: The sizes of the thumbs, by the name of the picture.
    thumbs: dict[str, int] = field(default_factory=dict[str, int])
    #: The customers who have paid, by the name of the picture.
    paid: dict[str, str] = field(default_factory=dict[str, str])


store = Store()
