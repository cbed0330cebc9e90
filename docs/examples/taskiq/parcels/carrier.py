"""The carriers that are asked where a parcel is."""

from __future__ import annotations

from typing import Protocol


class CarrierDown(Exception):
    """The carrier does not answer."""


class Carrier(Protocol):
    async def status(self, number: str) -> str: ...


class HttpCarrier:
    """Asks over the network."""

    async def status(self, number: str) -> str:
        raise CarrierDown(f"there is no network here to ask about {number}")
