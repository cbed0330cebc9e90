"""The payment gateway. This one keeps its charges in memory and fails when it is told to."""

from __future__ import annotations

import time
from typing import NamedTuple


class GatewayTimeout(Exception):
    """The gateway did not answer in time: it may have charged the card or not."""


class CardError(Exception):
    """The card cannot be charged."""


class CardExpired(CardError):
    """The customer needs a new card."""


class CardDeclined(CardError):
    """The bank said no."""


class Charge(NamedTuple):
    """Money that was taken."""

    card: str
    cents: int


class FakeGateway:
    """Charges cards, once for each idempotency key."""

    def __init__(self) -> None:
        #: How long an answer takes.
        self.seconds_to_answer = 0.0
        #: How many of the next charges are made, while their answer is lost.
        self.lost_answers = 0
        self._charges: dict[str, Charge] = {}

    @property
    def charges(self) -> list[Charge]:
        """Everything that was charged."""
        return list(self._charges.values())

    def charge(self, card: str, cents: int, *, idempotency_key: str) -> None:
        """Charge a card, unless this key has been seen before.

        Raises:
            CardError: when the card is no good.
            GatewayTimeout: when the answer is lost.
        """
        time.sleep(self.seconds_to_answer)
        if card == "expired":
            raise CardExpired(card)
        if card == "declined":
            raise CardDeclined(card)
        self._charges.setdefault(idempotency_key, Charge(card, cents))
        if self.lost_answers:
            self.lost_answers -= 1
            raise GatewayTimeout("no answer")


#: The gateway in use.
provider = FakeGateway()
