"""The data of the box office, and the functions that the web application calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


class GatewayDown(Exception):
    """The payment gateway does not answer."""


class Gateway(Protocol):
    def charge(self, order: str, price: int) -> None:
        """Take the money."""
        ...


class HttpGateway:
    def charge(self, order: str, price: int) -> None:
        raise GatewayDown(f"there is no network here to charge {order}")


@dataclass
class Office:
    """Stands for a database."""

    prices: dict[str, int] = field(default_factory=dict)
    paid: set[str] = field(default_factory=set)
    mails: dict[str, str] = field(default_factory=dict)
    reminded: set[str] = field(default_factory=set)
    gateway: Gateway = field(default_factory=HttpGateway)


office = Office()


def sell(order: str, price: int) -> None:
    """Sell a ticket: it is charged at once, and the customer is reminded of the show a week later."""
    from tickets.actors import charge, remind

    office.prices[order] = price
    charge.send(order)
    remind.send_with_options(args=(order,), delay=7 * 24 * 3_600_000)


def print_ticket(order: str) -> None:
    """Draw a ticket and mail it."""
    from tickets.actors import draw, mail

    (draw.message(order) | mail.message(order)).run()
