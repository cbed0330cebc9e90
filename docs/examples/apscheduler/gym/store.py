"""What the gym knows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class Store:
    #: Until when each member has paid.
    paid_until: dict[str, datetime] = field(default_factory=dict[str, datetime])
    #: How many members there were last night.
    count: int = 0


store = Store()
