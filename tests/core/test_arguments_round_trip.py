"""What is handed to a job arrives equal and of the same type."""

import enum
import math
import subprocess
import sys
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st
from tables import each_row

from pytest_jobs import Job, job


class Color(enum.Enum):
    RED = "red"
    GREEN = "green"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Size(enum.StrEnum):
    SMALL = "s"


class Access(enum.Flag):
    READ = enum.auto()
    WRITE = enum.auto()


class Mode(enum.IntFlag):
    X = 1
    Y = 4


@dataclass
class Money:
    amount: Decimal
    currency: str = "EUR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    price: Money
    colors: tuple[Color, ...] = ()
    note: Any = None


class Echo(Job):
    def perform(self, value: Any, types: Color | Level | Size | Access | Mode | Line | None = None):
        return value


@job
def echo_all(*args: Color | Level | Size | Access | Mode | Line, **kwargs):
    return args, kwargs


def described(value):
    """Return a value that is equal only for values of the same types at every depth."""
    kind = type(value)
    if kind is dict:
        return kind, [(key, described(item)) for key, item in value.items()]
    if kind in (list, tuple):
        return kind, [described(item) for item in value]
    if kind in (set, frozenset):
        return kind, sorted((described(item) for item in value), key=repr)
    if is_dataclass(value):
        return kind, [described(getattr(value, field.name)) for field in fields(value)]
    if kind in (datetime, time):
        zone = value.tzinfo.key if type(value.tzinfo) is ZoneInfo else value.tzinfo
        return kind, value.isoformat(), value.fold, zone
    return kind, repr(value), value


def _assert_round_trip(value):
    returned = Echo.perform_now(value)

    assert described(returned) == described(value)


@each_row(
    "value",
    [
        None,
        True,
        0,
        -(2**70),
        10**4000,
        1.5,
        -0.0,
        5e-324,
        math.pi,
        "",
        "Grüße 👋 \x00 \u2028",
        "\udcff",
        [],
        [1, [True, [None]]],
        {},
        {"a": {"b": [1.0, 1]}},
        {"~": 1},
        {"~": "tuple", "v": [1, 2]},
        {"a": {"~": "enum", "v": "RED", "t": f"{__name__}.Color"}},
        (),
        (1, [2, (3,)], {"four": (4,)}),
        datetime(2026, 1, 1, 10, 30, 0, 123456),  # noqa: DTZ001
        datetime(2026, 1, 1, 10, tzinfo=UTC),
        datetime(2026, 1, 1, 10, tzinfo=timezone(timedelta(hours=-3, minutes=-30))),
        date(2024, 2, 29),
        time(23, 59, 59, 999999),
        time(1, tzinfo=UTC),
        timedelta(days=-1, seconds=1, microseconds=1),
        timedelta.max,
        Decimal("1.10"),
        Decimal("-0E+5"),
        Decimal("0.1234567890123456789012345678901234567890"),
        UUID("12345678-1234-5678-1234-567812345678"),
        Path("/tmp/a b"),
        Path(),
        set(),
        {1, "1", (1, 2), None},
        frozenset({frozenset({1}), 2.5}),
        {Decimal(1), date(2026, 1, 1)},
        b"",
        b"\x00\xff",
        range(5),
        range(10, 0, -3),
        Color.RED,
        Level.HIGH,
        Size.SMALL,
        Access.READ,
        Access.READ | Access.WRITE,
        Access(0),
        Mode.X | Mode.Y,
        Mode(0),
        Money(Decimal("9.99")),
        Line(price=Money(Decimal(1), "USD"), colors=(Color.RED, Color.GREEN), note={"a": (1,)}),
        {"lines": [Line(price=Money(Decimal(1))), {Color.RED, Level.LOW}]},
    ],
)
def test_a_value_arrives_as_it_was_sent(value):
    _assert_round_trip(value)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.dates()
    | st.times(timezones=st.none() | st.timezones())
    | st.datetimes(timezones=st.none() | st.timezones())
    | st.builds(lambda value: value.replace(fold=1), st.datetimes() | st.times())
    | st.timedeltas()
    | st.binary()
    | st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1).map(Path)
    | st.builds(range, st.integers(), st.integers(), st.integers(min_value=1))
    | st.sampled_from([*Color, *Level, *Size, *Access, ~Access(0), *Mode, Mode.X | Mode.Y])
)


@st.composite
def scalars(draw):
    return draw(SCALARS)


HASHABLE = st.recursive(
    scalars(),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
)


@st.composite
def hashable(draw):
    return draw(HASHABLE)


VALUES = st.recursive(
    hashable() | st.sets(hashable(), max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3) | st.sampled_from("~vt"), inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.builds(Money, st.decimals(allow_nan=False), st.text())
        | st.builds(Line, price=st.builds(Money, st.just(Decimal(1))), note=inner)
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(VALUES)
def test_any_value_arrives_as_it_was_sent(value):
    _assert_round_trip(value)


@settings(deadline=None)
@given(st.lists(VALUES, max_size=3), st.dictionaries(st.text(), VALUES, max_size=3))
def test_any_arguments_arrive_as_they_were_sent(args, kwargs):
    returned = echo_all.perform_now(*args, **kwargs)

    assert described(returned) == described((tuple(args), kwargs))


def test_the_order_of_a_dict_is_kept_and_a_value_that_occurs_twice_is_no_cycle():
    shared = [(1, 2)]

    assert list(Echo.perform_now({"b": 1, "a": (2,)})) == ["b", "a"]
    assert Echo.perform_now([shared, shared]) == [shared, shared]


def test_a_field_that_init_does_not_take_is_made_again():
    @dataclass
    class Total:
        amount: int
        doubled: int = field(init=False, default=0)

        def __post_init__(self):
            self.doubled = self.amount * 2

    class EchoTotal(Job):
        def perform(self, total: Total):
            return total

    assert EchoTotal.perform_now(Total(2)) == Total(2)


def test_plain_arguments_are_written_as_plain_json_and_equal_sets_alike(adapter):
    plain, forwards, backwards = (
        Echo.perform_later(value).payload.arguments
        for value in ({"a": [1, None, True, 1.5, "é"]}, {0, 8, "a", "b"}, {"b", "a", 8, 0})
    )

    assert plain == '[[{"a":[1,null,true,1.5,"\\u00e9"]}],{}]'
    assert forwards == backwards


@pytest.mark.parametrize("encoder", ["json.encoder.c_make_encoder", "None"])
def test_the_text_is_the_same_whatever_encoder_python_has(encoder):
    script = f"""
import json, json.encoder
json.encoder.c_make_encoder = {encoder}
from pytest_jobs import Job
from pytest_jobs.core.enqueueing.enqueue import payload_of

class Pay(Job):
    def perform(self, *args, **kwargs): pass

print(payload_of(Pay.new(7, 0.5, "é\\n", None, True, key=[1, {{"a": []}}]), 0).arguments)
"""
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert result.stdout == '[[7,0.5,"\\u00e9\\n",null,true],{"key":[1,{"a":[]}]}]\n'
