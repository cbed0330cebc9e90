"""The cases of ActiveJob's `argument_serialization_test` and `serializers_test`: which arguments travel."""

import dataclasses
import enum
import math
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from pytest_jobs import Job, argument_type, job, reference
from pytest_jobs.errors import DeclarationError, DeserializationError, SerializationError


class Color(enum.StrEnum):
    RED = "red"


@dataclasses.dataclass
class Money:
    cents: int


@argument_type
@dataclasses.dataclass
class Registered:
    number: int


@reference(id="number", find="find")
class Person:
    def __init__(self, number):
        self.number = number

    @classmethod
    def find(cls, number):
        return cls(number)

    def __eq__(self, other):
        return isinstance(other, Person) and self.number == other.number

    __hash__ = None


class Keep(Job):
    got = []  # noqa: RUF012

    def perform(self, *args, **kwargs):
        self.got.append((args, kwargs))


@pytest.fixture
def arrives(jobs, monkeypatch):
    """Return a function that sends arguments through the queue and returns what arrives."""
    monkeypatch.setattr(Keep, "got", [])

    def arrives(value):
        Keep.perform_later(value)
        jobs.drain()
        return Keep.got[-1][0][0]

    return arrives


@pytest.fixture
def refusal(jobs):
    """Return a function that returns the message with which an argument is refused."""

    def refusal(value):
        with pytest.raises(SerializationError) as caught:
            Keep.perform_later(value)
        assert jobs.enqueued == []
        return str(caught.value)

    return refusal


@pytest.mark.parametrize(
    "value",
    [
        None,
        1,
        10**21,
        1.5,
        "text",
        True,
        False,
        Decimal("0.1"),
        timedelta(days=1, seconds=2, microseconds=3),
        date(2001, 2, 3),
        time(1, 2, 3, 999_999),
        datetime(2002, 10, 31, 2, 2, 2, 123_456, tzinfo=timezone(timedelta(hours=-9, minutes=-30))),
        datetime(2002, 10, 31, 2, 2, 2, tzinfo=UTC),
        datetime(2002, 10, 31, 2, 2, 2, tzinfo=ZoneInfo("Europe/Warsaw")),
        datetime(2002, 10, 31, 2, 2, 2),  # noqa: DTZ001
        [1, "a"],
        {"a": 1, "b": {"c": [2]}},
        (1, (2, "b")),
        range(1, 10, 2),
    ],
    ids=repr,
)
def test_s1_a_value_arrives_as_it_was_sent(arrives, value):
    got = arrives(value)

    assert (type(got), got) == (type(value), value)


@pytest.mark.parametrize(
    "value",
    [math, Money, int, slice(1, None)],
    ids=repr,
)
def test_s1_a_module_a_class_and_an_open_range_are_refused(refusal, value):
    assert "which a payload cannot carry" in refusal(value)


def test_s2_what_has_no_plain_form_is_refused(jobs, refusal):
    class Local: ...

    Keep.perform_later(Person(7))
    found = jobs.enqueued[0].args[0]

    for value in (object(), Local(), Local, found):
        with pytest.raises(SerializationError, match="which a payload cannot carry"):
            Keep.perform_later(value)


@pytest.mark.parametrize(
    "arguments", ["[[1],{}", '{"tagged":[[{"~":"class","v":"x"}],{}]}', "7"], ids=repr
)
def test_s2_raw_text_that_is_no_argument_is_told_when_the_job_runs(jobs, arguments):
    Keep.perform_later().payload.arguments = arguments

    with pytest.raises(DeserializationError, match="cannot be read back"):
        jobs.drain()
    assert jobs.dead[0].record.payload.arguments == arguments


@pytest.mark.parametrize(
    "value",
    [Person(7), [Person(7), 1], {"who": [Person(7)]}, "gid://shop/Person/7", {"~": "record"}],
    ids=["alone", "in a list", "deeper", "text like a reference", "a dict like a reference"],
)
def test_s3_records_are_found_again_and_what_looks_like_one_stays_what_it_is(arrives, value):
    assert arrives(value) == value


def test_s3_a_record_travels_by_its_id(jobs):
    Keep.perform_later(Person(7))

    assert jobs.pending[0].payload.arguments.count("7") == 1


def test_s5_a_kind_of_text_is_refused_unless_it_is_declared(jobs, refusal):
    class Name(str):
        __slots__ = ()

    assert "convert it with str(...)" in refusal(Name("ann"))
    assert "which the job does not declare" in refusal(Color.RED)

    @job
    def paint(color: Color) -> str:
        return f"{type(color).__name__} {color}"

    paint.perform_later(Color.RED)
    jobs.drain()
    assert jobs.performed[0].result == "Color red"


def test_s5_a_zone_and_a_duration_still_work_as_such(arrives):
    moment = arrives(datetime(2026, 3, 28, 12, tzinfo=ZoneInfo("Europe/Warsaw")))
    day = arrives(timedelta(days=1))

    assert moment.tzinfo is ZoneInfo("Europe/Warsaw")
    assert (moment + day).utcoffset() == timedelta(hours=2)


@pytest.mark.parametrize("value", [{1: "a"}, {"a": {1: "b"}}, [{"a": [{2: 3}]}]], ids=repr)
def test_s6_a_key_that_is_no_text_is_refused_at_any_depth(refusal, value):
    assert "the keys of a JSON object are text" in refusal(value)


@pytest.mark.parametrize(
    "value",
    [
        {"~": "tuple", "v": [1]},
        {"v": 1, "t": 2, "tagged": 3},
        {"a": {"~": 1}},
        {"_aj_globalid": 1, "_aj_serialized": 2},
    ],
    ids=repr,
)
def test_s6_no_key_is_reserved(arrives, value):
    assert arrives(value) == value


def test_s6_an_object_is_refused_with_its_path(refusal):
    assert refusal({"a": [1, {"b": object()}]}).startswith("args[0]['a'][1]['b'] is of type object")


def test_s8_keyword_arguments_stay_keywords(jobs, monkeypatch):
    monkeypatch.setattr(Keep, "got", [])
    Keep.perform_later(1, count=2, who=Person(7))
    jobs.drain()

    assert Keep.got == [((1,), {"count": 2, "who": Person(7)})]


def test_s10_a_class_travels_once_it_is_registered(arrives, refusal):
    assert "register the class with `@argument_type`" in refusal(Money(5))
    assert arrives(Registered(5)) == Registered(5)


def test_s10_registering_a_class_again_changes_nothing(arrives):
    argument_type(Registered)

    assert arrives([Registered(5)]) == [Registered(5)]


def test_s10_a_class_that_is_no_data_cannot_be_registered():
    with pytest.raises(DeclarationError, match="neither an enum nor a dataclass"):
        argument_type(Counter)


@pytest.mark.parametrize(
    "tagged",
    [
        '{"~":"unheard_of","v":1}',
        '{"~":"dataclass","v":{"cents":1},"t":"builtins.object"}',
        '{"~":1}',
    ],
    ids=["an unknown tag", "a class that nobody registered", "a tag without a value"],
)
def test_s10_a_payload_cannot_name_what_was_not_declared(jobs, tagged):
    Keep.perform_later().payload.arguments = f'{{"tagged":[[{tagged}],{{}}]}}'

    with pytest.raises(DeserializationError):
        jobs.drain()
