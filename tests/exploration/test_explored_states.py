"""States are compared by their structure: by keys, columns, values and fields."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import hashlib
import json
import logging
import secrets
import sqlite3
import threading
import time
import types
import uuid
from collections import Counter, OrderedDict, UserDict, UserList, deque
from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple
from unittest import mock

import pytest
import time_machine

from pytest_jobs import check_idempotent
from pytest_jobs.errors import DivergedState, DuplicateEffect, ExplorationError, NotIdempotent

place = types.SimpleNamespace()


def show():
    """Show what the job has stored, in a world in which it has stored nothing."""
    place.stored, place.deliveries = None, 0
    yield lambda: {"stored": place.stored}


def check_stored(*values, histories=("twice",)):
    """Check a job whose first delivery stores the first value, made by a function, and the second the next."""

    def store():
        place.deliveries += 1
        place.stored = values[min(place.deliveries, len(values)) - 1]()

    return check_idempotent(store, world=show, histories=histories)


def check_each(*values):
    """Check a job that stores what each of the functions returns, under a name of its own."""

    def world():
        place.stored = {}
        yield lambda: dict(place.stored)

    def store():
        place.stored = {f"value {number}": value() for number, value in enumerate(values)}

    return check_idempotent(store, world=world, histories=["twice"])


class Account:
    """A usual class: its repr does not show everything."""

    def __init__(self, balance):
        self.balance = balance

    def __repr__(self):
        return "<Account 7>"


class Slotted:
    __slots__ = ("__hidden", "balance")

    def __init__(self, balance, hidden=0):
        self.balance = balance
        self.__hidden = hidden


class Hidden:
    def __init__(self, balance):
        self._balance = balance


class Basket(list):
    def __init__(self, *things, paid=False):
        super().__init__(things)
        self.paid = paid


class Lazy(Mapping):
    def __init__(self, **pairs):
        self._pairs = pairs

    def __getitem__(self, key):
        return self._pairs[key]

    def __iter__(self):
        return iter(self._pairs)

    def __len__(self):
        return len(self._pairs)


@dataclasses.dataclass
class Order:
    total: int
    account: Account = dataclasses.field(default_factory=lambda: Account(0), repr=False)


class Pair(NamedTuple):
    one: int
    other: Account


def _row(amount):
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    try:
        return connection.execute("select ? as amount", (amount,)).fetchone()
    finally:
        connection.close()


class Zone(dt.tzinfo):
    """A time zone as those of pytz are: each leads to the others of its place, and so to itself."""

    def __init__(self, name):
        self.name, self.all = name, [self]

    def __repr__(self):
        return f"<Zone {self.name}>"


def _made(kind, **fields):
    made = kind()
    vars(made).update(fields)
    return made


def _called(times):
    made = mock.Mock()
    for number in range(times):
        made.send(number)
    return made


MADE = [
    Account,
    Slotted,
    lambda n: Slotted(0, n),
    Hidden,
    lambda n: Basket("tea", paid=n),
    lambda n: Lazy(amount=n),
    Order,
    lambda n: Order(1, Account(n)),
    lambda n: Pair(1, Account(n)),
    lambda n: [{"account": Account(n)}],
    lambda n: deque([Account(n)]),
    lambda n: UserDict(amount=n),
    lambda n: UserList([n]),
    lambda n: OrderedDict(amount=n).values(),
    lambda n: types.MappingProxyType({"amount": n}),
    lambda n: types.SimpleNamespace(amount=n),
    lambda n: _made(type("Order", (), {"__repr__": lambda self: "order"}), amount=n),
    lambda n: ValueError("no", n),
    lambda n: functools.partial(print, n),
    Decimal,
    Zone,
    lambda n: {1, n},
    lambda n: memoryview(bytes([n])),
    _row,
    {times: _called(times) for times in (2, 4)}.get,
]


@pytest.mark.parametrize("make", MADE)
def test_values_that_differ_somewhere_inside_are_a_difference(make):
    with pytest.raises(NotIdempotent):
        check_stored(lambda: make(2), lambda: make(4))


def test_values_that_are_made_alike_are_no_difference():
    check_each(*(lambda make=make: make(2) for make in MADE))


def test_a_report_shows_the_field_that_differs():
    with pytest.raises(DivergedState) as found:
        check_stored(lambda: Account(5), lambda: Account(10))

    assert "stored\n  once: Account(balance=5)\n  now:  Account(balance=10)\n" in str(found.value)


def test_a_report_shows_the_object_that_came_twice():
    with pytest.raises(DuplicateEffect) as found:
        check_stored(lambda: [Account(5)], lambda: [Account(5), Account(5)])

    assert "now:  2 x Account(balance=5)" in str(found.value)


def test_a_list_within_an_object_that_has_more_of_the_same_is_a_duplicate():
    with pytest.raises(DuplicateEffect):
        check_stored(lambda: Account([1]), lambda: Account([1, 1]))


@pytest.mark.parametrize("nested", [False, True])
def test_a_missing_key_is_not_a_key_that_is_none(nested):
    def world():
        place.stored, place.deliveries = {}, 0
        yield lambda: {"stored": place.stored} if nested else dict(place.stored)

    def forget():
        place.deliveries += 1
        place.stored = {} if place.deliveries > 1 else {"lock": None}

    with pytest.raises(NotIdempotent) as found:
        check_idempotent(forget, world=world, histories=["twice"])

    if not nested:
        assert "lock\n  once: None\n  now:  nothing" in str(found.value)


def test_a_missing_field_is_not_a_field_that_is_none():
    with pytest.raises(NotIdempotent):
        check_stored(lambda: _made(types.SimpleNamespace, lock=None), types.SimpleNamespace)


def test_what_is_the_same_is_no_difference():
    values = [
        float("nan"),
        Decimal("NaN"),
        [1.5, float("nan")],
        {"mean": float("nan")},
        Counter(a=2),
        logging.getLogger("shop"),
        threading.Lock(),
        test_a_report_shows_the_field_that_differs,
        Account,
        mock.call(1, key=2),
    ]

    check_each(*(lambda value=value: value for value in values))


def test_the_order_of_keys_and_of_members_of_a_set_is_no_difference():
    check_stored(
        lambda: {"a": 1, "b": {"x", "y", "z"}},
        lambda: {"b": {"z", "y", "x"}, "a": 1},
    )


# What is random


class Row:
    def __init__(self, key, name):
        self.key = key
        self.name = name


def _drawn_rows(names="abcde"):
    return [(uuid.uuid4(), name) for name in names]


def test_a_random_id_within_a_text_is_no_difference():
    texts = [
        lambda: f"order-{uuid.uuid4()}",
        lambda: f"order_{uuid.uuid4().hex}.pdf",
        lambda: f"ORD-{uuid.uuid4().hex[:8].upper()}",
        lambda: f"https://shop/reset/{secrets.token_urlsafe(24)}?next=/",
        lambda: f"code {secrets.token_hex(3)} sent",
        lambda: f"{'Nothing in these words is drawn. ' * 40}{uuid.uuid4()}",
        lambda: json.dumps({"id": str(uuid.uuid4()), "n": 1}),
        lambda: str(uuid.uuid4()).encode(),
        lambda: uuid.uuid4().bytes,
        lambda: uuid.uuid4().int,
        lambda: [f"a/{uuid.uuid4()}", f"b/{uuid.uuid4()}"],
        lambda: {f"key-{uuid.uuid4()}": {"id": uuid.uuid4()}},
        lambda: sorted(_drawn_rows()),
        lambda: set(_drawn_rows()),
        lambda: dict(sorted(_drawn_rows())),
        lambda: [{"id": key, "name": name} for key, name in sorted(_drawn_rows())],
        lambda: [(f"row {key}", name) for key, name in sorted(_drawn_rows())],
        lambda: [Row(key, name) for key, name in sorted(_drawn_rows())],
    ]

    check_each(*texts)


def test_rows_with_random_keys_are_a_difference_when_there_is_another_one():
    with pytest.raises(DivergedState, match="'f'"):
        check_stored(lambda: sorted(_drawn_rows()), lambda: sorted(_drawn_rows("abcdf")))


def test_a_code_that_is_drawn_letter_by_letter_is_another_one_in_each_run():
    explored = check_stored(lambda: "".join(secrets.choice("abcdefgh") for _ in range(8)))
    assert "Another value in each run, by chance: stored." in str(explored)


def test_two_ids_within_texts_that_are_the_same_once_are_a_difference_when_they_are_two():
    def twice_the_same():
        return [f"sent {(token := uuid.uuid4())}", f"stored {token}"]

    def two():
        return [f"sent {uuid.uuid4()}", f"stored {uuid.uuid4()}"]

    with pytest.raises(DivergedState, match="stored <random 1>"):
        check_stored(twice_the_same, two)


def test_two_parts_of_one_random_text_are_not_the_same():
    def parts(second):
        token = uuid.uuid4().hex
        return f"{token[:8]} {token[second : second + 8]}"

    with pytest.raises(DivergedState):
        check_stored(lambda: parts(0), lambda: parts(16))


# Times


def _now():
    return dt.datetime.now(dt.UTC)


TIMES = [
    lambda seconds: _now() + dt.timedelta(seconds=seconds),
    lambda seconds: dt.datetime.now() + dt.timedelta(seconds=seconds),  # noqa: DTZ005 - local
    lambda seconds: (_now() + dt.timedelta(seconds=seconds)).isoformat(),
    lambda seconds: int(time.time()) + seconds,
    lambda seconds: time.time() + seconds,
    lambda seconds: int(time.time() * 1000) + seconds * 1000,
    lambda seconds: time.time_ns() + seconds * 1_000_000_000,
    lambda seconds: f"{int(time.time()) + seconds}".encode(),
    lambda seconds: json.dumps({"at": f"{_now() + dt.timedelta(seconds=seconds)}"}),
    lambda seconds: f"until {_now() + dt.timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}.",
    lambda seconds: f"{'No time is in these words. ' * 40}{_now() + dt.timedelta(seconds=seconds)}",
    lambda seconds: _now().date() + dt.timedelta(days=seconds // 600),
    lambda seconds: str(_now().date() + dt.timedelta(days=seconds // 600)),
]


def test_a_time_keeps_what_the_job_computed():
    check_stored(lambda: [at(600) for at in TIMES], histories="all")


@pytest.mark.parametrize("at", TIMES)
def test_another_time_is_a_difference(at):
    with pytest.raises(DivergedState):
        check_stored(lambda: at(600), lambda: at(3_600))


def _prolong(hold, wait):
    def job():
        place.stored = (place.stored or int(time.time())) + hold
        time.sleep(wait)

    return job


@pytest.mark.parametrize("hold", [600, 3_600, 3_601])
@pytest.mark.parametrize("wait", [0, 600, 3_600])
def test_a_lease_that_is_prolonged_by_each_delivery_is_a_difference(hold, wait):
    with pytest.raises(DivergedState):
        check_idempotent(_prolong(hold, wait), world=show, histories=["twice"])


def test_a_time_after_a_sleep_is_not_the_time_before_it():
    def stored_late(late):
        begun = time.time()
        time.sleep(3_600)
        return time.time() if late else begun

    check_stored(lambda: stored_late(True), histories="all")
    with pytest.raises(DivergedState, match=r"once: '<now>'\s+now:  '<now \+ 1h>'"):
        check_stored(lambda: stored_late(False), lambda: stored_late(True))


@pytest.mark.parametrize("pause", [0.25, 90])
def test_a_delivery_that_is_suspended_may_store_the_time_at_which_it_goes_on(pause):
    def store():
        place.deliveries += 1
        time.sleep(pause)
        place.stored = int(time.time())
        place.deliveries += 1

    check_idempotent(store, world=show, histories="all")


def test_a_call_is_the_same_if_it_only_comes_from_a_later_delivery(monkeypatch):
    mail = mock.Mock(spec=["send"])
    monkeypatch.setattr(place, "mail", mail, raising=False)

    def remind():
        """Send a link that is signed with the time, and do nothing in the runs at other hours."""
        if _now().hour == 20:
            place.mail.send(hashlib.sha256(str(int(time.time())).encode()).hexdigest())

    with time_machine.travel(dt.datetime(2031, 5, 6, 20, 30, tzinfo=dt.UTC), tick=False):
        check_idempotent(remind, world=show, histories=["effect_fails"])
        with pytest.raises(DuplicateEffect):
            check_idempotent(remind, world=show, histories=["crash"])


def test_a_time_that_is_rounded_down_is_no_difference():
    buckets = [
        lambda: int(time.time()) // 60 * 60,
        lambda: _now().replace(minute=0, second=0, microsecond=0),
        lambda: dt.datetime.combine(_now().date(), dt.time(), dt.UTC),
    ]

    check_stored(lambda: [bucket() for bucket in buckets], histories="all")


def test_a_fixed_date_is_shown_as_it_is():
    with pytest.raises(DivergedState, match="once: '2031-05-06T07:08:09'"):
        check_stored(
            lambda: dt.datetime(2031, 5, 6, 7, 8, 9),  # noqa: DTZ001
            lambda: dt.datetime(2031, 5, 6, 7, 9, 10),  # noqa: DTZ001
        )


class Proxy:
    """Has the methods of what it may stand for, as a lazy object of Django has."""

    def __init__(self, value):
        self.value = value

    def __iter__(self):
        return iter(self.value)

    def __len__(self):
        return len(self.value)

    def __contains__(self, item):
        return item in self.value


@pytest.mark.parametrize(("first", "second"), [(5, 10), ([5], [5, 5])])
def test_a_proxy_of_no_collection_is_compared_by_its_fields(first, second):
    check_stored(lambda: Proxy(first), histories=["twice"])
    with pytest.raises((DivergedState, DuplicateEffect)):
        check_stored(lambda: Proxy(first), lambda: Proxy(second))


# What cannot be compared


class Tree:
    def __init__(self):
        self.children = [self]


def _ring():
    ring = {"next": []}
    ring["next"].append(ring)
    return ring


@pytest.mark.parametrize(
    ("make", "path"),
    [(Tree, "stored.children[0]"), (_ring, "stored['next'][0]")],
)
def test_a_state_with_a_cycle_is_refused(make, path):
    with pytest.raises(ExplorationError) as found:
        check_stored(make)

    assert str(found.value) == (
        f"The state holds a cycle: {path} is an object that it is itself a part of. Put the values into the state "
        "that count, such as `{'children': [child.name for child in parent.children]}`."
    )


def test_one_object_in_two_places_is_no_cycle():
    account = Account(1)

    check_stored(lambda: {"from": account, "to": [account]})


def test_an_object_without_fields_is_refused():
    with pytest.raises(ExplorationError) as found:
        check_stored(lambda: {"owners": [object()]})

    assert str(found.value) == (
        "The state holds stored['owners'][0] (a object), which has no fields and only the repr that every "
        "object has, so that two of them cannot be compared: put the values into the state that count, such as "
        "`{'balance': account.balance}`."
    )


@pytest.mark.parametrize(
    "make", [lambda: iter([1]), lambda: (n for n in [1]), lambda: map(str, [1])]
)
def test_an_open_iterator_is_refused(make):
    with pytest.raises(
        ExplorationError, match=r"an iterator, stored \(a \w+\), .* put `list\(...\)` around it"
    ):
        check_stored(make)


def test_the_arguments_of_a_call_may_be_what_a_state_may_not():
    sent = []

    def send(thing):
        sent.append(1)

    mailer = types.SimpleNamespace(send=send)

    def job():
        mailer.send(object())

    def world():
        from pytest_jobs import fake

        with fake(mailer, "send", send) as mail:
            yield lambda: {"mails": len(mail.calls)}

    with pytest.raises(DuplicateEffect):
        check_idempotent(job, world=world, histories=["twice"])
