"""What a payload cannot carry is refused at enqueue, by the path of the value."""

import collections
import dataclasses
import enum
import io
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any, ClassVar, NamedTuple

import pytest
from tables import each_row

from pytest_jobs import Job, reference
from pytest_jobs.errors import SerializationError


class Order(Job):
    def perform(self, *args: Any, **kwargs: Any):
        return args, kwargs


class Point(NamedTuple):
    x: int
    y: int


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Share(float):
    pass


class Octets(bytes):
    pass


class Items(list):
    pass


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Size(enum.StrEnum):
    SMALL = "s"


@dataclass
class Money:
    amount: Decimal


class Record:
    pass


class Moment(datetime):
    pass


def _refused(*args, **kwargs):
    with pytest.raises(SerializationError) as raised:
        Order.perform_later(*args, **kwargs)
    return str(raised.value)


ADVICE = "pass its id or plain data, or declare its class with `@reference` or `@argument_type`"


@pytest.mark.parametrize(
    ("value", "kind", "advice"),
    [
        (Record(), "Record", ADVICE),
        (object, "type", ADVICE),
        (Money, "type", ADVICE),
        (1j, "complex", ADVICE),
        (len, "builtin_function_or_method", ADVICE),
        (PurePosixPath("a"), "PurePosixPath", ADVICE),
        (bytearray(b"a"), "bytearray", ADVICE),
        (io.StringIO(), "StringIO", ADVICE),
        (Moment(2026, 1, 1), "Moment", ADVICE),
        (Text("a"), "Text", "convert it with str(...) so that it comes back as what it was"),
        (Number(1), "Number", "convert it with int(...) so that it comes back as what it was"),
        (Share(1), "Share", "convert it with float(...) so that it comes back as what it was"),
        (Octets(b"a"), "Octets", "convert it with bytes(...) so that it comes back as what it was"),
        (Items([1]), "Items", "convert it with list(...) so that it comes back as what it was"),
        (Point(1, 2), "Point", "convert it with tuple(...) so that it comes back as what it was"),
        (
            collections.OrderedDict(a=1),
            "OrderedDict",
            "convert it with dict(...) so that it comes back as what it was",
        ),
        (
            collections.Counter("aa"),
            "Counter",
            "convert it with dict(...) so that it comes back as what it was",
        ),
    ],
)
def test_a_type_that_json_and_the_rules_do_not_know_is_refused(adapter, value, kind, advice):
    assert _refused(value) == (
        f"args[0] is of type {kind}, which a payload cannot carry: {advice}."
    )
    assert adapter.enqueued == []


@pytest.mark.parametrize(
    ("args", "kwargs", "path"),
    [
        ((1, 1j), {}, "args[1]"),
        ((), {"order": 1j}, "kwargs['order']"),
        ((), {"items": [0, 1, {"price": 1j}]}, "kwargs['items'][2]['price']"),
        (((1, [1j]),), {}, "args[0][1][0]"),
        (({1j},), {}, "args[0]'s element"),
        (([{"a": frozenset({(1, 1j)})}],), {}, "args[0][0]['a']'s element[1]"),
    ],
)
def test_the_path_leads_to_the_value(adapter, args, kwargs, path):
    assert _refused(*args, **kwargs) == (
        f"{path} is of type complex, which a payload cannot carry: {ADVICE}."
    )


@dataclass
class Cart:
    owner: str
    items: list[str] = dataclasses.field(init=False, default_factory=list)


@dataclass
class Price:
    net: int
    tax: dataclasses.InitVar[int] = 0
    gross: int = dataclasses.field(init=False, default=0)

    def __post_init__(self, tax: int):
        self.gross = self.net + tax


@dataclass
class Link:
    number: int
    prefix: dataclasses.InitVar[str]


@dataclass
class Title:
    text: str

    def __post_init__(self):
        self.text += "!"


@dataclass
class Box:
    inner: "Box | None"
    built: ClassVar[int] = 0

    def __post_init__(self):
        Box.built += 1


TAKE = "let it take the field, declare that with `compare=False` if it need not travel"


def _filled_cart():
    cart = Cart("ann")
    cart.items.append("tea")
    return cart


@pytest.mark.parametrize(
    ("value", "field", "now", "then", "advice"),
    [
        (_filled_cart(), "items", "['tea']", "[]", TAKE),
        (Price(100, 19), "gross", "119", "100", TAKE),
        (Title("Sale"), "text", "'Sale!'", "'Sale!!'", "let it leave the field as it is"),
    ],
)
def test_a_dataclass_that_would_come_back_as_another_is_refused(
    adapter, value, field, now, then, advice
):
    class Take(Job):
        def perform(self, value: Cart | Price | Title):
            pass

    with pytest.raises(SerializationError) as raised:
        Take.perform_later(value)

    kind = type(value).__name__
    assert str(raised.value) == (
        f"args[0] is a {kind} whose {field} is {now}, and built anew by __init__ it would be {then}: "
        f"{advice}, or pass plain data."
    )
    assert adapter.enqueued == []


def test_a_dataclass_that_cannot_be_built_from_its_fields_is_refused(adapter):
    class Take(Job):
        def perform(self, link: Link):
            pass

    with pytest.raises(SerializationError) as raised:
        Take.perform_later(Link(7, "a"))

    assert str(raised.value) == (
        "args[0] is a Link, which cannot be built anew from its fields: TypeError: Link.__init__() missing 1 "
        "required positional argument: 'prefix'. Let __init__ be content with the fields, or pass plain data."
    )


def test_dataclasses_within_dataclasses_are_not_built_ever_more_often(adapter):
    class Take(Job):
        def perform(self, box: Box):
            pass

    box = None
    for _ in range(16):
        box = Box(box)
    Box.built = 0
    Take.perform_later(box)

    # Each once for every one that it is in, itself included.
    assert Box.built == 16 * 17 / 2


def test_an_init_that_changes_what_it_is_given_changes_nothing_for_the_caller(adapter):
    @dataclass
    class Tags:
        names: list[str]

        def __post_init__(self):
            self.names.append("new")

    class Take(Job):
        def perform(self, tags: Tags):
            pass

    tags = Tags(["red"])
    with pytest.raises(SerializationError, match="whose names is "):
        Take.perform_later(tags)

    assert tags.names == ["red", "new"]


def test_a_field_that_cannot_be_compared_need_not_travel(adapter):
    @dataclass
    class Query:
        text: str
        cache: dict[str, int] = dataclasses.field(init=False, default_factory=dict, compare=False)
        lock: object = dataclasses.field(init=False, default_factory=object)

    class Take(Job):
        def perform(self, query: Query):
            pass

    query = Query("select 1")
    query.cache["rows"] = 7

    assert Take.perform_later(query).enqueued


def test_a_field_may_be_made_of_a_record(adapter):
    @reference(id="id", find=lambda number: Owner(number, "ann"))
    @dataclass(eq=False)
    class Owner:
        id: int
        name: str

    @dataclass
    class Parcel:
        owner: Owner
        label: str = dataclasses.field(init=False)

        def __post_init__(self):
            self.label = f"for {self.owner.name}"

    class Take(Job):
        def perform(self, parcel: Parcel):
            return parcel.label

    assert Take.perform_later(Parcel(Owner(7, "ann"))).enqueued
    assert Take.perform_now(Parcel(Owner(7, "ann"))) == "for ann"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_json_lacks_is_refused(adapter, number):
    assert _refused({"a": [1.0, number]}) == (
        f"args[0]['a'][1] is {number!r}, and JSON has no such number: pass None, or leave the argument out."
    )


@pytest.mark.parametrize(
    ("key", "kind"),
    [(1, "int"), (None, "NoneType"), (True, "bool"), ((1,), "tuple"), (Text("a"), "Text")],
)
def test_a_key_that_is_no_text_is_refused(adapter, key, kind):
    assert _refused(prices={"a": {key: 1}}) == (
        f"kwargs['prices']['a'] has the key {key!r} of type {kind}; the keys of a JSON object are text: write "
        "str keys, or pass the items as a list of pairs."
    )


@pytest.mark.parametrize("value", [Color.RED, Level.LOW, Size.SMALL])
def test_an_enum_that_the_job_does_not_declare_is_refused(adapter, value):
    name = type(value).__name__

    assert _refused(value) == (
        f"args[0] is the enum {name}, which the job does not declare: annotate the parameter with {name}, "
        "or register the class with `@argument_type`."
    )


@dataclass
class Cash(Money):
    pass


@dataclass
class Pair:
    first: Any
    second: Any = dataclasses.field(default=None)


class Pay(Job):
    def perform(self, money: Money | Pair):
        pass


@pytest.mark.parametrize(
    ("job", "value", "text"),
    [
        (
            Order,
            Money(Decimal(1)),
            (
                "is the dataclass Money, which the job does not declare: annotate the parameter with Money, or "
                "register the class with `@argument_type`."
            ),
        ),
        (
            Pay,
            Cash(Decimal(1)),
            (
                "is the dataclass Cash, which the job does not declare: annotate the parameter with Cash, or "
                "register the class with `@argument_type`."
            ),
        ),
        (Pay, Money(1j), f".amount is of type complex, which a payload cannot carry: {ADVICE}."),
        (
            Pay,
            Pair(1, Record()),
            f".second is of type Record, which a payload cannot carry: {ADVICE}.",
        ),
    ],
    ids=["undeclared", "a subclass", "a field", "the second field"],
)
def test_a_dataclass_and_each_of_its_fields_is_declared_or_refused(adapter, job, value, text):
    with pytest.raises(SerializationError) as raised:
        job.perform_later(money=value)

    assert str(raised.value).replace("kwargs['money'] ", "kwargs['money']") == (
        f"kwargs['money']{text}"
    )


def _in_themselves():
    items, pairs, within = [], {"a": {}}, []
    items.append(items)
    pairs["a"]["b"] = pairs
    within.append((within,))
    return [(items, "args[0][0]"), (pairs, "args[0]['a']['b']"), (within, "args[0][0][0]")]


@each_row(("value", "path"), _in_themselves())
def test_a_value_that_contains_itself_is_refused(adapter, value, path):
    assert _refused(value) == f"{path} contains itself, and JSON text cannot: pass ids instead."
    assert adapter.enqueued == []


@pytest.mark.parametrize(
    "wrap", [lambda inner: [inner], lambda inner: {"a": inner}, lambda inner: (inner,)]
)
def test_a_value_that_is_nested_too_deeply_is_refused(adapter, wrap):
    value = 1
    for _ in range(100_000):
        value = wrap(value)

    message = _refused(value)

    assert message.startswith("args[0]")
    assert message.endswith(" characters) is nested too deeply to be written.")
    assert len(message) < 300
    assert adapter.enqueued == []


@pytest.mark.parametrize(
    ("wrap", "path"),
    [
        (lambda number: number, "args[0]"),
        (lambda number: {"a": [number]}, "args[0]['a'][0]"),
        (range, "args[0]'s element"),
    ],
)
def test_a_number_too_long_for_python_to_write_is_refused(adapter, wrap, path):
    assert _refused(wrap(10**5000)) == (
        f"{path} is an int of more digits than Python writes into text: pass it as bytes or as hex(...)."
    )
