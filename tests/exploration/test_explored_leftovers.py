"""What a killed delivery leaves behind, such as tasks and threads, ends without a word."""

import asyncio
import gc
import sys
import threading
from contextlib import contextmanager, suppress
from contextvars import ContextVar

import pytest
from explored_worlds import Gateway

from pytest_jobs import check_idempotent, fake, sqlite_world
from pytest_jobs.errors import DuplicateEffect

SCHEMA = """
create table payments (id integer primary key, status);
insert into payments values (1, 'open'), (2, 'open');
"""

gateway = None


def connect():
    raise NotImplementedError("the world binds it")


def shop():
    with (
        sqlite_world(SCHEMA, bind=(sys.modules[__name__], "connect")) as rows,
        fake(sys.modules[__name__], "gateway", Gateway(), key="key") as made,
    ):
        yield lambda: {
            "payments": dict(rows("payments")),
            "charges": [call[1] for call in made.calls],
        }


def world():
    with contextmanager(shop)() as snapshot:
        yield lambda: {"charges": sorted(snapshot()["charges"])}


async def charge(number):
    await asyncio.sleep(0)
    gateway.charge(number, key=number)
    await asyncio.sleep(0)


async def charge_by_gathering(number):
    await asyncio.gather(charge(number), charge(number + 1))


async def charge_by_gathering_many(number):
    await asyncio.gather(
        *(
            charge(each)
            for each in (number, number + 1)
        )
    )  # fmt: skip


async def charge_in_tasks(number):
    for task in [asyncio.create_task(charge(each)) for each in (number, number + 1)]:
        await task


def charge_in_a_thread(number):
    done = threading.Event()
    thread = threading.Thread(target=charge_when, args=(done, number), daemon=True)
    thread.start()
    try:
        gateway.charge(number, key=number)
    finally:
        done.set()
        thread.join()


def charge_when(done, number):
    done.wait(0.1)
    gateway.charge(number + 1, key=number + 1)


@contextmanager
def unit_of_work():
    connection = connect()
    try:
        with connection:
            yield connection
    finally:
        connection.close()


def pay(number):
    with unit_of_work() as connection:
        connection.execute("update payments set status = 'paid' where id = ?", (number,))


paying = ContextVar("paying", default=None)


def pay_unless_it_is_being_paid(number):
    if paying.get() is None:
        token = paying.set(number)
        try:
            pay(number)
        finally:
            paying.reset(token)


tenant = ContextVar("tenant")


def shop_of_a_tenant():
    token = tenant.set("acme")
    try:
        yield from shop()
    finally:
        tenant.reset(token)


def pay_for_the_tenant(number):
    if tenant.get() == "acme":
        pay(number)


def mark_paid_after_a_charge(number):
    gateway.charge(number)
    pay(number)


class Farewell:
    """Is garbage as soon as it is made, for the collector alone, and does something in its end."""

    def __init__(self, number):
        self.itself = self
        self.number = number
        self.gateway = gateway

    def __del__(self):
        self.gateway.charge(self.number)


def pay_and_leave_garbage(number):
    Farewell(number)
    enough_to_be_collected = [[] for _ in range(2 * gc.get_threshold()[0])]
    pay(number)
    enough_to_be_collected.clear()


@pytest.fixture(autouse=True)
def no_word(caplog):
    """Collect what is left, so that all of it is heard of here."""
    yield
    gc.collect()

    assert not caplog.records


@pytest.mark.parametrize("body", [charge_by_gathering, charge_in_tasks])
def test_the_tasks_of_a_coroutine(body):
    check_idempotent(body, args=(1,), world=world, histories=["crash", "overlap"])


@pytest.mark.parametrize("collecting", [True, False])
def test_the_end_of_garbage_is_no_act_of_the_delivery_in_which_it_would_be_collected(collecting):
    if not collecting:
        gc.disable()
    try:
        check_idempotent(pay_and_leave_garbage, args=(1,), world=shop, histories=["twice"])

        assert gc.isenabled() is collecting
    finally:
        gc.enable()


class Ended:
    """Is garbage for the collector alone, and says when it has come."""

    def __init__(self, said):
        self.itself = self
        self.said = said

    def __del__(self):
        self.said.append("ended")


def collect_and_pay(number):
    gc.collect()
    pay(number)


def test_a_job_that_collects_garbage_leaves_what_is_older_than_the_job():
    said = []
    left = Ended(said)
    gc.disable()
    try:
        # What has lived through all generations is of the process.
        gc.collect()
        gc.collect()
        del left
        check_idempotent(collect_and_pay, args=(1,), world=shop, histories=["twice"])

        assert said == []
        gc.collect()
        assert said == ["ended"]
    finally:
        gc.enable()


def test_a_coroutine_that_was_made_and_not_begun(recwarn):
    check_idempotent(
        charge_by_gathering_many, args=(1,), world=world, histories=["crash", "overlap"]
    )
    gc.collect()

    assert not recwarn.list


@pytest.mark.wide
@pytest.mark.parametrize("body", [pay, mark_paid_after_a_charge])
def test_a_generator_that_was_in_the_middle_of_a_transaction(body, monkeypatch):
    said = []
    monkeypatch.setattr(sys, "unraisablehook", said.append)

    with suppress(DuplicateEffect):
        check_idempotent(body, args=(1,), world=shop, histories="all")
    gc.collect()

    assert said == []


def test_a_context_variable_that_was_set():
    check_idempotent(pay_unless_it_is_being_paid, args=(1,), world=shop, histories="all")

    assert paying.get() is None


def test_a_context_variable_of_the_world_is_there_in_each_process():
    check_idempotent(pay_for_the_tenant, args=(1,), world=shop_of_a_tenant, histories="all")


def test_a_thread_that_outlives_its_delivery():
    check_idempotent(charge_in_a_thread, args=(1,), world=world, histories=["crash"])
