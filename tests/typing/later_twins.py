"""The `_later` twin takes the parameters of its method."""

from __future__ import annotations

from datetime import timedelta
from typing import assert_type

from pytest_jobs import Job, later, reference, retry_on


class Webhook(Job):
    queue = "webhooks"


@reference(id="number", find="find")
class Order:
    def __init__(self, number: int) -> None:
        self.number = number

    @classmethod
    def find(cls, number: int) -> Order | None:
        return cls(number)

    def ship(self, carrier: str = "post", *, insured: bool = False) -> str:
        return f"{self.number} {carrier} {insured}"

    async def track(self, days: int) -> None:
        pass

    ship_later = later(ship, queue="shipping", priority=3)
    track_later = later(track, base=Webhook)


retry_on(TimeoutError)(Order.ship_later)
order = Order(7)

# Accepted

assert_type(order.ship(), str)
assert_type(order.ship_later(), Job)
assert_type(order.ship_later("courier", insured=True), Job)
assert_type(order.ship_later.new(carrier="courier"), Job)
assert_type(order.ship_later.set(wait=timedelta(days=1), queue="low")("courier"), Job)
assert_type(order.ship_later.set(wait=60).new(), Job)
assert_type(order.track_later(3), Job)
assert_type(Order.ship_later.job_class, type[Job])

# Refused

order.ship_later(7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
order.ship_later("courier", True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
order.ship_later(colour="red")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
order.ship_later.new(7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
order.ship_later.set(wait="soon")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
order.ship_later.set(wait=60)(7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
order.track_later()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
Order.ship_later("courier")  # type: ignore[operator]  # pyright: ignore[reportCallIssue]
later("ship")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
