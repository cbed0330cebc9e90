"""The deliveries of one worker run on one event loop, unless the library makes a new one for each."""

import asyncio
import queue

import anyio
import pytest

from pytest_jobs import check_idempotent, job
from pytest_jobs.errors import PoisonJob

paid = set()
lock = asyncio.Lock()
of_class = {"ann": asyncio.Condition()}
tickets = queue.Queue()
tickets.put("ticket")


class Shop:
    lock = asyncio.Lock()
    seats = asyncio.Semaphore(1)
    orders = asyncio.Queue()
    opened = asyncio.Event()


def world():
    paid.clear()
    yield lambda: {"paid": set(paid)}


async def pay_under(number, held):
    async def pay():
        async with held:
            await asyncio.sleep(1)
            paid.add(number)

    await asyncio.gather(pay(), pay())


async def pay_under_a_lock_of_a_module(number):
    await pay_under(number, lock)


async def pay_under_a_lock_of_a_class(number):
    await pay_under(number, Shop.lock)


async def pay_under_a_semaphore(number):
    await pay_under(number, Shop.seats)


async def pay_under_a_condition_in_a_dictionary(number):
    await pay_under(number, of_class["ann"])


async def pay_what_comes_through_a_queue(number):
    async def order():
        await asyncio.sleep(1)
        await Shop.orders.put(number)

    ordering = asyncio.create_task(order())
    paid.add(await Shop.orders.get())
    await ordering


async def pay_when_it_is_open(number):
    asyncio.get_running_loop().call_later(1, Shop.opened.set)
    await Shop.opened.wait()
    Shop.opened.clear()
    paid.add(number)


runner = asyncio.Runner()
runners = {}


def pay_on_a_runner_of_the_module(number):
    runner.run(pay_under(number, lock))


def pay_on_a_runner_that_the_first_delivery_makes(number):
    if not runners:
        runners["mine"] = asyncio.Runner()
    runners["mine"].run(pay_under(number, lock))


@pytest.mark.parametrize(
    "pay",
    [
        pay_on_a_runner_of_the_module,
        pay_on_a_runner_that_the_first_delivery_makes,
        pay_under_a_lock_of_a_module,
        pay_under_a_lock_of_a_class,
        pay_under_a_semaphore,
        pay_under_a_condition_in_a_dictionary,
        pay_what_comes_through_a_queue,
        pay_when_it_is_open,
    ],
)
def test_a_synchroniser_that_belongs_to_a_loop_serves_each_delivery(pay):
    check_idempotent(pay, args=(1,), world=world)


def pay_on_a_loop_of_its_own(number):
    asyncio.run(pay_under_a_lock_of_a_class(number))


@pytest.mark.parametrize("pay", [pay_on_a_loop_of_its_own, job(pay_under_a_lock_of_a_class)])
def test_a_worker_that_makes_a_loop_for_each_delivery_is_shown_as_it_is(pay):
    with pytest.raises(
        PoisonJob, match=r"is bound to a different event loop, at line \d+ of pay_under"
    ):
        check_idempotent(pay, args=(1,), world=world, histories=["twice"])
    check_idempotent(pay, args=(1,), world=world, histories=["restart"])


def test_a_task_of_a_delivery_is_gone_in_the_next():
    left = []

    async def fails_once_and_leaves_a_task(number):
        if not paid:
            left.clear()
        elif not left:
            left.append(asyncio.create_task(asyncio.sleep(3600)))
            await asyncio.sleep(0)
            raise ConnectionError
        assert not left or left[0].cancelled()
        paid.add(number)

    check_idempotent(fails_once_and_leaves_a_task, args=(1,), world=world, histories=["twice"])


def test_a_queue_of_a_module_is_as_it_was_before_the_check():
    def take(number):
        paid.add(tickets.get_nowait())

    check_idempotent(take, args=(1,), world=world, histories=["restart"])


anyio_lock = anyio.Lock()
anyio_limiter = anyio.CapacityLimiter(1)
anyio_seats = anyio.Semaphore(1)


@pytest.mark.parametrize("held", [anyio_lock, anyio_limiter, anyio_seats])
def test_what_a_killed_delivery_holds_of_anyio_is_free_in_the_next_process(held):
    async def pay(number):
        async with held:
            await anyio.sleep(1)
            paid.add(number)

    check_idempotent(pay, args=(1,), world=world, histories=["crash", "overlap"])
