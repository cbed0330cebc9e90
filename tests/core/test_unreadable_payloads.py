"""A payload is data from outside: what it may build is up to the job, and what fails is kept."""

import enum
import json
from dataclasses import dataclass

import pytest

from pytest_jobs import Job, Payload, discard_on
from pytest_jobs.errors import DeserializationError, RecordNotFoundError

built = []


@dataclass
class Declared:
    amount: int

    def __post_init__(self):
        built.append("declared")


@dataclass
class Undeclared:
    amount: int = 0

    def __post_init__(self):
        built.append("undeclared")


class Color(enum.Enum):
    RED = 1


class Take(Job):
    def perform(self, value: Declared | None, *, named=None):
        return value


def _payload(arguments, job=Take):
    return Payload(job, job.__name__, "id", "default", None, arguments, 1, None, 0, None)


def _tagged(tag, value, name=None):
    data = {"~": tag, "v": value}
    if name is not None:
        data["t"] = f"{__name__}.{name}" if "." not in name else name
    return json.dumps({"tagged": [[data], {}]})


@pytest.fixture(autouse=True)
def _nothing_built():
    built.clear()


@pytest.mark.parametrize(
    ("tag", "value", "name"),
    [
        ("dataclass", {}, "Undeclared"),
        ("enum", "RED", "Color"),
        ("flag", 1, "Color"),
        ("dataclass", {}, "subprocess.Popen"),
        ("dataclass", {}, "builtins.list"),
    ],
)
def test_a_payload_builds_no_class_that_the_job_does_not_declare(adapter, tag, value, name):
    execution = adapter.perform(_payload(_tagged(tag, value, name)))

    assert execution.status == "failed"
    assert type(execution.error) is DeserializationError
    full_name = name if "." in name else f"{__name__}.{name}"
    assert str(execution.error) == (
        f"The payload carries a {full_name}, which the job does not declare: annotate the parameter with it, "
        "or register the class with `@argument_type`."
    )
    assert built == []


def test_a_payload_finds_no_record_of_a_class_that_is_no_reference(adapter):
    execution = adapter.perform(_payload(_tagged("record", 7, "shop.User")))

    assert type(execution.error) is DeserializationError
    assert str(execution.error) == (
        "The payload refers to a shop.User, and nothing says how to find it: it is not a model of SQLAlchemy or "
        "Django that can be imported here, and no `@reference(id=..., find=...)` declares it."
    )


def test_an_object_that_looks_tagged_is_plain_data_among_plain_arguments(adapter):
    data = {"~": "dataclass", "v": {}, "t": f"{__name__}.Undeclared"}

    execution = adapter.perform(_payload(json.dumps([[data], {}])))

    assert (execution.result, built) == (data, [])


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("", "JSONDecodeError: Expecting value: line 1 column 1 (char 0)"),
        ("[[7],{}][]", "ValueError: more text follows the arguments"),
        ("[[1]]", "ValueError: not enough values to unpack (expected 2, got 1)"),
        ('{"tagged":[[]]}', "ValueError: not enough values to unpack (expected 2, got 1)"),
        (_tagged("mystery", 1).replace(" ", ""), "KeyError: 'mystery'"),
        ('{"tagged":[[{"~":"set"}],{}]}', "KeyError: 'v'"),
        (
            _tagged("dataclass", {"price": 1}, "Declared").replace(" ", ""),
            "TypeError: Declared.__init__() got an unexpected keyword argument 'price'",
        ),
        (
            _tagged("date", "yesterday").replace(" ", ""),
            "ValueError: Invalid isoformat string: 'yesterday'",
        ),
    ],
)
def test_arguments_that_cannot_be_read_fail_the_job_and_are_kept(adapter, arguments, reason):
    payload = _payload(arguments)

    execution = adapter.perform(payload)

    assert execution.status == "failed"
    assert str(execution.error) == f"The arguments {arguments} cannot be read back: {reason}"
    assert execution.error.__cause__ is not None
    assert [letter.payload for letter in adapter.dead] == [payload]
    assert payload.arguments == arguments


def test_arguments_that_are_long_are_cut_and_those_that_do_not_fit_fail_the_job(adapter):
    long = adapter.perform(_payload("[" + "1," * 500))
    execution = adapter.perform(_payload("[[1,2,3],{}]"))

    assert str(long.error).startswith(
        f"The arguments [{'1,' * 99}1... (1001 characters) cannot be read back: "
    )
    assert execution.status == "failed"
    assert type(execution.error) is TypeError


def test_the_rules_of_the_job_hold_for_arguments_that_cannot_be_read(adapter):
    @discard_on(DeserializationError)
    class Lenient(Job):
        def perform(self):
            pass

    execution = adapter.perform(_payload("?", Lenient))

    assert (execution.status, type(execution.error)) == ("discarded", DeserializationError)


def test_a_record_that_is_gone_is_arguments_that_cannot_be_read():
    assert issubclass(RecordNotFoundError, DeserializationError)
