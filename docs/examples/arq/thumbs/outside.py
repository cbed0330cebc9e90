"""The outside world: the store of the pictures, and the bank."""

from __future__ import annotations


class StoreDown(Exception):
    """The store of the pictures does not answer."""


class Pictures:
    async def fetch(self, name: str) -> bytes:
        raise StoreDown(f"there is no network here to fetch {name}")


class Bank:
    def charge(self, customer: str, cents: int) -> None:
        raise ConnectionError(f"there is no network here to charge {customer}")
