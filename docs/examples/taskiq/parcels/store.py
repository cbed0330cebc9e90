"""The parcels that are followed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class Parcel:
    number: str
    email: str
    status: str = "announced"
    pick_up_until: datetime | None = None
    #: The schedule of the reminder to pick it up.
    reminder: str | None = None


@dataclass
class Store:
    parcels: dict[str, Parcel] = field(default_factory=dict[str, Parcel])
    mails: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


store = Store()
