"""The event loops of deliveries, and of two deliveries in one process."""

import asyncio

import pytest

from pytest_jobs import check_idempotent
from pytest_jobs.errors import PoisonJob

paid = set()
lock = asyncio.Lock()


def world():
    paid.clear()
    yield lambda: {"paid": set(paid)}


async def pay(number):
    async def pay_under_the_lock():
        async with lock:
            await asyncio.sleep(1)
            paid.add(number)

    await asyncio.gather(pay_under_the_lock(), pay_under_the_lock())


def test_one_loop():
    check_idempotent(pay, args=(1,), world=world)


def test_two_loops_in_one_process():
    with pytest.raises(PoisonJob, match="is bound to a different event loop"):
        check_idempotent(pay, args=(1,), world=world, same_process=True, histories=["crash"])
