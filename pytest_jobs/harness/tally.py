"""What a verb did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .delivery import STATUSES, Delivery


class Tally(Mapping[str, int]):
    """How many deliveries came to what: `tally["performed"]`, `tally.total`."""

    __slots__ = ("_counts", "_deliveries")

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._deliveries: list[Delivery] = []

    def count(self, delivery: Delivery) -> None:
        """Count a delivery."""
        self._deliveries.append(delivery)
        status = delivery._status
        self._counts[status] = self._counts.get(status, 0) + 1

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """The deliveries, in order."""
        return tuple(self._deliveries)

    @property
    def total(self) -> int:
        """How many deliveries there were."""
        return len(self._deliveries)

    def __getitem__(self, status: str) -> int:
        """Return how many came to this.

        Raises:
            KeyError: when it is no status.
        """
        if status not in STATUSES:
            raise KeyError(f"{status!r} is no status: {', '.join(STATUSES)}")
        return self._counts.get(status, 0)

    def __contains__(self, status: object) -> bool:
        """Say whether any delivery came to this."""
        return status in self._counts

    def __iter__(self) -> Iterator[str]:
        """Go through the statuses that occurred."""
        return (status for status in STATUSES if status in self._counts)

    def __len__(self) -> int:
        """Return how many statuses occurred."""
        return len(self._counts)

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {status}" for status, count in self.items())
        return f"<Tally {counts or 'nothing performed'}>"
