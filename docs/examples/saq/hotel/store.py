"""What the hotel knows."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Store:
    #: The guests, by the number of their room.
    booked: dict[int, str] = field(default_factory=dict[int, str])
    #: The rooms whose guests have confirmed.
    confirmed: set[int] = field(default_factory=set[int])
    #: What the bank answered, by the number of the room.
    receipts: dict[int, str] = field(default_factory=dict[int, str])
    cleaned: list[int] = field(default_factory=list[int])


store = Store()
