"""Doubles that a test gives to the job by whatever way: what the test wrote is the outside."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import sys
import threading
from dataclasses import dataclass, field
from unittest.mock import Mock

import injected_shop as shop
import pytest
from tables import each_row

from pytest_jobs import check_idempotent, effects, fake
from pytest_jobs.errors import DuplicateEffect, NotIdempotent, PoisonJob


def world():
    shop.db.clear()
    yield lambda: dict(shop.db)


def check(job, *args, **options):
    return check_idempotent(job, args=args or (7,), world=world, **options)


class ListGateway:
    def __init__(self):
        self.charged = []

    def charge(self, order):
        self.charged.append(order)


class DictGateway(ListGateway):
    def __init__(self):
        self.charged = {}

    def charge(self, order):
        self.charged[order] = "paid"


class SetGateway(ListGateway):
    def __init__(self):
        self.charged = set()

    def charge(self, order):
        self.charged.add(order)


class CountingGateway(ListGateway):
    __slots__ = ("calls",)

    def __init__(self):
        self.calls = 0

    def charge(self, order):
        self.calls += 1


class NoGateway:
    def charge(self, order):
        return "ch_1"


def later(kind):
    """Return the same double with a coroutine method."""
    charge = kind.charge

    class Later(kind):
        async def charge(self, order):
            await asyncio.sleep(0)
            return charge(self, order)

    Later.__name__ = Later.__qualname__ = kind.__name__
    return Later


#: How a double keeps what it was called with, and whether the same call twice leaves two records.
RECORDS = {
    "a list": (ListGateway, True),
    "a dict": (DictGateway, False),
    "a set": (SetGateway, False),
    "a counter": (CountingGateway, True),
    "no record": (NoGateway, True),
}


@contextlib.contextmanager
def by_settings(gateway):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GATEWAY", f"{__name__}.made_by_settings")
        patch.setattr(sys.modules[__name__], "made_by_settings", lambda: gateway, raising=False)
        yield shop.pay_as_settings_say, shop.pay_later_as_settings_say, (7,)


@contextlib.contextmanager
def by_the_container(gateway):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(shop.container.made, "gateway", gateway)
        yield shop.pay_by_the_container, shop.pay_later_by_the_container, (7,)


@contextlib.contextmanager
def by_a_list_of_handlers(gateway):
    shop.handlers["paid"].append(gateway.charge)
    yield shop.pay_by_handlers, shop.pay_later_by_handlers, (7,)
    shop.handlers["paid"].clear()


def given(*ways):
    return contextlib.nullcontext(ways)


#: How a test gives a double to the job: the job, the one that awaits, and its arguments.
WAYS = {
    "a constructor": lambda it: given(shop.Service(it).pay, shop.Service(it).pay_later, (7,)),
    "an argument": lambda it: given(
        shop.pay_in_context, shop.pay_later_in_context, ({"gateway": it}, 7)
    ),
    "a callback": lambda it: given(shop.pay_by, shop.pay_later_by, (7, it.charge)),
    "a partial": lambda it: given(
        functools.partial(shop.pay_by, charge=it.charge),
        functools.partial(shop.pay_later_by, charge=it.charge),
        (7,),
    ),
    "a lambda": lambda it: given(
        shop.pay_by, shop.pay_later_by, (7, lambda order: it.charge(order=order))
    ),
    "the environment": by_settings,
    "a container": by_the_container,
    "a list of handlers": by_a_list_of_handlers,
}
HISTORIES = {
    "killed before": ("crash", False),
    "killed after": ("crash", True),
    "refused": ("effect_fails", False),
    "answer lost": ("reply_lost", True),
}


@pytest.mark.parametrize("way", WAYS)
@each_row("record, is_async", list(itertools.product(RECORDS, (False, True))))
def test_a_double_is_found_out_however_the_job_got_it(way, record, is_async):
    kind, is_told = RECORDS[record]
    gateway = (later(kind) if is_async else kind)()
    with WAYS[way](gateway) as (job, job_later, args):
        for histories, may_be_twice in HISTORIES.values():
            expected = is_told and (may_be_twice or histories == "crash")
            with pytest.raises(DuplicateEffect, match="charge") if expected else given():
                check(job_later if is_async else job, *args, histories=[histories])
    # Each history has left what the double keeps as it was.
    assert not getattr(gateway, "charged", None)
    assert not getattr(gateway, "calls", 0)


class OverridesOne(shop.Gateway):
    posted = []  # noqa: RUF012 - so are the backends for tests of projects

    def post(self, path, body):
        self.posted.append((path, body))


class CountsAndCallsOn(OverridesOne):
    def __init__(self):
        self.calls = 0

    def charge(self, order):
        self.calls += 1
        super().charge(order)

    def post(self, path, body):
        pass


@dataclass
class DataGateway:
    charged: list[int] = field(default_factory=list)

    def charge(self, order):
        self.charged.append(order)


class Nested:
    def __init__(self):
        self.inner = ListGateway()

    def charge(self, order):
        self.inner.charge(order)
        self.inner.charge(order)


class Locks(ListGateway):
    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()

    def charge(self, order):
        with self.lock:
            try:
                self.charged.append(order)
            finally:
                self.last = order


class Recurses(ListGateway):
    def charge(self, order, times=3):
        if times:
            self.charge(order, times - 1)
        self.charged.append(order)


class CallsBack(ListGateway):
    def charge(self, order):
        self.charged.append(shop.rounded(order))


class DeletesItself:
    def __init__(self):
        self.charged = []

    def charge(self, order):
        charged = self.__dict__.pop("charged", None) or []
        self.charged = [*charged, order]


class KeepsInItsClass:
    calls = 0

    def charge(self, order):
        type(self).calls += 1


class KeepsInADefault:
    def charge(self, order, charged=[]):  # noqa: B006 - the list is the record
        charged.append(order)


class HasAGenerator:
    """Its form cannot be taken."""

    def __init__(self):
        self.ids = iter(range(1_000_000))
        self.all = list(range(100_000))

    def charge(self, order):
        return f"ch_{next(self.ids)}"


charges = 0


class KeepsInItsModule:
    def charge(self, order):
        globals()["charges"] = charges + 1


@pytest.mark.parametrize(
    "kind",
    [
        *(OverridesOne, CountsAndCallsOn, DataGateway, Nested, Locks, Recurses, CallsBack),
        *(DeletesItself, KeepsInItsClass, KeepsInADefault, HasAGenerator, KeepsInItsModule),
    ],
)
def test_whatever_keeps_the_calls_each_of_the_project_is_one_effect(kind):
    with pytest.raises(DuplicateEffect) as found:
        check(shop.Service(kind()).pay, histories=["crash"])

    name = "OverridesOne.post" if kind is OverridesOne else f"{kind.__name__}.charge"
    assert f"DUPLICATE {name}" in str(found.value)
    assert "did not explore" not in str(found.value)
    # Each history has left what the test has as it was.
    assert (OverridesOne.posted, KeepsInItsClass.calls) == ([], 0)
    assert KeepsInADefault.charge.__defaults__ == ([],)


def test_a_counter_in_an_enclosing_function_is_a_record():
    calls = 0

    def charge(order):
        nonlocal calls
        calls += 1

    with pytest.raises(DuplicateEffect, match="DUPLICATE charge"):
        check(shop.pay_by, 7, charge, histories=["crash"])

    assert calls == 0


@pytest.mark.skipif(sys.version_info < (3, 12), reason="no tool hears of what is called in C")
def test_a_method_of_a_list_is_one_that_the_job_calls_and_not_one_of_its_own_lists():
    charged = []

    with pytest.raises(DuplicateEffect, match="DUPLICATE charge"):
        check(shop.pay_by, 7, charged.append, histories=["crash"])
    check(shop.pay_by_its_own_list)

    assert charged == []


def test_an_effect_that_fails_by_itself_is_none():
    class Fails(ListGateway):
        def charge(self, order):
            raise ConnectionError

    check(shop.Service(Fails()).pay, accept=(ConnectionError,), histories=["crash"])


def test_two_tasks_call_a_double_each_by_itself():
    with pytest.raises(DuplicateEffect, match=r"2 x \('charge', 7\)"):
        check(shop.Service(later(ListGateway)()).pay_twice_later, histories=["crash"])


class Session:
    def __init__(self):
        self.new, self.sent = [], []

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.sent += [] if kind else self.new
        self.new = []

    def add(self, order):
        self.new.append(order)


class WithSession:
    def __init__(self):
        self.one = Session()

    def session(self):
        return self.one


class WithBlock:
    def __init__(self):
        self.sent = []

    @contextlib.contextmanager
    def session(self):
        orders = set()
        yield orders
        self.sent += orders


@pytest.mark.parametrize(("kind", "name"), [(WithSession, "Session"), (WithBlock, "WithBlock")])
def test_a_block_of_a_double_sends_at_its_end(kind, name):
    with pytest.raises(DuplicateEffect, match=f"DUPLICATE {name}"):
        check(shop.Service(kind()).pay_in_a_block, histories=["crash"])


@dataclass
class Order:
    number: int

    def bump(self):
        self.number += 1
        return self.number


class Repository:
    def __init__(self):
        self.rows = [1, 2]

    def orders(self):
        yield from self.rows

    def confirmed(self):
        return list(self.rows)

    def order(self):
        return Order(7)


class Confirms(Repository):
    def orders(self):
        return self.confirmed()


@pytest.mark.parametrize(
    ("job", "kind", "guess"),
    [
        ("pay_all", Repository, "Repository.orders (read, as it changes nothing)"),
        ("pay_all", Confirms, "Confirms.orders (read, as it changes nothing)"),
        ("bump", Repository, "Repository.order (read, as it changes nothing)"),
    ],
)
def test_a_call_that_answers_and_changes_nothing_is_a_look_up(job, kind, guess):
    explored = check(getattr(shop.Service(kind()), job))

    assert explored.guesses == (guess,)


def test_mocks_says_what_the_calls_are_by_the_name_that_a_report_has():
    check(shop.Service(ListGateway()).pay, mocks={"ListGateway.charge": "put"})


def test_an_argument_of_an_injected_double_may_be_its_idempotency_key():
    class ByKey(ListGateway):
        def charge(self, order, *, idempotency_key="k7"):
            self.charged.append(order)

    check(shop.Service(ByKey()).pay)


@pytest.mark.asyncio
async def test_a_double_is_heard_of_in_the_job_that_a_coroutine_enqueues(monkeypatch):
    monkeypatch.setattr(shop.services, "gateway", DictGateway())
    check(shop.order_to_pay, histories=["crash"])
    monkeypatch.setattr(shop.services, "gateway", ListGateway())

    with pytest.raises(
        DuplicateEffect, match=r"DUPLICATE injected_shop\.services\.gateway\.charge"
    ):
        check(shop.order_to_pay, histories=["crash"])


def test_what_a_double_keeps_that_reports_its_calls_itself_is_not_set_by_the_job(monkeypatch):
    class Reports(ListGateway):
        async def charge(self, order):
            act = effects.Act("bank", f"charge({order})", value=order, key=order)
            await effects.perform_act_async(act, lambda: self.keep(order))

        async def keep(self, order):
            self.charged.append(order)

    gateway = Reports()
    monkeypatch.setattr(shop.services, "gateway", gateway)

    check(shop.Service(gateway).pay_later, histories=["twice", "crash", "overlap"])


class KeyGateway(ListGateway):
    def charge(self, order, *, idempotency_key):
        self.charged.append(order)


def test_a_key_of_a_double_that_goes_by_the_time_is_none(monkeypatch):
    for double in (KeyGateway(), Mock(spec=KeyGateway())):
        monkeypatch.setattr(shop.services, "gateway", double)
        with pytest.raises(DuplicateEffect, match="'its key goes by the time'"):
            check(shop.pay_in_a_minute, histories=["crash"])

    def world_with_fake():
        with fake(shop.services, "gateway", KeyGateway()):
            yield from world()

    with pytest.raises(DuplicateEffect, match="'its key goes by the time'"):
        check_idempotent(
            shop.pay_in_a_minute, args=(7,), world=world_with_fake, histories=["crash"]
        )


def test_what_a_server_of_the_test_keeps_is_as_it_was_in_each_history(monkeypatch):
    httpx = pytest.importorskip("httpx")
    charged = []

    def serve(request):
        if charged:
            return httpx.Response(409)
        charged.append(request.content)
        return httpx.Response(201)

    client = httpx.Client(transport=httpx.MockTransport(serve))
    monkeypatch.setattr(shop.services, "gateway", client)

    # A world need not build the server anew.
    with client, pytest.raises(PoisonJob, match=r"POISON HTTPStatusError \[crash"):
        check(shop.pay_over_http)

    assert charged == []


def test_a_mock_inside_of_a_double_is_called_and_the_double_only_passes_it_on():
    class Passes:
        def __init__(self):
            self.mock = Mock()

        def charge(self, order):
            self.mock.charge(order)

    with pytest.raises(DuplicateEffect, match=r"DUPLICATE mock\.charge"):
        check(shop.Service(Passes()).pay, histories=["crash"])


def test_two_doubles_of_one_class_keep_what_they_are_called_with_by_themselves():
    one, other = SetGateway(), SetGateway()
    shop.handlers["paid"] += [one.charge, other.charge]
    try:
        check(shop.pay_by_all_handlers)
    finally:
        shop.handlers["paid"].clear()


def test_isinstance_and_identity_of_a_double_are_genuine():
    gateway = OverridesOne()

    check(shop.charge_if_it_is_one, 7, gateway, mocks={"OverridesOne.post": "put"})


class Batch:
    def __init__(self):
        self.left = 100


class Stock:
    def __init__(self):
        self.batches = {"book": Batch()}

    def get(self, name):
        return self.batches[name]


def test_what_a_job_changes_on_an_object_of_a_double_is_compared():
    stock = Stock()

    with pytest.raises(NotIdempotent) as found:
        check(shop.Service(stock).take_one, histories=["crash"])

    assert "DIVERGED Stock.Batch" in str(found.value)
    assert stock.get("book").left == 100
    check(shop.Service(stock).set_one, histories=["crash"])


class Rows:
    """Has pending rows and others, as a session has, and does not roll them back when a worker dies."""

    def __init__(self):
        self.new, self.rows = [], []

    def get(self, order):
        return order if order in self.rows else None

    def add(self, order):
        self.new.append(order)


class UnitOfWork:
    def __init__(self):
        self.orders = Rows()
        self.mailer = ListGateway()
        self.mailer.send = self.mailer.charge

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.orders.new = []

    def commit(self):
        self.orders.rows += self.orders.new
        self.orders.new = []


def test_what_a_unit_of_work_has_not_committed_is_not_there_after_a_kill():
    unit = UnitOfWork()
    check(shop.Service(unit).save, histories=["crash", "twice", "effect_fails"])

    assert unit.orders.rows == []
    with pytest.raises(NotIdempotent, match="LOST"):
        check(shop.Service(unit).save_and_mail, histories=["crash"])


def shouted(function):
    """Return what calls a function, without a word of what it wraps."""

    def shout(*args):
        return function(*args)

    return shout


class Whole(ListGateway):
    """Can be called in all ways."""

    def __call__(self, order):
        self.charged.append(order)

    def __iadd__(self, orders):
        self.charged.extend(orders)
        return self

    @property
    def last(self):
        return self.charged[-1]

    @last.setter
    def last(self, order):
        self.charged.append(order)

    @shouted
    def decorated(self, order):
        self.charged.append(order)

    async def charge_later(self, order):
        self.charged.append(order)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error):
        pass


@each_row(
    "job, name",
    [
        (shop.pay_by, "Whole"),
        (shop.pay_in_a_thread_of_the_loop, "Whole.charge"),
        (shop.pay_in_a_task, "Whole.charge_later"),
        (shop.pay_in_an_awaited_block, "Whole.charge_later"),
        (shop.set_a_property, "Whole.last"),
        (shop.add_in_place, r"Whole \+="),
        (shop.pay_by_a_patch, "Whole.decorated"),
        (shop.pay_by_map, "Whole.charge"),
        (shop.pay_with_a_decorated_one, "Whole.decorated"),
    ],
)
def test_a_double_is_heard_of_however_it_is_called(job, name):
    whole = Whole()

    with pytest.raises(DuplicateEffect, match=rf"DUPLICATE {name} \[crash"):
        check(job, 7, whole, histories=["crash"])

    assert whole.charged == []


def test_a_double_with_a_million_records_takes_no_longer():
    whole = Whole()
    whole.charged = list(range(1_000_000))

    with pytest.raises(DuplicateEffect):
        check(shop.pay_by, 7, whole, histories=["crash"])

    assert len(whole.charged) == 1_000_000


PROJECT = """
from shop.fakes import store

def pay(mailer, order):
    if order not in store.paid:
        mailer.send(order)
        store.pay(order)
"""
STORE = """
class FakeStore:
    def __init__(self):
        self.paid = {}

    def pay(self, order):
        self.paid[order] = "open"
        self.paid[order] = "paid"

store = FakeStore()
"""
MAILER = """
class Mailer:
    def __init__(self):
        self.sent = []

    def send(self, order):
        self.sent.append(order)
"""
TEST = """
from shop import jobs, fakes
from {module} import {mailer}
from pytest_jobs import check_idempotent

def world():
    fakes.store.paid.clear()
    yield lambda: dict(fakes.store.paid)

def test_pay():
    check_idempotent(jobs.pay, args=[{mailer}(), 7], world=world, histories=["crash"])
"""


@pytest.mark.parametrize(
    ("file", "mailer"), [("tests_mail.py", "Mailer"), ("support/mail.py", "FakeMailer")]
)
def test_what_only_tests_use_beside_the_project_is_the_outside(pytester, file, mailer):
    for name, text in (
        ("shop/__init__.py", ""),
        ("shop/jobs.py", PROJECT),
        ("shop/fakes.py", STORE),
        ("support/__init__.py", ""),
        (file, MAILER.replace("Mailer", mailer)),
        ("test_pay.py", TEST.format(module=file[:-3].replace("/", "."), mailer=mailer)),
    ):
        path = pytester.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    result = pytester.runpytest("test_pay.py")

    result.stdout.fnmatch_lines([f"*DUPLICATE {mailer}.send*"])
    # The project itself uses a store that is called a fake.
    result.stdout.fnmatch_lines(["*fakes.py*", "*self.paid?order? = *"])


@dataclass
class KnowsReferences(DataGateway):
    known: set[str] = field(default_factory=set)

    def charge(self, order):
        if order not in self.known:
            self.known.add(order)
            super().charge(order)


def test_a_dataclass_that_keeps_what_it_was_told_is_one_double_for_all_deliveries():
    check(shop.pay_in_context, {"gateway": KnowsReferences()}, 7)

    with pytest.raises(DuplicateEffect, match=r"DUPLICATE DataGateway\.charge"):
        check(shop.pay_in_context, {"gateway": DataGateway()}, 7)


@dataclass
class Purchase:
    number: int
    statuses: list[str] = field(default_factory=list)

    @property
    def is_paid(self):
        return "paid" in self.statuses


def test_a_dataclass_without_methods_is_data_of_which_each_delivery_gets_a_copy():
    def job(order):
        if not order.is_paid:
            order.statuses.append("paid")
            shop.db[order.number] = "paid"

    check(job, Purchase(7))
