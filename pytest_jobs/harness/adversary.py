"""What may be done to the deliveries of a test besides making them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .body import RealBody
    from .delivery import Delivery
    from .ledger import Ledger
    from .performer import Performer
    from .record import JobRecord


class Adversary(Protocol):
    """Makes the deliveries of a harness in the place of its performer, and worse things with them."""

    def deliver(
        self, performer: Performer, ledger: Ledger, record: JobRecord, body: RealBody
    ) -> Delivery:
        """Make one delivery of a record that was taken, record it, and return what the test sees.

        Args:
            performer: makes deliveries.
            ledger: records those of the test.
            record: what to perform.
            body: runs the body.
        """
        ...

    async def adeliver(
        self, performer: Performer, ledger: Ledger, record: JobRecord, body: RealBody
    ) -> Delivery:
        """Do the same on the running event loop."""
        ...
