"""A seam patches the classes of a library once, for all bridges to it."""

import asyncio
import inspect
from operator import attrgetter

import pytest

from pytest_jobs.bridges.seam import Seam


class Connection:
    """What an application of the library is reached by."""

    port = 1

    def __init__(self, app="shop"):
        self.app = app
        self.pool = "the pool of the application"

    def send(self, message: str) -> str:
        return f"{self.app} sent {message}"

    @property
    def backend(self):
        return vars(self).get("_backend", "the backend of the application")

    @backend.setter
    def backend(self, value):
        vars(self)["_backend"] = value


class Derived(Connection):
    """A class that a project derives."""


class Bridge:
    def __init__(self, *apps):
        self.apps = apps
        self.sent = []

    def takes(self, application):
        return application in self.apps

    def patch(self, seam):
        app = attrgetter("app")
        seam.replace(Connection, "send", Bridge.send, application=app)
        seam.overlay(Connection, "pool", Bridge.pool, application=app)
        seam.overlay(Connection, "port", Bridge.port, application=app)
        seam.overlay(Connection, "backend", Bridge.backend, application=app)

    def send(self, connection, message):
        self.sent.append(message)

    def pool(self, original, connection):
        return "ours"

    def port(self, original, connection):
        return original() + 1

    def backend(self, original, connection):
        return f"ours, instead of {original()}"


@pytest.fixture
def seam():
    seam = Seam()
    before = dict(vars(Connection)), dict(vars(Derived))
    yield seam
    for bridge in list(seam.bridges):
        seam.leave(bridge)
    assert (dict(vars(Connection)), dict(vars(Derived))) == before


@pytest.fixture
def connection():
    return Connection()


def test_a_call_goes_to_the_newest_bridge_that_takes_the_application(seam, connection):
    outer, other, inner = Bridge("shop"), Bridge("billing"), Bridge("shop")
    seam.enter(outer)
    connection.send("1")
    seam.enter(other)
    connection.send("2")
    seam.enter(inner)
    connection.send("3")
    seam.leave(inner)
    connection.send("4")

    assert [bridge.sent for bridge in (outer, other, inner)] == [["1", "2", "4"], [], ["3"]]


def test_an_application_that_no_bridge_takes_is_left_to_the_library(seam):
    seam.enter(Bridge("shop"))
    connection = Connection("billing")

    assert connection.send("1") == "billing sent 1"
    assert (connection.pool, connection.port) == ("the pool of the application", 1)
    assert connection.backend == "the backend of the application"


def test_classes_are_patched_for_the_first_bridge_and_restored_after_the_last(seam, connection):
    send = Connection.send
    first, second = Bridge("shop"), Bridge("shop")
    seam.enter(first)
    patched = Connection.send
    seam.enter(second)
    seam.leave(first)

    assert Connection.send is patched is not send
    seam.leave(second)
    assert Connection.send is send


def test_a_seam_that_is_held_has_nothing_of_a_bridge_that_could_not_patch(seam, connection):
    class Failing(Bridge):
        def patch(self, seam):
            super().patch(seam)
            raise KeyError

    send = Connection.send
    seam.hold()
    with pytest.raises(KeyError):
        seam.enter(Failing("shop"))

    assert Connection.send is send
    seam.enter(Bridge("shop"))
    assert Connection.send is not send
    seam.release()


def test_what_a_test_has_put_back_is_replaced_again_while_the_seam_is_held(seam, connection):
    send, bridge = Connection.send, Bridge("shop")
    seam.hold()
    seam.enter(bridge)
    seam.leave(bridge)
    Connection.send = send
    seam.enter(bridge)
    connection.send("1")
    seam.leave(bridge)
    seam.release()

    assert bridge.sent == ["1"]
    assert Connection.send is send


def test_an_attribute_is_replaced_in_objects_that_have_it_already(seam, connection):
    seam.enter(Bridge("shop"))

    assert (connection.pool, connection.port) == ("ours", 2)
    assert connection.backend == "ours, instead of the backend of the application"
    assert Connection.port == 1
    assert isinstance(Connection.backend, property)
    with pytest.raises(AttributeError, match="pool"):
        Connection.pool  # noqa: B018


@pytest.mark.parametrize("made", ["before", "later"])
def test_an_attribute_that_a_derived_class_defines_is_replaced_as_well(seam, made):
    def derive():
        class Derived(Connection):
            port = 3

            @property
            def backend(self):
                return "the backend of a derived class"

        return Derived

    derived = derive() if made == "before" else None
    bridge = Bridge("shop")
    seam.enter(bridge)
    derived = derived or derive()
    ours, billing = derived("shop"), derived("billing")

    assert (ours.port, ours.backend) == (4, "ours, instead of the backend of a derived class")
    assert (billing.port, billing.backend) == (3, "the backend of a derived class")
    seam.leave(bridge)
    assert (vars(derived)["port"], type(vars(derived)["backend"])) == (3, property)


def test_what_is_written_meanwhile_is_there_afterwards(seam, connection):
    bridge = Bridge("shop")
    seam.enter(bridge)
    connection.pool = "new"
    connection.port = 7
    connection.backend = "new"
    gone = Connection()
    del gone.pool

    assert (connection.pool, connection.port) == ("ours", 8)
    seam.leave(bridge)
    assert (connection.pool, connection.port, connection.backend) == ("new", 7, "new")
    assert not hasattr(gone, "pool")


def test_signatures_are_found_and_what_cannot_be_deleted_still_cannot(seam, connection):
    signature = inspect.signature(Connection.send)
    seam.leave(Bridge("shop"))  # Which never entered.
    assert seam.bridges == []
    seam.enter(Bridge("shop"))

    assert inspect.signature(Connection.send) == signature
    with pytest.raises(AttributeError):
        del connection.backend


def test_a_coroutine_function_goes_on_to_be_one(seam):
    class Remote:
        async def send(self, message):
            raise AssertionError(f"{message} was sent")

    class Waiting(Bridge):
        def patch(self, seam):
            seam.replace(Remote, "send", Waiting.send)

        async def send(self, remote, message):
            return f"{message} is kept"

        def takes(self, application):
            return True

    seam.enter(Waiting())

    assert inspect.iscoroutinefunction(Remote.send)
    assert asyncio.run(Remote().send("it")) == "it is kept"


def test_a_class_that_comes_later_is_patched_while_a_bridge_is_in(seam):
    bridge = Bridge("shop")
    seam.enter(bridge)
    seam.replace(Derived, "send", Bridge.send, application=attrgetter("app"))
    seam.replace(Derived, "send", Bridge.send, application=attrgetter("app"))

    assert seam.has(Derived, "send")
    assert not seam.has(Derived, "pool")
    Derived("shop").send("1")
    assert bridge.sent == ["1"]
    assert Derived("billing").send("2") == "billing sent 2"


def test_a_wrapper_gets_the_original(seam, connection):
    class Wrapping(Bridge):
        def patch(self, seam):
            seam.wrap(Connection, "send", Wrapping.send, application=attrgetter("app"))

        def send(self, original, connection, message):
            return original(message.upper())

    seam.enter(Wrapping("shop"))

    assert connection.send("hello") == "shop sent HELLO"
