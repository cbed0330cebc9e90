"""A seam replaces the methods that classes of a library, and those that a project derives, define."""

import asyncio
import dataclasses
import gc
import inspect
import weakref
from abc import ABC, abstractmethod
from unittest.mock import AsyncMock, Mock

import pytest

from pytest_jobs.bridges.seam import Seam
from pytest_jobs.errors import BridgeError


class Queue(ABC):
    """What a library asks projects and other packages to derive from."""

    @abstractmethod
    def put(self, message):
        """Send a message."""

    def connect(self):
        return "the library starts"


class Redis(Queue):
    def put(self, message: list) -> None:
        raise AssertionError(f"{message} went to a server")

    def connect(self):
        raise AssertionError("a server was contacted")


class Bridge:
    def __init__(self):
        self.sent = []
        self.refusals = []

    def refused(self, why):
        self.refusals.append(why)

    def takes(self, application):
        return True

    def patch(self, seam):
        seam.replace_sending(Queue, "put", Bridge.put)
        seam.replace_below(Queue, "connect", Bridge.connect)

    def put(self, queue, message):
        self.sent.append((type(queue).__name__, message))

    def connect(self, queue):
        return f"ours, and {Queue.connect(queue)}"


def contents():
    classes = [Queue, *Queue.__subclasses__()]
    for cls in classes:
        classes += cls.__subclasses__()
    return {cls: dict(vars(cls)) for cls in classes}


@pytest.fixture
def seam():
    gc.collect()
    return Seam()


@pytest.fixture
def bridge(seam):
    """Return a bridge that is in, and compare afterwards what classes have."""
    before = contents()
    bridge = Bridge()
    seam.enter(bridge)
    yield bridge
    seam.leave(bridge)
    after = contents()
    assert {cls: after[cls] for cls in before} == before
    marks = [
        vars(each).keys()
        for cls in after
        for each in vars(cls).values()
        if inspect.isfunction(each)
    ]
    assert not any("pytest_jobs_stands_in" in each for each in marks)


def test_a_method_that_sends_is_replaced_where_it_is_defined(bridge):
    class Derived(Redis):
        pass

    Redis().put("a")
    Derived().put("b")

    assert bridge.sent == [("Redis", "a"), ("Derived", "b")]


def test_classes_of_before_made_later_and_made_twice_are_replaced_and_restored(seam):
    class Sending:
        def put(self, message):
            raise AssertionError("sent")

    class Mixed(Sending, Queue):
        pass

    bridge = Bridge()
    seam.enter(bridge)

    class Later(Queue):
        def put(self, message):
            raise AssertionError("sent")

    @dataclasses.dataclass(slots=True)
    class Slotted(Queue):
        url: str = "x"

        def put(self, message):
            raise AssertionError("sent")

    for cls in (Mixed, Later, Slotted):
        cls().put("a")
    patched = vars(Later)["put"]
    seam.leave(bridge)

    assert bridge.sent == [("Mixed", "a"), ("Later", "a"), ("Slotted", "a")]
    assert vars(Later)["put"] is patched.__wrapped__
    assert "put" not in vars(Mixed)
    for cls in (Later, Slotted):
        with pytest.raises(AssertionError, match="sent"):
            cls().put("b")


def test_an_override_that_calls_super_or_names_its_parent_runs_also_in_another_thread(bridge):
    class Tenant(Redis):
        def put(self, message):
            super().put([*message, "tenant"])

    class Audited(Tenant):
        def put(self, message):
            return super().put([*message, "audit"])

    class Naming(Redis):
        def put(self, message):
            Redis.put(self, [*message, "named"])

    class Threaded(Redis):
        async def put(self, message):
            await asyncio.to_thread(super().put, message)

    for cls in (Audited, Naming):
        cls().put(["a"])
    asyncio.run(Threaded().put("b"))

    assert bridge.sent == [
        ("Audited", ["a", "audit", "tenant"]),
        ("Naming", ["a", "named"]),
        ("Threaded", "b"),
    ]


@pytest.mark.parametrize("where", ["an attribute", "a list", "a dict", "a variable"])
def test_a_queue_that_hands_on_to_another_runs(bridge, where):
    inner = Redis()

    class Wrapping(Queue):
        def __init__(self):
            match where:
                case "an attribute":
                    self.inner = inner
                case "a list":
                    self.all = [inner]
                case "a dict":
                    self.by_name = {"inner": inner}

        def put(self, message):
            getattr(self, "inner", inner).put(f"{message}, wrapped")

    Wrapping().put("a")

    assert bridge.sent == [("Redis", "a, wrapped")]


def test_what_is_no_handing_on_is_replaced(bridge):
    client = Mock()

    class Misread(Queue):
        def put(self, message):
            client.put(message)

    class Polite(Queue):
        def put(self, message):
            super().put(message)
            raise AssertionError("sent")

    class Direct(Redis):
        """Has the classes of an override with `super()`: only its code tells the two apart."""

        def put(self, message):
            raise AssertionError("sent")

    for cls in (Misread, Polite, Direct):
        cls().put("a")

    assert bridge.sent == [("Misread", "a"), ("Polite", "a"), ("Direct", "a")]
    assert not client.put.called


def test_an_override_that_captures_nothing_is_an_error_and_one_that_raises_raises_its_own(bridge):
    class Dropping(Redis):
        def put(self, message):
            if message == "c":
                raise KeyError(message)
            if message != "a":
                super().put(message)

    Dropping().put("b")
    with pytest.raises(KeyError):
        Dropping().put("c")
    with pytest.raises(BridgeError) as caught:
        Dropping().put("a")

    assert str(caught.value) == (
        f"{Dropping.__module__}.{Dropping.__qualname__}.put returned and no message was captured: it dropped the "
        "message, sends it later, or sent it in a way that pytest-jobs does not see. Call super().put() before it "
        "returns, or replace Dropping.put in this test."
    )
    assert bridge.refusals == [str(caught.value)]


def test_an_override_that_is_a_coroutine_function_is_checked_when_it_has_run(seam):
    class Remote(ABC):
        @abstractmethod
        async def put(self, message):
            pass

    class Server(Remote):
        async def put(self, message):
            raise AssertionError("sent")

    class Gathering(Server):
        async def put(self, message):
            await asyncio.gather(*(super(Gathering, self).put(each) for each in message))

    class Waiting(Bridge):
        def patch(self, seam):
            seam.replace_sending(Remote, "put", Waiting.aput)

        async def aput(self, remote, message):
            self.put(remote, message)

    bridge = Waiting()
    seam.enter(bridge)
    asyncio.run(Gathering().put(["a"]))
    with pytest.raises(BridgeError, match=r"Gathering\.put returned and no message was captured"):
        asyncio.run(Gathering().put([]))

    assert bridge.sent == [("Gathering", "a")]
    assert inspect.iscoroutinefunction(Server.put)
    seam.leave(bridge)


def test_a_mixin_that_is_not_derived_from_the_base_is_replaced(bridge):
    class Sending:
        def put(self, message):
            raise AssertionError("sent")

    class Tenant:
        def put(self, message):
            super().put(f"{message}, tenant")

    class Mixed(Sending, Queue):
        pass

    class Both(Tenant, Redis):
        pass

    Mixed().put("a")
    Both().put("b")

    assert bridge.sent == [("Mixed", "a"), ("Both", "b, tenant")]


def test_a_class_that_is_abstract_stays_abstract_and_the_signature_is_found(bridge):
    class Base(Queue):
        @abstractmethod
        def put(self, message):
            pass

    with pytest.raises(TypeError, match="abstract"):
        Base()
    assert str(inspect.signature(Redis.put)) == "(self, message: list) -> None"


@pytest.mark.parametrize("kind", [Mock, AsyncMock])
def test_a_mock_of_a_test_goes_first_in_an_object_and_in_a_class(bridge, seam, monkeypatch, kind):
    queue, mock = Redis(), kind()
    queue.put = mock
    of_the_object = queue.put("a")
    seam.leave(bridge)
    monkeypatch.setattr(Redis, "put", mock)
    seam.enter(bridge)
    for result in (of_the_object, Redis().put("a")):
        if kind is AsyncMock:
            asyncio.run(result)

    assert (bridge.sent, mock.call_count) == ([], 2)


@pytest.mark.parametrize("stand_in", [Mock(), lambda itself, message: None])
def test_a_class_that_a_test_had_replaced_before_is_captured_afterwards(seam, stand_in):
    class Later(Redis):
        pass

    put = vars(Redis)["put"]
    bridge = Bridge()
    seam.hold()
    Redis.put = stand_in
    seam.enter(bridge)

    class Latest(Queue):
        def put(self, message):
            pass

    latest = vars(Latest)["put"].__wrapped__
    seam.leave(bridge)
    Redis.put = put
    Latest.put = latest
    seam.enter(bridge)
    for cls in (Redis, Later, Latest):
        cls().put("a")
    seam.leave(bridge)
    seam.release()

    assert bridge.sent == [("Redis", "a"), ("Later", "a"), ("Latest", "a")]
    assert (vars(Redis)["put"], vars(Latest)["put"]) == (put, latest)


def test_a_class_of_a_test_is_not_kept(bridge):
    class Short(Queue):
        def put(self, message):
            pass

    gone = weakref.ref(Short)
    del Short
    gc.collect()

    assert gone() is None


def test_a_method_beside_sending_is_replaced_in_derived_classes_only(bridge):
    class Plain(Queue):
        def put(self, message):
            pass

    class Derived(Redis):
        def connect(self):
            super().connect()

    assert Plain().connect() == "the library starts"
    assert Redis().connect() == Derived().connect() == "ours, and the library starts"


def test_what_derived_classes_define_is_wrapped_and_called_by_the_bridge(seam):
    class Wrapping(Bridge):
        def patch(self, seam):
            seam.wrap_below(Queue, "connect", Wrapping.connect)

        def connect(self, original, queue):
            return f"ours, and {original()}"

        def takes(self, application):
            return not isinstance(application, Redis)

    bridge = Wrapping()
    seam.enter(bridge)

    class Own(Queue):
        def put(self, message):
            pass

        def connect(self):
            return "its own"

    assert Own().connect() == "ours, and its own"
    with pytest.raises(AssertionError, match="a server was contacted"):
        Redis().connect()
    seam.leave(bridge)
    assert Own().connect() == "its own"


def test_a_class_may_be_left_out(seam):
    class Kept(Queue):
        def put(self, message):
            return "kept"

        def connect(self):
            return "kept"

    class Skipping(Bridge):
        def patch(self, seam):
            seam.replace_sending(Queue, "put", Bridge.put, skip=(Kept,))
            seam.replace_below(Queue, "connect", Bridge.connect, skip=(Kept,))

    bridge = Skipping()
    seam.enter(bridge)

    assert (Kept().put("a"), Kept().connect()) == ("kept", "kept")
    seam.leave(bridge)


def test_an_application_that_no_bridge_takes_sends_as_ever(seam):
    class Picky(Bridge):
        def takes(self, application):
            return False

    class Tenant(Redis):
        def put(self, message):
            super().put(f"{message}, tenant")

    bridge = Picky()
    seam.enter(bridge)
    with pytest.raises(AssertionError, match="a, tenant went to a server"):
        Tenant().put("a")
    with pytest.raises(AssertionError, match="a server was contacted"):
        Tenant().connect()
    seam.leave(bridge)


def test_options_of_a_class_reach_the_library(seam):
    seen = []

    class Base:
        def __init_subclass__(cls, **options):
            super().__init_subclass__()
            seen.append(options)

    class Optional(Bridge):
        def patch(self, seam):
            seam.replace_sending(Base, "put", Bridge.put)

    bridge = Optional()
    seam.enter(bridge)

    class Derived(Base, color="blue"):
        def put(self, message):
            raise AssertionError("sent")

    Derived().put("a")
    seam.leave(bridge)

    assert (seen, bridge.sent) == ([{"color": "blue"}], [("Derived", "a")])


def test_options_of_a_class_reach_a_mixin_of_the_project(seam):
    seen = []

    class Mixin:
        def __init_subclass__(cls, **options):
            super().__init_subclass__()
            seen.append(options)

    bridge = Bridge()
    seam.enter(bridge)

    class Tenant(Queue, Mixin, color="blue"):
        def put(self, message):
            raise AssertionError("sent")

    Tenant().put("a")
    seam.leave(bridge)

    assert (seen, bridge.sent) == ([{"color": "blue"}], [("Tenant", "a")])
