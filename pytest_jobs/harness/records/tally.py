"""What a verb did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...errors import CriterionError
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
        status = delivery.status
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


class Bounds:
    """The least and the most deliveries of one verb call."""

    __slots__ = ("_least", "_most")

    def __init__(self, at_least: int, at_most: int | None) -> None:
        """Take the arguments of a verb.

        Args:
            at_least: with fewer the verb raises.
            at_most: the verb stops after so many; None for no end.

        Raises:
            CriterionError: when no number of deliveries is meant.
        """
        if type(at_least) is not int or at_least < 0:
            raise CriterionError(
                f"at_least={at_least!r} is no number of deliveries: write an int of at least 0."
            )
        if at_most is not None and (type(at_most) is not int or at_most < 1):
            raise CriterionError(
                f"at_most={at_most!r} is no number of deliveries: write an int of at least 1."
            )
        if at_most is not None and at_least > at_most:
            raise CriterionError(
                f"at_least={at_least} is more than at_most={at_most}: no number of deliveries is both."
            )
        self._least = at_least
        self._most = at_most

    def reached_by(self, tally: Tally) -> bool:
        """Say whether the verb stops here."""
        return self._most is not None and tally.total >= self._most

    def reached_at(self, deliveries: int) -> bool:
        """Say whether the verb stops after so many."""
        return self._most is not None and deliveries >= self._most

    def missed_by(self, tally: Tally) -> bool:
        """Say whether there were too few deliveries."""
        return tally.total < self._least

    def text(self, tally: Tally, verb: str, waiting: str) -> str:
        """Return the message that says so.

        Args:
            tally: what the verb did.
            verb: its name.
            waiting: what is pending still, in words.
        """
        counts = ", ".join(f"{count} {status}" for status, count in tally.items())
        made = f"only {tally.total} ({counts})" if tally.total else "none"
        deliveries = "1 delivery" if self._least == 1 else f"{self._least} deliveries"
        return (
            f"jobs.{verb}() was to make at least {deliveries} and made {made}. Pending: {waiting}. Make sure that "
            "the code which enqueues the jobs ran before it, and that they are due."
        )


def check_limit(limit: object) -> None:
    """Check the number of jobs that may come up during a verb.

    Raises:
        CriterionError: when it is none.
    """
    if type(limit) is not int or limit < 0:
        raise CriterionError(f"limit={limit!r} is no number of jobs: write an int of at least 0.")
