"""`CurrentAttributes`: values that hold for a context, with defaults, callbacks and blocks."""

from __future__ import annotations

import asyncio
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from tables import each_row

from pytest_jobs import (
    CurrentAttributes,
    attribute,
    job,
)
from pytest_jobs.errors import ContextError, DeclarationError


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


# Read and write


def test_an_attribute_is_read_and_written():
    Current.world = "one"

    assert Current.world == "one"


def test_an_attribute_has_a_default_value():
    assert (Current.world, Current.counter) == (None, 0)

    Current.counter += 1
    assert Current.counter == 1
    Current.reset()
    assert Current.counter == 0


def test_a_default_can_be_made_by_a_callable_for_each_context():
    Current.calls.append(1)
    first = Current.calls
    Current.reset()

    assert (first, Current.calls) == ([1], [])


def test_a_default_that_could_be_changed_in_place_is_refused():
    with pytest.raises(DeclarationError) as caught:

        class Shared(CurrentAttributes):
            names: list[str] = []  # noqa: RUF012

    assert str(caught.value) == (
        "test_a_default_that_could_be_changed_in_place_is_refused.<locals>.Shared.names has the default [], "
        "which all contexts would share: write `attribute(factory=list)`, or a callable that makes it."
    )


def test_an_attribute_without_a_default_says_that_it_has_no_value():
    with pytest.raises(ContextError) as caught:
        Current.unset  # noqa: B018

    assert str(caught.value) == (
        "Current.unset has no value here, and is declared without a default: set it with "
        "`with Current.set(unset=...):`, or declare what it is otherwise."
    )
    assert not hasattr(Current, "unset")


def test_a_default_is_given_once():
    with pytest.raises(DeclarationError) as caught:
        attribute(default=1, factory=int)  # type: ignore[call-overload]

    assert str(caught.value) == (
        "attribute(default=1, factory=...) says twice what the value is: give one of them."
    )


def test_an_unknown_attribute_is_no_attribute():
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


def test_an_attribute_is_not_deleted():
    Current.world = "one"
    with pytest.raises(ContextError) as caught:
        del Current.world

    assert str(caught.value) == (
        "Current.world cannot be deleted: Current.reset() takes every value back."
    )
    assert Current.world == "one"


def test_there_are_no_instances():
    with pytest.raises(ContextError) as caught:
        Current()

    assert str(caught.value) == (
        "Current() makes no sense: Current is used as the class that it is."
    )


def test_attributes_are_inherited():
    class Wider(Current):
        language: str = "en"

    Wider.set(world="two", language="eo")

    assert (Wider.world, Wider.language, Current.world) == ("two", "eo", None)


def test_a_subclass_can_give_another_default():
    class Counted(Current):
        counter: int = 10

    assert (Counted.counter, Current.counter) == (10, 0)


def test_a_class_variable_is_no_attribute():
    class Limits(CurrentAttributes):
        most: ClassVar[int] = 7
        held: int = 0

    assert Limits.most == 7
    with pytest.raises(ContextError, match="its attributes: held"):
        Limits.most = 8


# Overridden accessors, which are class methods here


def test_a_reader_of_its_own_is_a_class_method():
    Current.set(world="one", account=7)

    assert Current.request() == "one / 7"


def test_a_writer_of_its_own_is_a_class_method():
    Current.sign_in(ANN)

    assert (Current.person, Current.account) == (ANN, 3)


def test_a_writer_can_set_another_class():
    Current.sign_in(ANN)

    assert Session.counter == 1


@pytest.mark.parametrize("value", [property(lambda self: 1), lambda self: 1])
def test_what_would_need_an_instance_is_refused(value):
    with pytest.raises(DeclarationError) as caught:
        type("Wrong", (CurrentAttributes,), {"name": value})

    assert str(caught.value) == (
        "Wrong.name would need an instance, and there is none: declare it a @classmethod."
    )


# Reset callbacks


def test_reset_takes_every_value_back():
    Current.set(world="one", person=ANN)
    Current.reset()

    assert (Current.world, Current.person, Current.attributes()) == (None, None, {})


def test_before_reset_sees_the_values_and_after_reset_does_not():
    Current.person = ANN
    Current.reset()

    assert LOG == [("before", "Ann"), ("after", None)]


def test_a_callback_can_reset_another_class():
    Current.sign_in(ANN)
    Current.reset()

    assert Session.counter == 0


def test_the_values_are_gone_when_a_callback_raises():
    class Failing(CurrentAttributes):
        name: str | None = None

        @classmethod
        def before_reset(cls):
            raise OSError("reset")

    Failing.name = "Ann"
    with pytest.raises(OSError, match="reset"):
        Failing.reset()

    assert Failing.name is None


def test_the_callbacks_run_at_the_end_of_a_job_that_had_values(jobs):
    @job
    def idle():
        """Set nothing."""

    with Current.set(person=ANN):
        idle.perform_later()
    idle.perform_later()
    jobs.drain()

    assert LOG == [("before", "Ann"), ("after", None)]


def test_every_class_is_reset_at_the_end_of_a_job_also_when_one_fails(jobs):
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


# Set restores


def test_set_restores_what_there_was():
    Current.world = "outer"
    with Current.set(world="inner"):
        inside = Current.world

    assert (inside, Current.world) == ("inner", "outer")


def test_set_restores_that_there_was_nothing():
    with Current.set(unset="inner"):
        inside = Current.unset

    assert inside == "inner"
    assert not hasattr(Current, "unset")
    assert Current.attributes() == {}


def test_set_restores_after_an_error():
    Current.world = "outer"
    with suppress(KeyError), Current.set(world="inner"):
        raise KeyError

    assert Current.world == "outer"


def test_set_restores_what_was_assigned_inside_the_block_too():
    Current.account = 1
    with Current.set(world="inner"):
        Current.account = 2

    assert (Current.world, Current.account) == (None, 1)


def test_set_leaves_the_others_alone():
    Current.account = 1
    with Current.set(world="inner"):
        inside = Current.account

    assert inside == 1


def test_blocks_nest():
    with Current.set(world="a"):
        with Current.set(world="b", account=1):
            inner = (Current.world, Current.account)
        outer = (Current.world, Current.account)

    assert (inner, outer, Current.world) == (("b", 1), ("a", None), None)


def test_set_without_a_block_sets():
    Current.set(world="one")

    assert Current.world == "one"


# Several attributes


def test_several_attributes_are_set_at_once():
    with Current.set(world="one", account=7, person=ANN):
        inside = Current.attributes()

    assert inside == {"world": "one", "account": 7, "person": ANN}


def test_nothing_is_set_when_one_of_several_is_unknown():
    with pytest.raises(ContextError):
        Current.set(world="one", nothing=1)

    assert Current.world is None


# Delegation


def test_a_class_method_delegates():
    Current.person = ANN

    assert Current.time_zone() == "Oslo"
    Current.reset()
    assert Current.time_zone() is None


# No leak between classes


def test_classes_do_not_share_values():
    Current.counter = 5

    assert Session.counter == 0


def test_classes_do_not_share_defaults():
    class First(CurrentAttributes):
        names: list[str] = attribute(factory=list)

    class Second(CurrentAttributes):
        names: list[str] = attribute(factory=list)

    First.names.append("Ann")

    assert Second.names == []


def test_classes_do_not_share_declarations():
    with pytest.raises(ContextError):
        Session.world = "one"


def test_a_reset_leaves_other_classes_alone():
    Current.world = "one"
    Session.reset()

    assert Current.world == "one"


# Isolation


def test_a_thread_begins_with_nothing_and_leaves_nothing():
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


def test_a_task_begins_with_what_its_maker_had_and_leaves_nothing():
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


# Attributes copies


def test_attributes_is_a_copy():
    Current.world = "one"
    Current.attributes()["world"] = "two"

    assert Current.world == "one"


def test_attributes_leaves_out_defaults_that_nobody_read():
    assert Current.attributes() == {}

    Current.calls.append(1)
    assert Current.attributes() == {"calls": [1]}


# Restricted names


@each_row(
    "name", ["set", "reset", "attributes", "carried_by", "before_reset", "after_reset", "mro"]
)
def test_a_name_that_means_something_else_is_refused(name):
    with pytest.raises(DeclarationError) as caught:
        type("Wrong", (CurrentAttributes,), {"__annotations__": {name: Any}, name: None})

    assert str(caught.value) == (
        f"Wrong.{name} is declared as an attribute, and {name!r} means something else for every class of current "
        "attributes: take another name."
    )


def test_an_attribute_without_an_annotation_is_refused():
    with pytest.raises(DeclarationError) as caught:
        type("Wrong", (CurrentAttributes,), {"world": "one"})

    assert str(caught.value) == (
        "Wrong.world = 'one' is not an attribute without an annotation: write `world: SomeType = ...`, or "
        "`ClassVar[...]` for what is the same everywhere."
    )


# A nested executor restores the outer values


def test_a_nested_job_restores_the_outer_values(jobs):
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


def test_an_inline_job_does_not_wipe_the_values_of_its_caller(jobs):
    @job
    def inner():
        Current.world = "inner"

    Current.world = "outer"
    with jobs.inline():
        inner.perform_later()

    assert Current.world == "outer"


def test_the_values_of_the_caller_come_back_after_an_error(jobs):
    @job
    def fails():
        Current.world = "inner"
        raise KeyError

    Current.world = "outer"
    with pytest.raises(KeyError), jobs.inline():
        fails.perform_later()

    assert Current.world == "outer"
