"""Functions, classes and objects that a test has put in a place of the project: calls of them are effects."""

from __future__ import annotations

import asyncio
import contextlib
import re
import smtplib
import sqlite3
import time
from contextlib import closing, contextmanager
from types import SimpleNamespace
from unittest.mock import Mock, patch

import mocked_shop as shop
import pytest

from pytest_jobs import check_idempotent
from pytest_jobs.errors import DivergedState, DuplicateEffect, NotIdempotent


def world():
    shop.db.clear()
    yield lambda: dict(shop.db)


def check(job, argument=7, **options):
    return check_idempotent(job, args=(argument,), world=world, **options)


class FakeGateway:
    def __init__(self, token="t"):
        self.charged = []

    def charge(self, order):
        self.charged.append(order)


class Outbox:
    sent = []  # noqa: RUF012 - so are the backends for tests of projects

    def charge(self, order):
        self.sent.append(order)


def by_monkeypatch(owner, name, stub):
    @contextmanager
    def put():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(owner, name, stub)
            yield

    return put


sent = []


async def send(to, text):
    sent.append(to)


STUBS = {
    "a lambda": (by_monkeypatch(shop, "total", lambda order: None), shop.add_up_once, "total"),
    "a method of a list": (by_monkeypatch(shop, "total", sent.append), shop.add_up_once, "total"),
    "an object": (
        by_monkeypatch(shop, "gateway", FakeGateway()),
        shop.charge,
        "gateway.charge",
    ),
    "a namespace": (
        by_monkeypatch(shop, "gateway", SimpleNamespace(charge=lambda order: None)),
        shop.charge,
        "gateway.charge",
    ),
    "a class": (
        by_monkeypatch(shop, "Gateway", FakeGateway),
        shop.charge_by_a_new_gateway,
        "Gateway.charge",
    ),
    "a class with its calls": (
        by_monkeypatch(shop, "Gateway", lambda token: Outbox()),
        shop.charge_by_a_new_gateway,
        "Gateway().charge",
    ),
    "a method of a class": (
        by_monkeypatch(shop.Gateway, "charge", lambda self, order: None),
        shop.charge,
        "Gateway.charge",
    ),
    "a static method": (
        by_monkeypatch(shop.Gateway, "charge", staticmethod(lambda order: None)),
        shop.charge,
        "Gateway.charge",
    ),
    "a method of an object": (
        by_monkeypatch(shop.service.client, "charge", lambda order: None),
        shop.charge_by_the_service,
        "service.client.charge",
    ),
    "a coroutine function": (by_monkeypatch(shop.mailer, "send", send), shop.mail, "mailer.send"),
    "new= of a patch": (
        lambda: patch("mocked_shop.total", new=lambda order: None),
        shop.add_up_once,
        "total",
    ),
    "an object of a patch": (
        lambda: patch.object(shop, "gateway", FakeGateway()),
        shop.charge,
        "gateway.charge",
    ),
    "an item": (
        lambda: patch.dict(shop.BACKENDS, sms=FakeGateway),
        shop.charge_by_a_backend,
        "BACKENDS['sms'].charge",
    ),
}


@pytest.mark.parametrize(("put", "job", "place"), STUBS.values(), ids=STUBS)
def test_a_call_of_a_stub_is_an_effect_by_the_name_of_its_place(put, job, place):
    with put(), pytest.raises(DuplicateEffect) as found:
        check(job)

    assert f"DUPLICATE mocked_shop.{place} [crash" in str(found.value)
    assert "lines of" not in str(found.value)
    # Each history has left what the stub keeps as it was.
    assert (sent, Outbox.sent) == ([], [])


def test_a_stub_of_a_world_is_like_one_of_the_test():
    def stubbed():
        with by_monkeypatch(shop, "total", lambda order: None)():
            yield from world()

    with pytest.raises(DuplicateEffect, match=r"DUPLICATE mocked_shop\.total"):
        check_idempotent(shop.add_up_once, args=(7,), world=stubbed)


def test_one_stub_under_several_names_has_the_name_by_which_it_is_called(monkeypatch):
    def stub(order):
        return None

    monkeypatch.setattr(shop, "total", stub)
    monkeypatch.setattr(shop, "send_sms", stub)

    with pytest.raises(DuplicateEffect, match=r"DUPLICATE mocked_shop\.total"):
        check(shop.add_up_once)


def test_the_test_finds_its_stub_again(monkeypatch):
    gateway = FakeGateway()
    monkeypatch.setattr(shop, "gateway", gateway)

    check(shop.charge, mocks={"mocked_shop.gateway.charge": "put"})

    assert shop.gateway is gateway
    assert gateway.charged == []


#: An object of the project that a worker gets as its context, with something of the tests inside.
context = shop.Service()


def test_what_a_test_puts_into_an_object_that_it_gives_to_the_job_is_a_double():
    context.client = FakeGateway()

    with pytest.raises(DuplicateEffect, match=r"DUPLICATE .*context\.client\.charge"):
        check(shop.charge_by(context))


def test_mocks_says_what_the_calls_of_a_stub_are(monkeypatch):
    monkeypatch.setattr(shop, "total", lambda order: None)

    check(shop.add_up_once, mocks={"mocked_shop.total": "nothing"})


def test_a_stub_in_a_class_may_be_called_on_the_class(monkeypatch):
    monkeypatch.setattr(shop.Messages, "get_current", lambda: "first")
    check(shop.mark)


def test_a_stub_that_makes_a_connection_has_no_effect(monkeypatch, tmp_path):
    def connect():
        return sqlite3.connect(tmp_path / "shop.db")

    monkeypatch.setattr(shop, "connect", connect, raising=False)
    with closing(connect()) as connection:
        connection.execute("create table totals (number integer primary key)")

    def job():
        with closing(shop.connect()) as connection, connection:
            connection.execute("insert or ignore into totals values (7)")

    assert "mocked_shop.connect (nothing)" in check_idempotent(job).guesses


def test_a_stub_of_a_clock_or_of_a_value_has_no_effect(monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.setattr(shop.uuid, "uuid4", lambda: "u")
    monkeypatch.setattr(shop, "settings", {"PREFIX": "p"})
    monkeypatch.setattr(shop, "crm", sqlite3.Connection)

    def job():
        time.sleep(1)
        shop.db.update(at=[shop.uuid.uuid4(), shop.settings["PREFIX"]])

    explored = check_idempotent(job, world=world, histories=["twice"])

    assert explored.guesses == ()
    assert [one for one in explored.explorations[0].points if one.kind not in ("line", "end")] == []


def test_a_block_of_the_test_ends_without_an_effect_where_an_error_is_thrown_into_it():
    @contextmanager
    def session():
        yield 7

    options = {"histories": ["effect_fails"], "at_least_once": {"mocked_shop.gateway"}}
    with patch.object(shop, "crm", session=session), patch.object(shop, "gateway"):
        check(shop.charge_in_a_session, **options)


@pytest.mark.parametrize("inner", ["a mock", "a row"])
def test_a_stub_that_does_effects_itself_only_passes_calls_on(monkeypatch, tmp_path, inner):
    database = tmp_path / "shop.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("create table totals (number integer primary key)")

    def write(order):
        with sqlite3.connect(database) as connection:
            connection.execute("insert or ignore into totals values (?)", (order,))
        connection.close()

    shop.db.clear()
    gateway = Mock()
    monkeypatch.setattr(shop, "gateway", gateway)
    monkeypatch.setattr(shop, "total", write if inner == "a row" else gateway.put)

    check_idempotent(shop.add_up_once, args=(7,), world=None if inner == "a row" else world)


def test_stubs_that_are_awaited_side_by_side_are_effects_of_their_own(monkeypatch):
    async def send(to, text):
        await asyncio.sleep(0)

    async def mail_both(user):
        if not shop.db.get("done"):
            await asyncio.gather(shop.mailer.send(user, "a"), shop.mailer.send(user, "b"))
            shop.db["done"] = True

    monkeypatch.setattr(shop.mailer, "send", send)

    with pytest.raises(DuplicateEffect, match=r"DUPLICATE mocked_shop\.mailer\.send"):
        check(mail_both)


class Orders:
    """A store in memory."""

    def __init__(self):
        self.rows = {7: "open"}

    def get(self, number):
        return self.rows[number]

    def save(self, number, status):
        self.rows[number] = status


def test_the_calls_of_a_store_in_memory_that_the_state_shows_are_compared_by_the_state():
    def stored():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(shop, "storage", Orders())
            yield lambda: dict(shop.storage.rows)

    def count(order):
        shop.storage.save(order, f"{shop.storage.get(order)}+")

    def lose(order):
        with contextlib.suppress(ConnectionError):
            shop.storage.save(order, "paid")

    explored = check_idempotent(lambda: shop.storage.save(7, "paid"), world=stored)
    assert "mocked_shop.storage.save (compared by the state)" in explored.guesses
    with pytest.raises(DivergedState):
        check_idempotent(count, args=(7,), world=stored)
    with pytest.raises(NotIdempotent, match=r"\[effect_fails"):
        check_idempotent(lose, args=(7,), world=stored, histories=["effect_fails"])


def test_what_a_stub_returns_is_data(monkeypatch):
    monkeypatch.setattr(shop, "fetch_rates", lambda *, of=shop.Service: of())

    def job():
        shop.db["service"] = type(shop.fetch_rates()).__name__

    assert "fetch_rates (read)" in str(check_idempotent(job, world=world))


def test_a_stub_of_a_function_of_a_library_is_an_effect(monkeypatch):
    json = pytest.importorskip("yaml")
    monkeypatch.setattr(json, "dump", lambda value: None)

    with pytest.raises(DuplicateEffect, match=re.escape("DUPLICATE yaml.dump")):
        check(lambda order: shop.once(lambda: json.dump(order)))


class FakeServer:
    """Has less than the class of Python that it stands for."""

    def __init__(self, host):
        self.host = host

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def sendmail(self, sender, to, text):
        pass


def test_a_stub_of_a_class_that_a_source_watches_is_an_effect(monkeypatch):
    monkeypatch.setattr(smtplib, "SMTP", FakeServer)

    def send():
        with smtplib.SMTP("mail.example") as server:
            server.sendmail("shop", "ann", "hello")

    with pytest.raises(DuplicateEffect, match=r"DUPLICATE mail to ann"):
        check(lambda order: shop.once(send))


@pytest.mark.parametrize("stub", [lambda order: None, Mock()], ids=["a stub", "a mock"])
def test_a_double_of_the_own_code_of_the_project_may_hide_a_guard_and_the_hint_says_so(
    monkeypatch, stub
):
    monkeypatch.setattr(shop, "total", stub)

    with pytest.raises(DuplicateEffect) as found:
        check(shop.add_up_once)

    assert "mocked_shop.total is of the project, and the test has put a double in its place" in (
        found.value.report.hint
    )


@pytest.mark.parametrize("name", ["sender", "cached_sender"])
def test_a_double_of_a_property_of_the_project_may_hide_a_guard_too(monkeypatch, name):
    monkeypatch.setattr(shop.Order, name, Mock())

    with pytest.raises(DuplicateEffect) as found:
        check(lambda order: shop.once(getattr(shop.Order(order), name)))

    assert f"mocked_shop.Order.{name} is of the project, and the test has put a double" in (
        found.value.report.hint
    )


def test_what_the_project_has_of_its_tests_is_a_stub_whoever_put_it_there(pytester):
    """A fixture may assign by itself: no helper knows the place."""
    pytester.makepyfile(
        shop="""
        class Gateway:
            def charge(self, order):
                raise NotImplementedError

        class Service:
            def __init__(self):
                self.client = Gateway()

        def total(order):
            return order * 100

        gateway, service = Gateway(), Service()

        def pay(order):
            total(order)
            for gone in gateway, service.client, Gateway():
                try:
                    gone.charge(order)
                except NotImplementedError:
                    pass
        """,
        test_it="""
        import pytest, shop
        from pytest_jobs import check_idempotent
        from pytest_jobs.errors import DuplicateEffect

        class FakeGateway:
            def charge(self, order):
                pass

        def no_charge(*args):
            pass

        def world():
            yield dict

        @pytest.mark.parametrize(
            ("owner", "name", "stub", "place"),
            [
                (shop, "gateway", FakeGateway(), "shop.gateway.charge"),
                (shop, "total", no_charge, "shop.total"),
                (shop, "Gateway", FakeGateway, "shop.Gateway.charge"),
                (shop.Gateway, "charge", no_charge, "shop.Gateway.charge"),
                (shop.service, "client", FakeGateway(), "shop.service.client.charge"),
            ],
        )
        def test_it(owner, name, stub, place):
            before = vars(owner)[name]
            setattr(owner, name, stub)
            try:
                with pytest.raises(DuplicateEffect, match=f"DUPLICATE {place} .(twice|crash)"):
                    check_idempotent(shop.pay, args=(7,), world=world)
                assert vars(owner)[name] is stub
            finally:
                setattr(owner, name, before)
        """,
    )

    pytester.runpytest().assert_outcomes(passed=5)


def test_what_a_job_sets_on_a_double_in_a_place_is_compared(monkeypatch):
    gateway = FakeGateway()
    monkeypatch.setattr(shop, "gateway", gateway)

    def fill(order):
        shop.gateway.charged.append(order)

    with pytest.raises(NotIdempotent, match=r"mocked_shop\.gateway\.attributes"):
        check(fill)

    assert gateway.charged == []
