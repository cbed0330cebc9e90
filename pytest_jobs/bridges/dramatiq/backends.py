"""What the result backends and the rate limiter backends of Dramatiq would keep."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .messages import MILLISECOND_NS


class Expiring:
    """Values by their keys, each for some time."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[Any, int]] = {}

    def put(self, key: str, value: Any, ttl: float, now_ns: int) -> None:
        """Keep a value for some milliseconds."""
        self._values[key] = value, now_ns + round(ttl * MILLISECOND_NS)

    def get(self, key: str, now_ns: int) -> Any:
        """Return a value; None when there is none any more."""
        value, until_ns = self._values.get(key, (None, 0))
        return value if now_ns < until_ns else None


class Store:
    """What servers would keep: results, and the places that rate limiters and barriers have given away."""

    __slots__ = ("limits", "results", "sent")

    def __init__(self) -> None:
        #: Encoded results by the key of their message.
        self.results = Expiring()
        self.limits = Limits()
        #: The ids of the messages that were sent, by their queue.
        self.sent: dict[str, list[str]] = {}


class Limits:
    """The numbers behind rate limiters and barriers. The methods are those of a `RateLimiterBackend`."""

    def __init__(self) -> None:
        self._kept = Expiring()

    def _get(self, key: str, now_ns: int) -> int:
        return int(self._kept.get(key, now_ns) or 0)

    def add(self, now_ns: int, key: str, value: int, ttl: float) -> bool:
        if self._kept.get(key, now_ns) is not None:
            return False
        self._kept.put(key, value, ttl, now_ns)
        return True

    def incr(self, now_ns: int, key: str, amount: int, maximum: int, ttl: float) -> bool:
        value = self._get(key, now_ns) + amount
        if value > maximum:
            return False
        self._kept.put(key, value, ttl, now_ns)
        return True

    def decr(self, now_ns: int, key: str, amount: int, minimum: int, ttl: float) -> bool:
        value = self._get(key, now_ns) - amount
        if value < minimum:
            return False
        self._kept.put(key, value, ttl, now_ns)
        return True

    def incr_and_sum(
        self,
        now_ns: int,
        key: str,
        keys: Callable[[], Iterable[str]],
        amount: int,
        maximum: int,
        ttl: float,
    ) -> bool:
        value = self._get(key, now_ns) + amount
        others = sum(self._get(each, now_ns) for each in keys())
        if value > maximum or others + amount > maximum:
            return False
        self._kept.put(key, value, ttl, now_ns)
        return True
