"""What `fake` and `effects.wrap` put in the place of a service: its clients, classes, keys and look-ups."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import functools
import os
import threading
import time
import types
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import explored_helpers
import pytest
from hypothesis import strategies as st

from pytest_jobs import check_idempotent, effects, fake
from pytest_jobs.errors import (
    DuplicateEffect,
    ExplorationError,
    LostEffect,
    NotIdempotent,
    ReusedKeyError,
)

#: The application: a world puts its services here.
app = types.SimpleNamespace(service=None, db=None)


def world_of(make, *, by=fake, **options):
    """Return a world with a database in memory and a service, which is faked or wrapped."""

    def world():
        app.db = {}
        app.service = make()
        if by is fake:
            with fake(app, "service", make(), **options):
                yield lambda: dict(app.db)
        else:
            with effects.wrap(app, "service", **options):
                yield lambda: dict(app.db)

    return world


#: Both have the same receiver and the same proxies.
both = pytest.mark.parametrize(
    "by", [fake, pytest.param(effects.wrap, marks=pytest.mark.wide)], ids=["fake", "wrap"]
)


def marked_after(do):
    """Return a job that does something unless it is marked as done, and marks it then."""

    def job():
        if not app.db.get("done"):
            do()
            app.db["done"] = True

    return job


# Nested attributes


class Messages:
    def create(self, to, idempotency_key=None):
        return "SM1"


class Twilio:
    def __init__(self):
        self.messages = Messages()


class Account:
    """Has nothing but other clients."""

    def __init__(self):
        self.v1 = types.SimpleNamespace(charges=types.SimpleNamespace(create=lambda order: "ch_1"))


def test_the_calls_of_a_fake_have_the_names_of_their_attributes():
    with fake(app, "service", Twilio()) as service:
        app.service.messages.create(to="+1")

    assert service.calls == [("messages.create", ("to", "+1"))]


@dataclass
class Receipt:
    number: int

    def total(self):
        return 100


def test_data_of_a_service_is_what_it_was():
    @dataclass
    class Shop:
        receipt: Receipt
        names: list

        def pay(self):
            return self.receipt

        def all_names(self):
            return self.names

    receipt, names = Receipt(7), ["a"]
    with fake(app, "service", Shop(receipt, names)) as service:
        assert app.service.names is app.service.all_names() is names
        assert app.service.pay() is receipt
        assert app.service.pay().total() == 100

    assert service.calls == [("all_names",), ("pay",), ("pay",)]


# Clients that methods return


class Bucket:
    def add(self, name, idempotency_key=None):
        pass


class Storage:
    def bucket(self, name):
        return Bucket()

    def buckets(self):
        return [Bucket()]

    @contextmanager
    def opened(self):
        yield Bucket()


def put_by_key():
    app.service.bucket("a").add("x", idempotency_key="x")


def put_in_each_by_key():
    for bucket in app.service.buckets():
        bucket.add("x", idempotency_key="x")


def put_in_a_block_by_key():
    with app.service.opened() as bucket:
        bucket.add("x", idempotency_key="x")


def put_in_each():
    for bucket in app.service.buckets():
        bucket.add("x")


def put_in_a_block():
    with app.service.opened() as bucket:
        bucket.add("x")


class Chats:
    """Gives its clients by a key, one after the other, and in a dict."""

    def __getitem__(self, name):
        return Bucket()

    def __iter__(self):
        return iter([Bucket()])

    def by_name(self):
        return {"a": Bucket()}

    async def each(self):
        yield Bucket()


async def put_in_each_that_comes():
    if not app.db.get("done"):
        async for bucket in app.service.each():
            bucket.add("x")
        app.db["done"] = True


class Reservation:
    def __init__(self, number):
        self.number = number

    def cancel(self):
        pass


def test_a_returned_client_is_compared_by_its_fields_in_a_state():
    def reserve(order):
        app.db["reservation"] = app.service.reserve(order, idempotency_key=order)

    service = types.SimpleNamespace(reserve=lambda order, idempotency_key: Reservation(order))

    check_idempotent(
        reserve, args=(7,), world=world_of(lambda: service), histories=["twice", "crash"]
    )


def test_a_copy_of_a_faked_object_is_the_object():
    with fake(app, "service", Reservation(7)):
        copied = copy.deepcopy(app.service)

    assert type(copied) is Reservation
    assert copied.number == 7


class Orders:
    def create(self, number):
        return self

    def confirm(self, key=None):
        pass


def test_a_method_that_creates_something_is_an_effect_although_it_returns_a_client():
    def order():
        app.service.create(7).confirm(key="order-7")

    with pytest.raises(DuplicateEffect, match=r"DUPLICATE service\.create"):
        check_idempotent(order, world=world_of(Orders, key="key"))


def put_some(names):
    if app.db.get("done"):
        return
    bucket = app.service.bucket("a")
    for name in names:
        bucket.add(name, idempotency_key=name)
    app.db["done"] = True


def test_what_other_arguments_show_of_a_service_holds_for_all():
    names = st.sampled_from([(), ("x",)])

    check_idempotent(put_some, args=(names,), world=world_of(Storage), histories=["twice", "crash"])


# Classes


class Gateway:
    def __init__(self, token="t"):
        self.token = token

    @staticmethod
    def notify(text):
        pass

    def charge(self, order, key=None):
        return "ch_1"


def charge_by_a_new_gateway():
    app.service("token").charge(7)


def charge_by_a_new_gateway_by_key():
    assert isinstance(app.service("token"), Gateway)
    app.service("token").charge(7, key="order-7")


def test_a_method_in_a_class_is_wrapped_for_all_objects():
    def world():
        with effects.wrap(Gateway, "charge", name="bank"):
            yield dict

    with pytest.raises(DuplicateEffect, match=r"DUPLICATE bank\.charge "):
        check_idempotent(lambda: Gateway().charge(7), world=world)


class CardError(Exception):
    pass


def test_an_exception_of_a_service_can_be_caught_by_its_name():
    def decline():
        raise CardError

    service = types.SimpleNamespace(CardError=CardError, decline=decline)
    with fake(app, "service", service), pytest.raises(app.service.CardError):
        app.service.decline()


# Coroutine methods


class Mailer:
    async def send(self, to, key=None):
        await asyncio.sleep(0)
        return "sent"

    def send_soon(self, to):
        return self.send(to)


async def mail_later():
    mail = app.service.send("ann")
    if app.db.get("done"):
        mail.close()
        return
    app.db["done"] = True
    await mail


async def mail_by_key():
    assert await app.service.send("ann", key="ann") == "sent"


async def mail_a_plain_function():
    await app.service.send_soon("ann")


@both
def test_a_coroutine_method_has_its_effect_when_it_is_awaited(by):
    with pytest.raises(LostEffect, match=r"LOST service\.send "):
        check_idempotent(mail_later, world=world_of(Mailer, by=by), histories=["crash"])


@both
def test_a_function_that_returns_a_coroutine_has_its_effect_when_it_is_awaited(by):
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE service\.send_soon") as found:
        check_idempotent(mail_a_plain_function, world=world_of(Mailer, by=by))

    assert "2 x ('send_soon', 'ann')" in str(found.value)


def test_of_two_tasks_with_one_key_one_has_the_effect():
    async def both_at_once():
        await asyncio.gather(app.service.send(1, key="k"), app.service.send(1, key="k"))

    with fake(app, "service", Mailer(), key="key") as service:
        asyncio.run(both_at_once())

    assert service.calls == [("send", 1)]


class Phone:
    def __init__(self):
        self.is_waiting, self.rings = threading.Event(), threading.Event()

    def get_call(self):
        self.is_waiting.set()
        return self.rings.wait(10)

    def send(self, to):
        self.rings.set()


def test_a_look_up_may_wait_for_what_another_thread_does():
    with fake(app, "service", Phone()), ThreadPoolExecutor() as pool:
        called = pool.submit(app.service.get_call)
        app.service.is_waiting.wait(10)
        app.service.send("ann")

        assert called.result()


# Names, keys, look-ups, and receivers that are idempotent by nature


def test_a_name_stands_for_a_service_in_the_report():
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE bank\.charge "):
        check_idempotent(
            lambda: app.service.charge(7), world=world_of(Gateway, by=fake, name="bank")
        )


@both
def test_calls_that_do_not_count_may_be_repeated(by):
    def world():
        app.db = {}
        app.service = types.SimpleNamespace(put=app.db.__setitem__)
        with contextlib.ExitStack() as stack:
            if by is fake:
                service = types.SimpleNamespace(put=app.db.__setitem__)
                stack.enter_context(fake(app, "service", service, counts=False))
            else:
                stack.enter_context(effects.wrap(app, "service", counts=False))
            yield lambda: dict(app.db)

    explored = check_idempotent(lambda: app.service.put("x", 1), world=world)

    assert "before service: put('x', 1)" in map(str, explored.explorations[0].points)


def test_calls_that_do_not_count_show_nothing_by_themselves():
    with pytest.raises(ExplorationError, match="the same as before"):
        check_idempotent(lambda: app.service.charge(7), world=world_of(Gateway, counts=False))


class Payments:
    def charge(self, order, amount=1, key=None):
        return "ch_1"

    def capture(self, charge, token=None, key=None):
        return "captured"

    def find(self, order):
        return explored_helpers.looked_up([])


def charge_and_capture_by_keys():
    app.service.charge(7, key="a")
    app.service.capture("ch_1", token="b")


@both
@pytest.mark.parametrize(
    "again",
    [
        lambda: app.service.capture("ch_1", key="a"),
        lambda: app.service.charge(8, key="a"),
        lambda: app.service.charge(7, amount=2, key="a"),
    ],
    ids=["another method", "another argument", "another keyword"],
)
def test_a_key_is_refused_for_another_call(again, by):
    def job():
        app.service.charge(7, key="a")
        again()

    with pytest.raises(ExplorationError, match="a service refuses one key for two") as found:
        check_idempotent(job, world=world_of(Payments, by=by, key="key"))

    assert isinstance(found.value.__cause__, ReusedKeyError)


@both
@pytest.mark.parametrize(
    "traced",
    [
        lambda: app.service.charge(7, amount=uuid.uuid4(), key="a"),
        lambda: app.service.charge(7, amount=f"trace-{uuid.uuid4()}", key="a"),
        lambda: app.service.charge(7, amount=time.time(), key="a"),
    ],
    ids=["a random id", "a text with a random id", "a time"],
)
def test_a_key_is_taken_with_another_random_value_or_time(traced, by):
    check_idempotent(
        traced, world=world_of(Payments, by=by, key="key"), histories=["twice", "late"]
    )


def test_the_fake_forgets_a_key_with_its_call():
    app.db = {}
    with fake(app, "service", Payments(), key="key") as service:
        assert app.service.charge(7, key="a") == "ch_1"
        with pytest.raises(ReusedKeyError):
            app.service.capture("ch_1", key="a")
        assert app.service.charge(7, key="a") == "ch_1"

    assert service.calls == [("charge", 7)]


@both
def test_a_look_up_is_no_effect_and_its_lines_are_no_points(by):
    explored = check_idempotent(
        pay_unless_paid,
        world=world_of(Payments, by=by, key="key", reads={"find"}),
        histories=["twice"],
    )

    points = explored.explorations[0].points
    assert not any(
        point.function == "looked_up" or "find(" in str(point)
        for point in points
        if point.kind in ("before", "after")
    )


def pay_unless_paid():
    if not app.service.find(8):
        app.service.charge(7, key="order-7")
    app.service.find(7)


@both
def test_the_names_of_methods_say_that_they_only_look_something_up(by):
    explored = check_idempotent(
        pay_unless_paid, world=world_of(Payments, by=by, key="key"), histories=["twice"]
    )

    assert (
        "Calls that do not count, by their names (mocks= changes it): service.find (read)."
    ) in str(explored)


@both
def test_where_reads_are_named_all_other_methods_are_effects(by):
    with pytest.raises(DuplicateEffect, match=r"service\.find"):
        check_idempotent(
            pay_unless_paid, world=world_of(Payments, by=by, key="key", reads={"found"})
        )


class Desk:
    def get_or_create(self, ticket):
        return ticket

    def is_sent_and_marked(self, ticket):
        return ticket

    def geturl(self, ticket):
        return ticket


EFFECTS = {
    "an attribute": (Twilio, lambda: app.service.messages.create("+1"), r"messages\.create"),
    "namespaces": (Account, lambda: app.service.v1.charges.create(7), r"v1\.charges\.create"),
    "a static method": (lambda: Gateway, lambda: app.service.notify("x"), "notify"),
    "an object of a class": (lambda: Gateway, charge_by_a_new_gateway, "charge"),
    "a returned client": (Storage, lambda: app.service.bucket("a").add("x"), r"bucket\(\)\.add"),
    "clients in a list": (Storage, put_in_each, r"buckets\(\)\.add"),
    "a client of a block": (Storage, put_in_a_block, r"opened\(\)\.add"),
    "a client by a key": (Chats, lambda: app.service["a"].add("x"), "add"),
    "clients in a loop": (Chats, lambda: [one.add("x") for one in app.service], "add"),
    "clients in a dict": (Chats, lambda: app.service.by_name()["a"].add("x"), r"by_name\(\)\.add"),
    # They do more than looking something up.
    **{
        name: (Desk, functools.partial(lambda name: getattr(app.service, name)(7), name), name)
        for name in ("get_or_create", "is_sent_and_marked", "geturl")
    },
}


@both
@pytest.mark.parametrize(("make", "do", "what"), EFFECTS.values(), ids=EFFECTS)
def test_a_method_of_a_client_is_an_effect_wherever_the_client_is(make, do, what, by):
    with pytest.raises(DuplicateEffect, match=rf"DUPLICATE service\.{what} \[crash"):
        check_idempotent(marked_after(do), world=world_of(make, by=by))


@both
def test_so_is_the_method_of_a_client_in_an_asynchronous_loop(by):
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE service\.each\(\)\.add"):
        check_idempotent(put_in_each_that_comes, world=world_of(Chats, by=by))


@both
def test_so_is_a_partial_function(by):
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE (SimpleNamespace\.)?service \[crash"):
        check_idempotent(
            marked_after(lambda: app.service("+1")),
            world=world_of(lambda: functools.partial(Messages.create, None), by=by),
        )


REPEATABLE = {
    "a returned client": (Storage, put_by_key, {}),
    "clients in a list": (Storage, put_in_each_by_key, {}),
    "a client of a block": (Storage, put_in_a_block_by_key, {}),
    "a named key of a returned client": (Storage, put_by_key, {"key": "idempotency_key"}),
    "an object of a class": (lambda: Gateway, charge_by_a_new_gateway_by_key, {"key": "key"}),
    "a coroutine method": (Mailer, mail_by_key, {"key": "key"}),
    "keys by different parameters": (
        Payments,
        charge_and_capture_by_keys,
        {"key": {"charge": "key", "capture": "token"}},
    ),
}


@both
@pytest.mark.parametrize(("make", "job", "options"), REPEATABLE.values(), ids=REPEATABLE)
def test_a_call_with_a_known_key_is_the_same_call(make, job, options, by):
    check_idempotent(job, world=world_of(make, by=by, **options))


@both
@pytest.mark.parametrize("key", ["tokn", {"charge": "tokn"}])
def test_a_key_that_no_method_takes_is_refused(key, by):
    with pytest.raises(ExplorationError, match=r"No method of .* has a parameter 'tokn'"):
        check_idempotent(charge_and_capture_by_keys, world=world_of(Payments, by=by, key=key))


@pytest.mark.parametrize(
    "double", [lambda name: fake(app, name, Gateway()), lambda name: effects.wrap(app, name)]
)
@pytest.mark.parametrize("name", ["servise", "service.mesages.create"])
def test_a_name_that_is_not_there_is_refused(double, name):
    app.service = Twilio()
    with pytest.raises(ExplorationError, match=f"has no '{name}' to be"), double(name):
        pass


def test_one_method_of_an_attribute_is_faked():
    app.service = Twilio()
    with fake(app, "service.messages.create", lambda to: "SM2") as create:
        assert app.service.messages.create("+1") == "SM2"

    assert create.calls == [("create", "+1")]
    assert app.service.messages.create("+1") == "SM1"


# Lines of doubles and of worlds


class Keeping:
    """Keeps what it gets by a helper of the project."""

    def __init__(self):
        self.log = []

    def charge(self, order, key=None):
        explored_helpers.kept(self.log, order)


@both
def test_lines_that_a_service_runs_are_one_step(by):
    explored = check_idempotent(
        lambda: app.service.charge(7, key="order-7"),
        world=world_of(Keeping, by=by, key="key"),
        histories=["twice"],
    )

    assert not any(point.function == "kept" for point in explored.explorations[0].points)


def test_lines_that_a_function_of_the_world_runs_are_one_step():
    def world():
        sent = []

        def send(to):
            if to not in sent:
                explored_helpers.kept(sent, to)

        app.service = send
        yield lambda: {"sent": sent}

    explored = check_idempotent(lambda: app.service("ann"), world=world, histories=["twice"])

    assert not any(point.function == "kept" for point in explored.explorations[0].points)


def keep_by_itself(to):
    explored_helpers.kept(app.db, to)


def test_the_same_lines_are_points_where_the_job_runs_them():
    def world():
        app.db = []
        yield lambda: {"kept": set(app.db)}

    explored = check_idempotent(keep_by_itself, args=(1,), world=world, histories=["twice"])

    assert any(point.function == "kept" for point in explored.explorations[0].points)


# What a call changes


class Board:
    """Pins a card where it hangs, or one more each time."""

    def __init__(self):
        self.cards, self.pile = {}, []

    def pin(self, card):
        self.cards[card] = "pinned"

    def pile_up(self, card):
        self.pile.append(card)

    def charge(self, card):
        self.cards[card] = "charged"


@both
def test_a_call_that_changes_nothing_the_second_time_is_no_second_effect(by):
    check_idempotent(lambda: app.service.pin("a"), world=world_of(Board, by=by))


@both
@pytest.mark.parametrize(
    "call",
    [lambda: app.service.pile_up("a"), lambda: app.service.charge("a")],
    ids=["changes more", "a verb that does something: the fake may keep less than its service"],
)
def test_a_call_that_changes_something_or_does_something_by_its_verb_is_an_effect(call, by):
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE service\.(pile_up|charge) \[crash"):
        check_idempotent(marked_after(call), world=world_of(Board, by=by))


class Session:
    """A unit of work."""

    def __init__(self):
        self.added = []

    def add(self, row):
        self.added.append(row)

    def commit(self):
        pass


def add_a_row():
    if not app.db.get("added"):
        app.service.add("row")
        app.db["began"] = True
        app.service.commit()
        app.db["added"] = True


def test_what_a_fake_holds_back_until_its_commit_is_not_there_after_a_kill():
    def world():
        app.db = {}
        with fake(app, "service", Session()) as session:
            yield lambda: {"began": app.db.get("began"), "rows": session.calls}

    with pytest.raises(DuplicateEffect, match=r"service\.add \[crash, 1 failing point") as found:
        check_idempotent(add_a_row, world=world, histories=["crash"])

    assert "app.service.commit()\n     x  worker killed here" in str(found.value)


class Shop:
    def __init__(self):
        self.book = Receipt(7)

    def find(self, name):
        return self.book


def test_what_a_job_changes_on_an_object_that_a_fake_keeps_is_an_effect():
    def sell():
        app.service.find("book").number -= 3

    with pytest.raises(NotIdempotent, match=r"service\.?.* \[twice"):
        check_idempotent(sell, world=world_of(Shop), histories=["twice"])


# Items


class Shelf(dict):
    pass


def test_an_item_that_counts_the_deliveries_is_a_duplicate():
    def counts():
        app.service["sent"] = app.service.get("sent", 0) + 1

    with pytest.raises(DuplicateEffect, match=r"DUPLICATE service.__setitem__ \[twice"):
        check_idempotent(counts, world=world_of(Shelf))


class Connection:
    def execute(self, statement):
        return [1]


def test_an_item_with_another_value_in_each_delivery_is_quiet():
    def sets():
        app.service["X-Request-Id"] = uuid.uuid4().hex
        app.db["done"] = True

    check_idempotent(sets, world=world_of(Shelf), histories=["twice", "crash"])


def test_an_item_under_another_key_in_each_delivery_is_a_duplicate():
    def sets():
        app.service[uuid.uuid4().hex] = 7

    with pytest.raises(DuplicateEffect, match=r"DUPLICATE service.__setitem__ \[twice"):
        check_idempotent(sets, world=world_of(Shelf))


def test_a_statement_that_only_reads_is_a_look_up():
    def reads():
        app.db["rows"] = app.service.execute("select 1")

    check_idempotent(reads, world=world_of(Connection), histories=["twice", "crash"])


def test_a_statement_that_writes_is_an_effect():
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE service.execute \[twice"):
        check_idempotent(
            lambda: app.service.execute("insert into t values (1)"), world=world_of(Connection)
        )


def test_an_item_that_is_set_and_deleted_again_is_quiet():
    def sets_and_deletes():
        app.service["order"] = 7
        app.service["draft"] = 7
        del app.service["draft"]

    check_idempotent(sets_and_deletes, world=world_of(Shelf), histories=["twice", "crash"])


# Order


class Post:
    async def send(self, to, key=None):
        await asyncio.sleep(0)


def test_calls_of_several_tasks_have_no_order():
    async def sends():
        await asyncio.gather(*(app.service.send(to, key=to) for to in range(3)))

    def world():
        with fake(app, "service", Post(), key="key") as post:
            yield lambda: {"mails": post.calls}

    check_idempotent(sends, world=world, histories=["twice", "crash"])


# Attributes, collections and operators


def marked_before(do):
    """Return a job that marks itself as done, and does something then."""

    def job():
        if not app.db.get("done"):
            app.db["done"] = True
            do()

    return job


class Terminal:
    retries = 0

    def __init__(self):
        self.outbox = []
        self.settings = {}
        self.headers = Shelf()
        self.light = "off"

    def pay(self, order, key=None):
        self.light = "on"
        self.outbox.append(order)


def set_retries():
    app.service.retries = 3


def delete_the_light():
    del app.service.light


def set_in_settings():
    app.service.settings["retries"] = 3


@both
@pytest.mark.parametrize(
    ("do", "what"),
    [
        (set_retries, r"service\.retries"),
        (delete_the_light, r"service del light"),
        (set_in_settings, r"service\.settings"),
        (lambda: app.service.outbox.append(7), r"service\.outbox"),
        (lambda: app.service.headers.update({"X-Token": "t"}), r"service\.headers"),
    ],
    ids=[
        "set",
        "deleted",
        "an item of its own dict",
        "added to its own list",
        "updated in a mapping of its own",
    ],
)
def test_an_attribute_that_a_killed_delivery_would_have_changed_is_lost(do, what, by):
    with pytest.raises(LostEffect, match=rf"LOST {what} \[crash"):
        check_idempotent(marked_before(do), world=world_of(Terminal, by=by))


def test_a_list_of_a_fake_that_gets_more_with_each_delivery_is_a_duplicate():
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE service\.outbox"):
        check_idempotent(
            marked_after(lambda: app.service.outbox.append(7)), world=world_of(Terminal)
        )


def test_only_the_last_value_of_an_attribute_counts():
    def pay():
        app.service.retries = 3
        app.service.token = uuid.uuid4().hex
        app.service.pay(7, key="order-7")
        app.db["paid"] = True

    check_idempotent(pay, world=world_of(Terminal, key="key"), histories=["twice", "crash"])


def test_what_a_method_changes_in_its_service_is_a_part_of_the_call():
    def pay():
        if not app.service.outbox:
            app.db["began"] = True
        app.service.pay(7)

    check_idempotent(pay, world=world_of(Terminal, counts=False), histories=["twice", "crash"])


def test_setting_an_attribute_in_memory_never_fails():
    def sets():
        try:
            app.service.retries = 3
        except ConnectionError:
            app.db["failed"] = True
        app.db["done"] = True

    check_idempotent(sets, world=world_of(Terminal))


class Lamp:
    is_on = False

    @property
    def power(self):
        return self.is_on

    @power.setter
    def power(self, value):
        self.is_on = value


def test_setting_an_attribute_that_runs_code_of_the_service_may_fail():
    def switches_on():
        with contextlib.suppress(ConnectionError):
            app.service.power = True
        app.db["done"] = True

    with pytest.raises(LostEffect, match=r"LOST service\.power \[effect_fails"):
        check_idempotent(switches_on, world=world_of(Lamp), histories=["effect_fails"])


def test_an_attribute_is_left_out_by_its_name():
    check_idempotent(
        marked_before(set_retries),
        world=world_of(Terminal, reads={"retries"}),
        histories=["twice", "crash"],
    )


class Bag(set):
    pass


class Stream:
    def __init__(self):
        self.sent = []

    def __lshift__(self, item):
        self.sent.append(item)
        return self

    def __add__(self, item):
        return [item]


def add_in_place():
    app.service += [7]


@pytest.mark.parametrize(
    ("make", "do", "what", "by"),
    [
        (list, add_in_place, r"service \+=", fake),
        (Stream, lambda: app.service << 7, r"service <<", fake),
        (Stream, lambda: app.service << 7, r"service <<", effects.wrap),
    ],
    ids=["+=", "<<", "<< of what works"],
)
def test_an_operator_that_puts_something_into_a_service_is_an_effect(make, do, what, by):
    with pytest.raises(DuplicateEffect, match=rf"DUPLICATE {what} \[crash"):
        check_idempotent(marked_after(do), world=world_of(make, by=by))


def test_operators_that_change_nothing_more_when_they_are_repeated_are_quiet():
    def puts():
        app.service |= {7}
        app.service &= {7}
        app.service -= {8}
        app.db["has"] = 7 in app.service, len(app.service), app.service == {7}

    check_idempotent(puts, world=world_of(Bag), histories=["twice", "crash"])


class Outbox:
    """Sends what a block has put into a dict, or gathers what it has put into a list."""

    @contextmanager
    def message(self, subject):
        message = {}
        yield message

    @contextlib.asynccontextmanager
    async def batch(self):
        mails = []
        yield mails

    @contextmanager
    def rows(self):
        yield [1, 2]

    def stream(self):
        yield 1


def send_a_message():
    with app.service.message("paid") as message:
        message["order"] = 7


async def send_a_batch():
    if not app.db.get("done"):
        async with app.service.batch() as mails:
            mails.append(7)
        app.db["done"] = True


@both
@pytest.mark.parametrize(
    ("job", "what"), [(marked_after(send_a_message), "message"), (send_a_batch, "batch")]
)
def test_a_block_that_fills_what_it_gets_is_an_effect_when_it_ends(job, what, by):
    with pytest.raises(DuplicateEffect, match=rf"DUPLICATE service\.{what} \[crash"):
        check_idempotent(job, world=world_of(Outbox, by=by))


def test_a_block_that_a_killed_delivery_would_have_filled_is_lost():
    with pytest.raises(LostEffect, match=r"LOST service\.message \[crash"):
        check_idempotent(marked_before(send_a_message), world=world_of(Outbox))


def test_a_block_with_a_key_in_what_it_sends_is_quiet():
    def sends():
        with app.service.message("paid") as message:
            message["idempotency_key"] = "order-7"
        app.db["done"] = True

    check_idempotent(sends, world=world_of(Outbox), histories=["twice", "crash"])


def test_a_block_and_a_loop_that_only_read_are_quiet():
    def reads():
        with app.service.rows() as rows:
            app.db["rows"] = [*rows, *app.service.stream()]

    check_idempotent(reads, world=world_of(Outbox), histories=["twice", "crash"])


def test_operators_that_make_something_new_are_no_effects():
    def adds():
        app.db["sum"] = app.service + 7

    check_idempotent(adds, world=world_of(Stream), histories=["twice", "crash"])


class Sized:
    """Its objects have special methods that its class has, too."""

    def __len__(self):
        return 0

    def __eq__(self, other):
        return True

    __hash__ = None


@both
@pytest.mark.parametrize("kind", [Payments, Sized])
def test_a_class_can_be_hashed_compared_and_printed(by, kind):
    seen = []

    def job():
        it = app.service
        seen.append(
            (
                hash(it),
                {it: 1}[it],
                it == app.service,
                it != 3,
                repr(it),
                str(it),
                f"{it}",
                bool(it),
            )
        )
        app.db["seen"] = isinstance(it, type)

    check_idempotent(job, world=world_of(lambda: kind, by=by), histories=["twice"])

    name = repr(kind)
    assert {one[1:] for one in seen} == {(1, True, True, name, name, name, True)}


class File:
    """Has special methods that few objects have."""

    def __fspath__(self):
        return "/a"

    def __bytes__(self):
        return b"a"

    def __round__(self, digits=None):
        return 7

    def send(self, to):
        pass


@both
def test_a_special_method_is_there_however_rare_it_is(by):
    def job():
        app.db["seen"] = os.fspath(app.service), bytes(app.service), round(app.service)

    explored = check_idempotent(job, world=world_of(File, by=by), histories=["twice"])

    assert "Calls that do not count" not in str(explored)
    assert app.db["seen"] == ("/a", b"a", 7)


class Client:
    """A client of a server, which would be asked for all its keys."""

    def keys(self):
        raise ConnectionError

    def __getitem__(self, key):
        raise ConnectionError


class Letter:
    """A letter that refers to itself, once by way of a list that is a part of itself."""

    def __init__(self, number):
        self.number, self.client, self.copies = number, Client(), [self]
        self.copies.append(self.copies)

    def __repr__(self):
        return "Letter()"


def test_what_an_argument_refers_to_is_compared_as_far_as_it_goes():
    class Post:
        def send(self, letter): ...

    def send(number):
        app.service.send(Letter(number))

    with pytest.raises(DuplicateEffect):
        check_idempotent(send, args=(1,), world=world_of(Post), histories=["twice"])
