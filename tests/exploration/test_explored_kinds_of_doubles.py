"""The table of the page about doubles says of each kind what a check does with it. Here each is tried."""

from __future__ import annotations

import sqlite3
import time
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from unittest.mock import Mock, patch

import injected_shop
import mocked_shop as shop
import pytest
from test_explored_injected_doubles import ListGateway

from pytest_jobs import Job, check_idempotent, effects, fake
from pytest_jobs.errors import DuplicateEffect

PAGE = Path(__file__).parents[2] / "docs/how-to/what-counts-as-an-effect.md"


class DummyBackend:
    def __init__(self, token=""):
        self.charged = []

    def charge(self, order):
        self.charged.append(order)


mail = Mock(spec=["send"])


class Ship(Job):
    def perform(self, order):
        mail.send(order)


def rows():
    _, _, table = PAGE.read_text("utf-8").partition("<!-- doubles -->\n")
    lines = table.partition("\n\n")[0].splitlines()[2:]
    return {
        cells[0]: cells[1:] for cells in ([*map(str.strip, line.split("|")[1:4])] for line in lines)
    }


@contextmanager
def by_monkeypatch(owner, name, stub, *, is_item=False):
    with pytest.MonkeyPatch.context() as patch:
        (patch.setitem if is_item else patch.setattr)(owner, name, stub)
        yield


def insert(order):
    """Write a row that is there once."""
    with sqlite3.connect(shop.settings) as connection:
        connection.execute("insert or ignore into totals values (?)", (order,))
    connection.close()


def add_up(order):
    shop.total(order)


def charge(order):
    shop.gateway.charge(order)


def charge_by_a_new_one(order):
    shop.Gateway().charge(order)


def ship_later(order):
    Ship.perform_later(order)


def wait(order):
    time.sleep(order)


def no_stub(value):
    """Do nothing."""


#: By the row of the page: what puts the double in its place, and what the job calls.
DOUBLES = {
    "`Service(FakeGateway())`, an argument, a handler, a container, a setting, `dependency_overrides`": (
        nullcontext,
        lambda order: injected_shop.Service(ListGateway()).pay(order),
    ),
    '`patch("shop.charge")`, with a mock or an autospec': (
        lambda: patch("mocked_shop.total", autospec=True),
        add_up,
    ),
    '`patch("shop.Gateway")`, a class': (
        lambda: patch("mocked_shop.Gateway"),
        charge_by_a_new_one,
    ),
    '`monkeypatch.setattr(shop, "charge", lambda order: None)`': (
        lambda: by_monkeypatch(shop, "total", no_stub),
        add_up,
    ),
    '`monkeypatch.setattr(shop, "charge", calls.append)`': (
        lambda: by_monkeypatch(shop, "total", [].append),
        add_up,
    ),
    '`patch("shop.charge", new=a_function)`': (
        lambda: patch("mocked_shop.total", new=no_stub),
        add_up,
    ),
    '`patch("shop.gateway", new=FakeGateway())`': (
        lambda: patch("mocked_shop.gateway", new=DummyBackend()),
        charge,
    ),
    '`monkeypatch.setattr(shop, "BACKEND", DummyBackend)`': (
        lambda: by_monkeypatch(shop, "Gateway", DummyBackend),
        charge_by_a_new_one,
    ),
    '`monkeypatch.setitem(shop.BACKENDS, "sms", DummyBackend)`': (
        lambda: by_monkeypatch(shop.BACKENDS, "sms", DummyBackend, is_item=True),
        lambda order: shop.BACKENDS["sms"]().charge(order),
    ),
    '`fake(shop, "gateway", FakeGateway())`': (
        lambda: fake(shop, "gateway", DummyBackend()),
        charge,
    ),
    '`effects.wrap(shop, "gateway")`': (
        lambda: effects.wrap(shop, "gateway"),
        charge,
    ),
    '`patch("shop.ship.delay")`, or a stub of it': (
        lambda: patch.object(Ship, "perform_later", new=no_stub),
        ship_later,
    ),
    '`patch("shop.charge", wraps=shop.charge)`, `mocker.spy`': (
        lambda: patch("mocked_shop.total", wraps=shop.total),
        add_up,
    ),
    "a stub that writes to a database or calls a mock": (
        lambda: by_monkeypatch(shop, "total", insert),
        add_up,
    ),
    "a store in memory that `monkeypatch` puts in place, and that the state of the world shows": (
        lambda: by_monkeypatch(shop, "total", lambda order: shop.db.update(total=order)),
        add_up,
    ),
    "a stub of `time.sleep`, `uuid.uuid4` and the like": (
        lambda: by_monkeypatch(time, "sleep", no_stub),
        wait,
    ),
    "a number, a text or a dict that is put in place": (
        lambda: by_monkeypatch(shop, "queue", {"limit": 3}),
        lambda order: shop.queue["limit"],
    ),
}
#: How the doubles of the page are named here.
HERE = {
    "shop.charge": "mocked_shop.total",
    "shop.BACKEND.charge": "mocked_shop.Gateway.charge",
    "shop.mail.send": f"{__name__}.mail.send",
    "gateway.charge": "gateway.charge",
    "FakeGateway.charge": "ListGateway.charge",
}


def test_the_page_and_this_table_have_the_same_doubles():
    assert rows().keys() == DOUBLES.keys()


@pytest.mark.parametrize("row", DOUBLES)
def test_a_check_does_with_each_kind_of_double_what_the_page_says(row, tmp_path, monkeypatch):
    put, call = DOUBLES[row]
    what, named = rows()[row]
    monkeypatch.setattr(shop, "settings", tmp_path / "shop.db")
    monkeypatch.setattr(shop, "gateway", Mock(spec=["charge"], wraps=DummyBackend()))
    with sqlite3.connect(shop.settings) as connection:
        connection.execute("create table totals (number integer primary key)")
    connection.close()

    def world():
        shop.db.clear()
        with ExitStack() as stack:
            stack.enter_context(put())
            yield lambda: dict(shop.db)

    def job():
        shop.once(lambda: call(7))

    options = {"world": world, "ignore": {"totals"} if "database" in row else ()}
    if what not in ("an effect", "an enqueue: the job is performed"):
        check_idempotent(job, **options)
        return
    with pytest.raises(DuplicateEffect) as found:
        check_idempotent(job, **options)
    name = named.strip("`")
    assert f"DUPLICATE {HERE.get(name, f'mocked_{name}')} [crash" in str(found.value)
