"""A project that gets its services from whoever calls it, as tests do with their doubles."""

from __future__ import annotations

import asyncio
import os
import sys
import types
from datetime import UTC, datetime
from unittest import mock

from pytest_jobs import job

#: Its database.
db: dict[str, object] = {}
#: What its jobs work with.
services = types.SimpleNamespace(gateway=None)


class Gateway:
    """A service of the project, which reaches a network."""

    def charge(self, order):
        self.post("/charges", order)

    def post(self, path, body):
        raise NotImplementedError("the real one costs money")


class Service:
    def __init__(self, gateway):
        self.gateway = gateway

    def pay(self, order):
        if order not in db:
            self.gateway.charge(order)
            db[order] = "paid"

    async def pay_later(self, order):
        if order not in db:
            await self.gateway.charge(order)
            db[order] = "paid"

    async def pay_twice_later(self, order):
        if order not in db:
            await asyncio.gather(self.gateway.charge(order), self.gateway.charge(order + 1))
            db[order] = "paid"

    def pay_in_a_block(self, order):
        if order not in db:
            with self.gateway.session() as session:
                session.add(order)
            db[order] = "paid"

    def pay_all(self, order):
        for one in self.gateway.orders():
            db[one] = "paid"

    def bump(self, order):
        db[order] = self.gateway.order().bump()

    def take_one(self, order):
        batch = self.gateway.get("book")
        if order not in db:
            batch.left -= 3
            db[order] = "taken"

    def set_one(self, order):
        self.gateway.get("book").left = 3
        db[order] = "taken"

    def save(self, order):
        with self.gateway as unit:
            if unit.orders.get(order) is None:
                unit.orders.add(order)
                unit.commit()

    def save_and_mail(self, order):
        with self.gateway as unit:
            if unit.orders.get(order) is None:
                unit.orders.add(order)
                unit.commit()
                unit.mailer.send(order)


def pay_by(order, charge):
    """Pay with a function that the caller gives."""
    if order not in db:
        charge(order)
        db[order] = "paid"


async def pay_later_by(order, charge):
    if order not in db:
        await charge(order)
        db[order] = "paid"


async def pay_in_a_thread_of_the_loop(order, gateway):
    if order not in db:
        await asyncio.to_thread(gateway.charge, order)
        db[order] = "paid"


async def pay_in_a_task(order, gateway):
    if order not in db:
        await asyncio.create_task(gateway.charge_later(order))
        db[order] = "paid"


async def pay_in_an_awaited_block(order, gateway):
    if order not in db:
        async with gateway as opened:
            await opened.charge_later(order)
        db[order] = "paid"


def set_a_property(order, gateway):
    if order not in db:
        gateway.last = order
        db[order] = "paid"


def add_in_place(order, gateway):
    if order not in db:
        gateway += [order]
        db[order] = "paid"


def pay_by_a_patch(order, gateway):
    if order not in db:
        with mock.patch.object(gateway, "charge", gateway.decorated):
            gateway.charge(order)
        db[order] = "paid"


def pay_by_map(order, gateway):
    if order not in db:
        list(map(gateway.charge, [order]))
        db[order] = "paid"


def pay_with_a_decorated_one(order, gateway):
    if order not in db:
        gateway.decorated(order)
        db[order] = "paid"


class Container:
    """Makes services by their names."""

    def __init__(self):
        self.made = {"gateway": Gateway()}

    def get(self, name):
        return self.made[name]


container = Container()
handlers: dict[str, list[object]] = {"paid": []}


def pay_by_the_container(order):
    return pay_by(order, container.get("gateway").charge)


async def pay_later_by_the_container(order):
    await pay_later_by(order, container.get("gateway").charge)


def pay_by_handlers(order):
    for handle in handlers["paid"]:
        pay_by(order, handle)


async def pay_later_by_handlers(order):
    for handle in handlers["paid"]:
        await pay_later_by(order, handle)


def named_in_settings():
    module, _, name = os.environ["GATEWAY"].rpartition(".")
    return getattr(sys.modules[module], name)()


def pay_as_settings_say(order):
    pay_by(order, named_in_settings().charge)


async def pay_later_as_settings_say(order):
    await pay_later_by(order, named_in_settings().charge)


def pay_in_context(context, order):
    """Pay as a worker does that gives each job a context."""
    pay_by(order, context["gateway"].charge)


async def pay_later_in_context(context, order):
    await pay_later_by(order, context["gateway"].charge)


def pay_by_all_handlers(order):
    if order not in db:
        for handle in handlers["paid"]:
            handle(order)
        db[order] = "paid"


def pay_by_its_own_list(order):
    rows = []
    for keep in (rows.append,):
        keep(order)
    db["rows"] = rows


def rounded(order):
    return round(order)


def charge_if_it_is_one(order, gateway):
    assert isinstance(gateway, Gateway)
    assert type(gateway).__mro__[1] is Gateway
    gateway.charge(order)


def pay_in_a_minute(order):
    if order not in db:
        key = f"pay-{order}-{datetime.now(UTC):%H%M}"
        services.gateway.charge(order, idempotency_key=key)
        db[order] = "paid"


def pay_over_http(order):
    if order not in db:
        services.gateway.post("https://bank.example/charges").raise_for_status()
        db[order] = "paid"


@job
def pay(order):
    services.gateway.charge(order)
    db[order] = "paid"


@job
async def order_to_pay(order):
    if order not in db:
        pay.perform_later(order)
        db[order] = "ordered"
