"""Worlds of a few jobs: a courier who is awaited, and a fence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import corpus_shop
import pytest
from corpus_world import shop, shop_with_redis

from pytest_jobs import effects


class Courier:
    """Ships; whoever waits for it may be cancelled before it has."""

    def __init__(self):
        self.shipped = set()

    async def ship(self, payment):
        act = effects.Act(
            "courier", f"ship({payment})", counts=False, refused=asyncio.CancelledError
        )
        await effects.perform_act_async(act, lambda: self._ship(payment))

    async def _ship(self, payment):
        self.shipped.add(payment)


@contextmanager
def shop_with_courier() -> Generator[Callable[[], dict[str, Any]], None, None]:
    courier = Courier()
    with shop() as tables, pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus_shop, "courier", courier)
        yield lambda: {**tables(), "shipped": courier.shipped}


@contextmanager
def shop_with_fence() -> Generator[Callable[[], dict[str, Any]], None, None]:
    """A shop whose payments are shown without their version: which token is the newest is not an outcome."""
    with shop_with_redis() as state:
        yield lambda: {
            **state(),
            "payments": [
                (number, status, amount) for number, status, amount, _ in _payments(state)
            ],
        }


def _payments(state: Callable[[], dict[str, Any]]) -> list[tuple[Any, ...]]:
    return state()["payments"]
