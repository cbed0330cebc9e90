"""Subscribers and issues."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Store:
    subscribers: set[str] = field(default_factory=set[str])
    issues: dict[int, str] = field(default_factory=dict[int, str])
    #: The issues that went out, by address.
    sent: dict[str, set[int]] = field(default_factory=dict[str, set[int]])
    archive: dict[int, str] = field(default_factory=dict[int, str])
    #: How many subscribers there were.
    counted: list[int] = field(default_factory=list[int])


store = Store()
