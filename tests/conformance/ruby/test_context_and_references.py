"""Group X: what ActiveSupport's tests expect of current attributes, and GlobalID's of its locator."""

from __future__ import annotations

import asyncio
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from pytest_jobs import (
    CurrentAttributes,
    DeserializationError,
    Job,
    RecordNotFoundError,
    RecordUnavailableError,
    attribute,
    discard_on,
    job,
    reference,
    retry_on,
)
from pytest_jobs.errors import ContextError, DeclarationError, SerializationError


@dataclass(frozen=True)
class Person:
    name: str
    time_zone: str


LOG: list[object] = []


class Session(CurrentAttributes):
    counter: int = 0
    started: list[str] = attribute(factory=lambda: ["now"])


class Current(CurrentAttributes):
    world: str | None = None
    account: int | None = None
    person: Person | None = None
    counter: int = 0
    calls: list[int] = attribute(factory=list)
    unset: str

    @classmethod
    def before_reset(cls) -> None:
        LOG.append(("before", cls.person and cls.person.name))

    @classmethod
    def after_reset(cls) -> None:
        LOG.append(("after", cls.person and cls.person.name))
        Session.reset()

    @classmethod
    def time_zone(cls) -> str | None:
        return cls.person and cls.person.time_zone

    @classmethod
    def request(cls) -> str:
        return f"{cls.world} / {cls.account}"

    @classmethod
    def sign_in(cls, person: Person) -> None:
        cls.set(person=person, account=len(person.name))
        Session.counter += 1


ANN = Person("Ann", "Oslo")


@pytest.fixture(autouse=True)
def clean(jobs):
    """Begin with nothing set, inside a harness that takes back what is left."""
    LOG.clear()
    Current.reset()
    LOG.clear()


# X1, read and write


def test_x1_an_attribute_is_read_and_written():
    Current.world = "one"

    assert Current.world == "one"


def test_x1_an_attribute_has_a_default_value():
    assert (Current.world, Current.counter) == (None, 0)

    Current.counter += 1
    assert Current.counter == 1
    Current.reset()
    assert Current.counter == 0


def test_x1_a_default_can_be_made_by_a_callable_for_each_context():
    Current.calls.append(1)
    first = Current.calls
    Current.reset()

    assert (first, Current.calls) == ([1], [])


def test_x1_a_default_that_could_be_changed_in_place_is_refused():
    with pytest.raises(DeclarationError) as caught:

        class Shared(CurrentAttributes):
            names: list[str] = []  # noqa: RUF012

    assert str(caught.value) == (
        "test_x1_a_default_that_could_be_changed_in_place_is_refused.<locals>.Shared.names has the default [], "
        "which all contexts would share: write `attribute(factory=list)`, or a callable that makes it."
    )


def test_x1_an_attribute_without_a_default_says_that_it_has_no_value():
    with pytest.raises(ContextError) as caught:
        Current.unset  # noqa: B018

    assert str(caught.value) == (
        "Current.unset has no value here, and is declared without a default: set it with "
        "`with Current.set(unset=...):`, or declare what it is otherwise."
    )
    assert not hasattr(Current, "unset")


def test_x1_a_default_is_given_once():
    with pytest.raises(DeclarationError) as caught:
        attribute(default=1, factory=int)  # type: ignore[call-overload]

    assert str(caught.value) == (
        "attribute(default=1, factory=...) says twice what the value is: give one of them."
    )


def test_x1_an_unknown_attribute_is_no_attribute():
    with pytest.raises(AttributeError):
        Current.acount  # noqa: B018
    with pytest.raises(ContextError) as caught:
        Current.acount = 1
    with pytest.raises(ContextError):
        Current.set(acount=1)

    assert str(caught.value) == (
        "Current has no attribute 'acount', so it cannot be set; its attributes: world, account, person, counter, "
        "calls, unset."
    )


def test_x1_an_attribute_is_not_deleted():
    Current.world = "one"
    with pytest.raises(ContextError) as caught:
        del Current.world

    assert str(caught.value) == (
        "Current.world cannot be deleted: Current.reset() takes every value back."
    )
    assert Current.world == "one"


def test_x1_there_are_no_instances():
    with pytest.raises(ContextError) as caught:
        Current()

    assert str(caught.value) == (
        "Current() makes no sense: Current is used as the class that it is."
    )


def test_x1_attributes_are_inherited():
    class Wider(Current):
        language: str = "en"

    Wider.set(world="two", language="eo")

    assert (Wider.world, Wider.language, Current.world) == ("two", "eo", None)


def test_x1_a_subclass_can_give_another_default():
    class Counted(Current):
        counter: int = 10

    assert (Counted.counter, Current.counter) == (10, 0)


def test_x1_a_class_variable_is_no_attribute():
    class Limits(CurrentAttributes):
        most: ClassVar[int] = 7
        held: int = 0

    assert Limits.most == 7
    with pytest.raises(ContextError, match="its attributes: held"):
        Limits.most = 8


# X1, overridden accessors, which are class methods here


def test_x1_a_reader_of_its_own_is_a_class_method():
    Current.set(world="one", account=7)

    assert Current.request() == "one / 7"


def test_x1_a_writer_of_its_own_is_a_class_method():
    Current.sign_in(ANN)

    assert (Current.person, Current.account) == (ANN, 3)


def test_x1_a_writer_can_set_another_class():
    Current.sign_in(ANN)

    assert Session.counter == 1


@pytest.mark.parametrize("value", [property(lambda self: 1), lambda self: 1])
def test_x1_what_would_need_an_instance_is_refused(value):
    with pytest.raises(DeclarationError) as caught:
        type("Wrong", (CurrentAttributes,), {"name": value})

    assert str(caught.value) == (
        "Wrong.name would need an instance, and there is none: declare it a @classmethod."
    )


# X1, reset callbacks


def test_x1_reset_takes_every_value_back():
    Current.set(world="one", person=ANN)
    Current.reset()

    assert (Current.world, Current.person, Current.attributes()) == (None, None, {})


def test_x1_before_reset_sees_the_values_and_after_reset_does_not():
    Current.person = ANN
    Current.reset()

    assert LOG == [("before", "Ann"), ("after", None)]


def test_x1_a_callback_can_reset_another_class():
    Current.sign_in(ANN)
    Current.reset()

    assert Session.counter == 0


def test_x1_the_values_are_gone_when_a_callback_raises():
    class Failing(CurrentAttributes):
        name: str | None = None

        @classmethod
        def before_reset(cls):
            raise OSError("reset")

    Failing.name = "Ann"
    with pytest.raises(OSError, match="reset"):
        Failing.reset()

    assert Failing.name is None


def test_x1_the_callbacks_run_at_the_end_of_a_job_that_had_values(jobs):
    @job
    def idle():
        """Set nothing."""

    with Current.set(person=ANN):
        idle.perform_later()
    idle.perform_later()
    jobs.drain()

    assert LOG == [("before", "Ann"), ("after", None)]


def test_x1_every_class_is_reset_at_the_end_of_a_job_also_when_one_fails(jobs):
    class Failing(CurrentAttributes):
        name: str | None = None

        @classmethod
        def after_reset(cls):
            raise OSError("reset")

    @job
    def idle():
        """Set nothing."""

    with Current.set(person=ANN), Failing.set(name="Ann"):
        idle.perform_later()
        with pytest.raises(OSError, match="reset"):
            jobs.drain()
        mine = (Current.person, Failing.name)

    assert LOG == [("before", "Ann"), ("after", None)]
    assert mine == (ANN, "Ann")


# X1, set restores


def test_x1_set_restores_what_there_was():
    Current.world = "outer"
    with Current.set(world="inner"):
        inside = Current.world

    assert (inside, Current.world) == ("inner", "outer")


def test_x1_set_restores_that_there_was_nothing():
    with Current.set(unset="inner"):
        inside = Current.unset

    assert inside == "inner"
    assert not hasattr(Current, "unset")
    assert Current.attributes() == {}


def test_x1_set_restores_after_an_error():
    Current.world = "outer"
    with suppress(KeyError), Current.set(world="inner"):
        raise KeyError

    assert Current.world == "outer"


def test_x1_set_restores_what_was_assigned_inside_the_block_too():
    Current.account = 1
    with Current.set(world="inner"):
        Current.account = 2

    assert (Current.world, Current.account) == (None, 1)


def test_x1_set_leaves_the_others_alone():
    Current.account = 1
    with Current.set(world="inner"):
        inside = Current.account

    assert inside == 1


def test_x1_blocks_nest():
    with Current.set(world="a"):
        with Current.set(world="b", account=1):
            inner = (Current.world, Current.account)
        outer = (Current.world, Current.account)

    assert (inner, outer, Current.world) == (("b", 1), ("a", None), None)


def test_x1_set_without_a_block_sets():
    Current.set(world="one")

    assert Current.world == "one"


# X1, several attributes


def test_x1_several_attributes_are_set_at_once():
    with Current.set(world="one", account=7, person=ANN):
        inside = Current.attributes()

    assert inside == {"world": "one", "account": 7, "person": ANN}


def test_x1_nothing_is_set_when_one_of_several_is_unknown():
    with pytest.raises(ContextError):
        Current.set(world="one", nothing=1)

    assert Current.world is None


# X1, delegation


def test_x1_a_class_method_delegates():
    Current.person = ANN

    assert Current.time_zone() == "Oslo"
    Current.reset()
    assert Current.time_zone() is None


# X1, no leak between classes


def test_x1_classes_do_not_share_values():
    Current.counter = 5

    assert Session.counter == 0


def test_x1_classes_do_not_share_defaults():
    class First(CurrentAttributes):
        names: list[str] = attribute(factory=list)

    class Second(CurrentAttributes):
        names: list[str] = attribute(factory=list)

    First.names.append("Ann")

    assert Second.names == []


def test_x1_classes_do_not_share_declarations():
    with pytest.raises(ContextError):
        Session.world = "one"


def test_x1_a_reset_leaves_other_classes_alone():
    Current.world = "one"
    Session.reset()

    assert Current.world == "one"


# X1, isolation


def test_x1_a_thread_begins_with_nothing_and_leaves_nothing():
    found = []

    def run():
        found.append(Current.world)
        Current.world = "thread"
        found.append(Current.world)

    Current.world = "main"
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()

    inherits = getattr(sys.flags, "thread_inherit_context", False)
    assert found == ["main" if inherits else None, "thread"]
    assert Current.world == "main"


def test_x1_a_task_begins_with_what_its_maker_had_and_leaves_nothing():
    async def child():
        before = Current.world
        Current.world = "child"
        await asyncio.sleep(0)
        return before, Current.world

    async def main():
        Current.world = "main"
        results = await asyncio.gather(child(), child())
        return results, Current.world

    assert asyncio.run(main()) == ([("main", "child"), ("main", "child")], "main")
    assert Current.world is None


# X1, attributes copies


def test_x1_attributes_is_a_copy():
    Current.world = "one"
    Current.attributes()["world"] = "two"

    assert Current.world == "one"


def test_x1_attributes_leaves_out_defaults_that_nobody_read():
    assert Current.attributes() == {}

    Current.calls.append(1)
    assert Current.attributes() == {"calls": [1]}


# X1, restricted names


@pytest.mark.parametrize(
    "name", ["set", "reset", "attributes", "carried_by", "before_reset", "after_reset", "mro"]
)
def test_x1_a_name_that_means_something_else_is_refused(name):
    with pytest.raises(DeclarationError) as caught:
        type("Wrong", (CurrentAttributes,), {"__annotations__": {name: Any}, name: None})

    assert str(caught.value) == (
        f"Wrong.{name} is declared as an attribute, and {name!r} means something else for every class of current "
        "attributes: take another name."
    )


def test_x1_an_attribute_without_an_annotation_is_refused():
    with pytest.raises(DeclarationError) as caught:
        type("Wrong", (CurrentAttributes,), {"world": "one"})

    assert str(caught.value) == (
        "Wrong.world = 'one' is no attribute without an annotation: write `world: SomeType = ...`, or "
        "`ClassVar[...]` for what is the same everywhere."
    )


# X1, a nested executor restores the outer values


def test_x1_a_nested_job_restores_the_outer_values(jobs):
    @job
    def inner():
        seen = Current.world
        Current.world = "inner"
        return seen

    @job
    def outer():
        Current.world = "outer"
        seen = inner.perform_now()
        return seen, Current.world

    Current.world = "test"
    outer.perform_later()
    Current.world = "changed"
    jobs.drain()

    assert jobs.performed[0].result == ("outer", "outer")
    assert Current.world == "changed"


def test_x1_an_inline_job_does_not_wipe_the_values_of_its_caller(jobs):
    @job
    def inner():
        Current.world = "inner"

    Current.world = "outer"
    with jobs.inline():
        inner.perform_later()

    assert Current.world == "outer"


def test_x1_the_values_of_the_caller_come_back_after_an_error(jobs):
    @job
    def fails():
        Current.world = "inner"
        raise KeyError

    Current.world = "outer"
    with pytest.raises(KeyError), jobs.inline():
        fails.perform_later()

    assert Current.world == "outer"


# X3, records


@reference(id="key", find="find")
@dataclass
class Order:
    """Is identified by two values."""

    shop: int | None
    number: int

    rows: ClassVar[dict[object, Order]] = {}
    asked: ClassVar[list[object]] = []

    @property
    def key(self) -> object:
        return None if self.shop is None else (self.shop, self.number)

    @classmethod
    def find(cls, key: object) -> Order | None:
        cls.asked.append(key)
        return cls.rows.get(key)


@pytest.fixture
def orders():
    """Return the rows of a table with two orders."""
    Order.asked.clear()
    Order.rows = {(1, number): Order(1, number) for number in (1, 2)}
    return Order.rows


@job
def ship(*orders: Order, note: object = None) -> list[Order]:
    return list(orders)


def test_x3_a_record_is_located(jobs, orders):
    ship.perform_later(orders[1, 1])
    jobs.drain()

    assert jobs.performed[0].result[0] is orders[1, 1]


def test_x3_a_record_is_named_by_a_composite_id(jobs, orders):
    ship.perform_later(orders[1, 2])
    jobs.drain()

    assert Order.asked == [(1, 2)]


def test_x3_the_current_row_is_located_and_not_a_copy(jobs, orders):
    ship.perform_later(Order(1, 1))
    orders[1, 1] = replaced = Order(1, 1)
    jobs.drain()

    assert jobs.performed[0].result[0] is replaced


def test_x3_a_reference_can_be_located_by_hand(jobs, orders):
    ship.perform_later(orders[1, 1])
    named = jobs.pending[0].args[0]

    assert named.find() is orders[1, 1]
    assert named == orders[1, 1]


def test_x3_only_declared_classes_are_located(jobs, orders):
    ship.perform_later(
        orders[1, 1]
    ).payload.arguments = '{"tagged":[[{"~":"record","v":1,"t":"builtins.object"}],{}]}'

    with pytest.raises(DeserializationError) as caught:
        jobs.drain()
    assert str(caught.value) == (
        "The payload refers to a builtins.object, and nothing says how to find it: it is no model of SQLAlchemy "
        "or Django that can be imported here, and no `@reference(id=..., find=...)` declares it."
    )


def test_x3_many_records_are_located_one_by_one_in_their_order(jobs, orders):
    ship.perform_later(orders[1, 2], orders[1, 1], orders[1, 2])
    jobs.drain()

    assert Order.asked == [(1, 2), (1, 1), (1, 2)]
    assert [order.number for order in jobs.performed[0].result] == [2, 1, 2]


def test_x3_one_of_many_that_is_missing_is_an_error(jobs, orders):
    ship.perform_later(orders[1, 1], orders[1, 2])
    del orders[1, 2]

    with pytest.raises(RecordNotFoundError) as caught:
        jobs.drain()
    assert str(caught.value).startswith("The Order (1, 2) does not exist any more: ")


def test_x3_a_missing_record_is_ignored_by_a_rule_of_the_job(jobs, orders):
    @discard_on(RecordNotFoundError)
    class Ship(Job):
        def perform(self, order: Order) -> None:
            """Ship it."""

    Ship.perform_later(orders[1, 1])
    orders.clear()
    jobs.drain()

    assert [delivery.status for delivery in jobs.deliveries] == ["discarded"]


def test_x3_missing_and_not_reachable_are_told_apart(jobs, orders, monkeypatch):
    @discard_on(RecordNotFoundError)
    @retry_on(RecordUnavailableError, wait=5)
    class Ship(Job):
        def perform(self, order: Order) -> None:
            """Ship it."""

    class Unreachable(dict):
        def get(self, key):
            raise TimeoutError("database")

    jobs.clock.freeze()
    Ship.perform_later(orders[1, 1])
    monkeypatch.setattr(Order, "rows", Unreachable())
    jobs.perform_due()

    assert [delivery.status for delivery in jobs.deliveries] == ["retried"]
    assert isinstance(jobs.deliveries[0].error.__cause__, TimeoutError)


def test_x3_a_record_without_an_id_is_refused(jobs):
    with pytest.raises(SerializationError) as caught:
        ship.perform_later(Order(None, 1))

    assert str(caught.value) == (
        "args[0] is a Order without an id: save it before you enqueue a job with it."
    )


def test_x3_the_finder_decides_what_it_leaves_out(jobs):
    hidden = {}

    class Draft:
        def __init__(self, id: int) -> None:
            self.id = id

    reference(id="id", find=hidden.get)(Draft)
    hidden[7] = Draft(7)

    @job
    def publish(draft: Draft) -> bool:
        return draft is hidden[7]

    publish.perform_later(hidden[7])
    jobs.drain()

    assert jobs.performed[0].result is True


def test_x3_each_class_has_a_finder_of_its_own_and_the_last_one_counts(jobs):
    class Remote:
        def __init__(self, id: int) -> None:
            self.id = id

    @job
    def fetch(remote: Remote) -> object:
        return remote

    reference(id="id", find=lambda key: ("first application", key))(Remote)
    reference(id="id", find=lambda key: ("second application", key))(Remote)
    fetch.perform_later(Remote(7))
    jobs.drain()

    assert jobs.performed[0].result == ("second application", 7)


def test_x3_a_subclass_is_located_by_the_finder_of_its_base(jobs, orders):
    class Special(Order):
        pass

    orders[1, 9] = Special(1, 9)
    ship.perform_later(orders[1, 9])
    jobs.drain()

    assert jobs.performed[0].result[0] is orders[1, 9]


def test_x3_a_reference_is_not_signed_and_does_not_expire(jobs, orders):
    record = ship.set(wait=timedelta(days=400)).perform_later(orders[1, 1])
    jobs.drain()

    assert jobs.performed[0].result[0] is orders[1, 1]
    assert record.payload.arguments.count("sign") == 0


def test_x3_records_are_located_at_any_depth(jobs, orders):
    @job
    def deep(tree: dict[str, Any]) -> object:
        return tree["orders"][0]["order"]

    deep.perform_later({"orders": [{"order": orders[1, 1]}]})
    jobs.drain()

    assert jobs.performed[0].result is orders[1, 1]


def test_x3_a_record_of_the_context_is_located_too(jobs, orders):
    class Shop(CurrentAttributes):
        order: Order | None = None

    @job
    def look() -> object:
        return Shop.order

    with Shop.set(order=orders[1, 1]):
        look.perform_later()
    jobs.drain()

    assert jobs.performed[0].result is orders[1, 1]
