"""Records of coroutine jobs, which a coroutine function may find."""

import asyncio
from dataclasses import dataclass
from unittest.mock import AsyncMock, Mock

import pytest

from pytest_jobs import CurrentAttributes, Job, Payload, argument_type, job, reference
from pytest_jobs.core.arguments.records import RecordReference
from pytest_jobs.core.execution import perform
from pytest_jobs.errors import (
    DeclarationError,
    DeserializationError,
    RecordNotFoundError,
    RecordUnavailableError,
)

looked_up = []


@reference(id="id", find="find")
class Member:
    def __init__(self, id):
        self.id = id

    def __eq__(self, other):
        return type(other) is Member and other.id == self.id

    __hash__ = None

    @classmethod
    async def find(cls, id):
        await asyncio.sleep(0)
        looked_up.append(id)
        if id == "unreachable":
            raise ConnectionError("no database")
        return None if id == "gone" else cls(id)


@reference(id="id", find="find")
class Plain(Member):
    @classmethod
    def find(cls, id):
        return cls(id)

    def __eq__(self, other):
        return type(other) is Plain and other.id == self.id

    __hash__ = None


@argument_type
@dataclass
class Pair:
    left: object
    right: object


class Greet(Job):
    async def perform(self, *values, **named):
        return [*values, *named.values()]


@pytest.fixture(autouse=True)
def _nothing_looked_up():
    looked_up.clear()


async def delivered(adapter, *args, **kwargs):
    Greet.perform_later(*args, **kwargs)
    return await perform(adapter.pending[-1])


@pytest.mark.parametrize(
    "value",
    [
        Member(1),
        [Member(1), Member(2)],
        {"first": Member(1), "~": "a key of ours"},
        (Member(1), {"~": "record", "v": Member(2)}),
        Pair(Member(1), [Plain(2)]),
        Member(("a", 1)),
        Member(["no", "hash"]),
        Plain(1),
    ],
    ids=[
        "alone",
        "list",
        "dict",
        "looks tagged",
        "dataclass",
        "key of two",
        "list as key",
        "plain find",
    ],
)
def test_a_coroutine_job_gets_its_records_wherever_they_are(adapter, value):
    execution = asyncio.run(delivered(adapter, value, named=value))

    assert execution.result == [value, value]


def test_what_looks_like_a_record_is_plain_data(adapter):
    value = {"~": "record", "v": 7, "t": f"{__name__}.Member"}

    execution = asyncio.run(delivered(adapter, value))

    assert (execution.result, looked_up) == ([value], [])


class Guest(Member):
    @classmethod
    async def find(cls, id):
        return f"guest {id}"


def test_a_record_is_found_once_however_often_it_is_named_and_by_its_own_class(adapter):
    execution = asyncio.run(delivered(adapter, Member(1), [Member(1)], Member(2), Guest(1)))

    first, (second,), other, guest = execution.result
    assert first is second
    assert (other, guest, looked_up) == (Member(2), "guest 1", [1, 2])


@pytest.mark.parametrize(
    ("id", "error", "cause"),
    [
        ("gone", RecordNotFoundError, type(None)),
        ("unreachable", RecordUnavailableError, ConnectionError),
    ],
)
@pytest.mark.parametrize("in_the_context", [True, False])
def test_what_cannot_be_found_fails_the_job(adapter, id, error, cause, in_the_context):
    if in_the_context:
        with Current.set(tenant=Member(id)):
            look_around.perform_later(Member(2))
        execution = asyncio.run(perform(adapter.pending[-1]))
    else:
        execution = asyncio.run(delivered(adapter, Member(id)))

    assert (execution.status, type(execution.error)) == ("failed", error)
    assert type(execution.error.__cause__) is cause
    assert looked_up == [id]


def test_a_synchronous_job_cannot_have_them(adapter):
    @job
    def greet(member):
        return member

    greet.perform_later(Member(1))
    (execution,) = adapter.perform_due()

    assert type(execution.error) is DeclarationError
    assert str(execution.error) == (
        "A Member is found by a coroutine function, which a synchronous job cannot await: declare the job "
        "`async def perform`, or give `reference` a plain function as `find`."
    )


@pytest.mark.parametrize("find", [AsyncMock(return_value="patched"), Mock(return_value="patched")])
@pytest.mark.parametrize("kind", [Member, Plain])
def test_a_test_may_patch_the_find_of_a_class_whatever_it_was(adapter, monkeypatch, kind, find):
    monkeypatch.setattr(kind, "find", find)

    assert asyncio.run(delivered(adapter, kind(1))).result == ["patched"]


def test_a_reference_to_one_cannot_be_followed_without_awaiting(adapter):
    Greet.perform_later(Member(1))
    (payload,) = adapter.pending
    with pytest.raises(DeclarationError, match="which a synchronous job cannot await"):
        reference_in(payload).find()


def reference_in(payload):
    from pytest_jobs.core.arguments.encoding import decode

    (found,), _ = decode(payload.arguments, dict, find=RecordReference)
    return found


@pytest.mark.parametrize(
    "arguments", ["?", '{"tagged":[[{"~":"record"}],{}]}', '{"tagged":7}', '{"tagged":?']
)
def test_arguments_that_cannot_be_read_fail_the_job(arguments):
    payload = Payload(Greet, "Greet", "id", "default", None, arguments, 1, None, 0, None)

    execution = asyncio.run(perform(payload))

    assert (execution.status, type(execution.error)) == ("failed", DeserializationError)


class Current(CurrentAttributes):
    tenant: Member | None = None
    member: Member | None = None


@job
async def look_around(member):
    return Current.tenant, Current.member, member


def test_the_records_of_the_context_are_awaited_one_after_the_other(adapter):
    with Current.set(tenant=Member("acme"), member=Member(1)):
        look_around.perform_later(Member(2))
    execution = asyncio.run(perform(adapter.pending[-1]))

    assert execution.result == (Member("acme"), Member(1), Member(2))
    assert looked_up == ["acme", 1, 2]
    assert Current.attributes() == {}
