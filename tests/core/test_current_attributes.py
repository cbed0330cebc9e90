"""`CurrentAttributes`: values that hold for a context, with defaults, callbacks and blocks."""

from __future__ import annotations

import asyncio
import sys
import threading
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from tables import each_row

from pytest_jobs import CurrentAttributes, attribute, job
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


def test_an_attribute_has_its_default_until_it_is_set_and_after_a_reset():
    assert (Current.world, Current.counter, Current.attributes()) == (None, 0, {})

    Current.world = "one"
    Current.counter += 1
    Current.calls.append(1)
    first = Current.calls
    Current.attributes()["world"] = "two"
    assert Current.attributes() == {"world": "one", "counter": 1, "calls": [1]}
    Current.reset()

    assert (Current.world, Current.counter, Current.calls, first) == (None, 0, [], [1])
    Current.set(world="one")
    assert Current.world == "one"


_MEANS_ELSE = (
    "is declared as an attribute, and {name!r} means something else for every class of current attributes: take "
    "another name."
)
_RESTRICTED = ("set", "reset", "attributes", "carried_by", "before_reset", "after_reset", "mro")


@each_row(
    ("body", "text"),
    [
        (
            {"__annotations__": {"names": list[str]}, "names": []},
            (
                "names has the default [], which all contexts would share: write `attribute(factory=list)`, or a "
                "callable that makes it."
            ),
        ),
        *(
            (
                {"name": value},
                "name would need an instance, and there is none: declare it a @classmethod.",
            )
            for value in (property(lambda self: 1), lambda self: 1)
        ),
        (
            {"world": "one"},
            (
                "world = 'one' is not an attribute without an annotation: write `world: SomeType = ...`, or "
                "`ClassVar[...]` for what is the same everywhere."
            ),
        ),
        *(
            (
                {"__annotations__": {name: Any}, name: None},
                f"{name} {_MEANS_ELSE.format(name=name)}",
            )
            for name in _RESTRICTED
        ),
    ],
)
def test_a_declaration_that_cannot_be_meant_is_refused(body, text):
    with pytest.raises(DeclarationError) as caught:
        type("Wrong", (CurrentAttributes,), body)

    assert str(caught.value) == f"Wrong.{text}"


def test_a_default_is_given_once():
    with pytest.raises(DeclarationError) as caught:
        attribute(default=1, factory=int)  # type: ignore[call-overload]

    assert str(caught.value) == (
        "attribute(default=1, factory=...) says twice what the value is: give one of them."
    )


def test_an_attribute_without_a_default_says_that_it_has_no_value():
    with pytest.raises(ContextError) as caught:
        Current.unset  # noqa: B018

    assert str(caught.value) == (
        "Current.unset has no value here, and is declared without a default: set it with "
        "`with Current.set(unset=...):`, or declare what it is otherwise."
    )
    assert not hasattr(Current, "unset")


@each_row(
    ("act", "text"),
    [
        (
            lambda: setattr(Current, "acount", 1),
            (
                "Current has no attribute 'acount', so it cannot be set; its attributes: world, account, person, "
                "counter, calls, unset."
            ),
        ),
        (
            lambda: Current.set(world="two", acount=1),
            (
                "Current has no attribute 'acount', so it cannot be set; its attributes: world, account, person, "
                "counter, calls, unset."
            ),
        ),
        (
            lambda: delattr(Current, "world"),
            "Current.world cannot be deleted: Current.reset() takes every value back.",
        ),
        (Current, "Current() makes no sense: Current is used as the class that it is."),
    ],
)
def test_what_no_attribute_allows_is_refused_and_changes_nothing(act, text):
    Current.world = "one"
    with pytest.raises(ContextError) as caught:
        act()
    with pytest.raises(AttributeError):
        Current.acount  # noqa: B018

    assert (str(caught.value), Current.world) == (text, "one")


def test_a_subclass_inherits_attributes_and_may_have_others():
    class Wider(Current):
        most: ClassVar[int] = 7
        language: str = "en"
        counter: int = 10

    Wider.set(world="two", language="eo")

    assert (Wider.world, Wider.language, Current.world) == ("two", "eo", None)
    assert (Wider.counter, Current.counter, Wider.most) == (10, 0, 7)
    with pytest.raises(ContextError, match="'most', so it cannot be set; its attributes: "):
        Wider.most = 8


# Overridden accessors, which are class methods here


def test_accessors_of_its_own_are_class_methods():
    Current.sign_in(ANN)
    Current.world = "one"

    assert (Current.person, Current.account, Session.counter) == (ANN, 3, 1)
    assert (Current.request(), Current.time_zone()) == ("one / 3", "Oslo")
    Current.reset()
    assert Current.time_zone() is None


# Reset callbacks


def test_reset_takes_every_value_back_between_its_callbacks():
    Current.sign_in(ANN)
    Current.reset()

    assert (Current.account, Current.person, Current.attributes()) == (None, None, {})
    assert LOG == [("before", "Ann"), ("after", None)]
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


def test_set_restores_what_there_was_after_the_block():
    Current.world = "outer"
    Current.account = 1
    with Current.set(world="inner", unset="inner", person=ANN):
        inside = Current.attributes()
        Current.account = 2

    assert inside == {"world": "inner", "account": 1, "person": ANN, "unset": "inner"}
    assert Current.attributes() == {"world": "outer", "account": 1}
    assert not hasattr(Current, "unset")
    with suppress(KeyError), Current.set(world="inner"):
        raise KeyError
    assert Current.world == "outer"


def test_blocks_nest():
    with Current.set(world="a"):
        with Current.set(world="b", account=1):
            inner = (Current.world, Current.account)
        outer = (Current.world, Current.account)

    assert (inner, outer, Current.world) == (("b", 1), ("a", None), None)


# No leak between classes


def test_classes_share_neither_values_nor_defaults_nor_declarations():
    class Other(CurrentAttributes):
        counter: int = 0
        calls: list[int] = attribute(factory=list)

    Current.counter = 5
    Current.calls.append(1)
    with pytest.raises(ContextError):
        Other.world = "one"
    assert (Other.counter, Other.calls) == (0, [])
    Other.reset()

    assert (Current.counter, Current.calls) == (5, [1])


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


@pytest.mark.parametrize("error", [None, KeyError()])
def test_an_inline_job_does_not_wipe_the_values_of_its_caller(jobs, error):
    @job
    def inner():
        Current.world = "inner"
        if error is not None:
            raise error

    Current.world = "outer"
    with pytest.raises(KeyError) if error else nullcontext(), jobs.inline():
        inner.perform_later()

    assert Current.world == "outer"
