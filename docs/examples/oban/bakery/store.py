"""What the bakery knows."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Store:
    #: The customers, by the number of their order.
    orders: dict[int, str] = field(default_factory=dict[int, str])
    #: What the bank answered, by the number of the order.
    receipts: dict[int, str] = field(default_factory=dict[int, str])
    #: The orders in the oven, and those that are baked.
    baking: set[int] = field(default_factory=set[int])
    baked: set[int] = field(default_factory=set[int])
    #: What is sold today.
    shelf: list[int] = field(default_factory=list[int])


store = Store()
