"""Models of Django travel by their primary key, and are found again where they were."""

from __future__ import annotations

import inspect

import django
import pytest
from asgiref.sync import async_to_sync
from django.db import connections
from django.db.migrations.state import ModelState, ProjectState
from django_members import MODELS, Badge, Guest, Member, Ticket

from pytest_jobs import TestAdapter, configure, job
from pytest_jobs.core.execution import perform
from pytest_jobs.errors import RecordNotFoundError, RecordUnavailableError, SerializationError


@job
def take(*values):
    return list(values)


@job
async def atake(*values):
    return list(values)


@pytest.fixture(autouse=True)
def tables(transactional):
    for alias in ("default", "other"):
        with connections[alias].schema_editor() as editor:
            for model in MODELS:
                editor.create_model(model)
    yield
    for alias in ("default", "other"):
        with connections[alias].schema_editor() as editor:
            for model in reversed(MODELS):
                if model._meta.db_table in connections[alias].introspection.table_names():
                    editor.delete_model(model)


@pytest.fixture
def adapter():
    adapter = TestAdapter()
    with configure(adapter=adapter):
        yield adapter


@pytest.fixture(params=["synchronous", "coroutine"])
def travelled(request, adapter):
    """Return what sends values through a job, and returns the execution."""

    def send(*values):
        (take if request.param == "synchronous" else atake).perform_later(*values)
        return execution_of(adapter)

    return send


def execution_of(adapter):
    payload = adapter.pending[-1]
    execution = perform(payload)
    return async_to_sync(_awaited)(execution) if inspect.isawaitable(execution) else execution


async def _awaited(execution):
    return await execution


def test_a_record_travels_by_its_primary_key(adapter):
    take.perform_later(Member.objects.create(id=1))

    (payload,) = adapter.pending
    assert payload.arguments == '{"tagged":[[{"~":"record","v":1,"t":"django_members.Member"}],{}]}'


def test_the_job_gets_the_record_as_it_is_when_it_runs(adapter):
    ann = Member.objects.create(name="Ann")
    take.perform_later(ann)
    Member.objects.update(name="Anna")

    (found,) = execution_of(adapter).result
    assert (found, found.name, ann.name) == (ann, "Anna", "Ann")


def test_it_is_found_again(travelled):
    ann = Member.objects.create(name="Ann")

    first, (second,) = travelled(ann, [ann]).result

    assert (first, second, type(first)) == (ann, ann, Member)


def test_what_the_managers_of_the_model_hide_is_found(travelled):
    hidden = Member.objects.create(name="hidden")

    assert travelled(hidden).result == [hidden]


def test_a_record_of_a_derived_model_is_found_as_one(travelled):
    (found,) = travelled(Guest.objects.create(name="Gus")).result

    assert (type(found), found.name) == (Guest, "Gus")


def test_a_record_of_another_database_is_found_there(travelled):
    Member.objects.create(id=1, name="Ann")
    other = Member.objects.using("other").create(id=1, name="Olga")

    (found,) = travelled(other).result

    assert (found.name, found._state.db) == ("Olga", "other")


@pytest.mark.skipif(django.VERSION < (5, 2), reason="a key has one field before Django 5.2")
@pytest.mark.parametrize("using", ["default", "other"])
def test_a_key_may_have_several_fields(travelled, using):
    badge = Badge.objects.using(using).create(member_id=1, number=7)

    (found,) = travelled(badge).result

    assert (found, found.pk, found._state.db) == (badge, (1, 7), using)


def test_a_key_may_be_any_value_that_a_payload_carries(travelled):
    ticket = Ticket.objects.create()

    assert travelled(ticket).result == [ticket]


def test_a_record_that_is_gone(travelled, adapter):
    ann = Member.objects.create(id=1)
    copy = Member.objects.get(id=1)
    ann.delete()

    error = travelled(copy).error

    assert type(error) is RecordNotFoundError
    assert str(error).startswith("The Member 1 does not exist any more: ")


def test_a_record_that_cannot_be_looked_up(travelled):
    ann = Member.objects.create(id=1)
    with connections["default"].schema_editor() as editor:
        editor.delete_model(Guest)
        editor.delete_model(Member)

    error = travelled(ann).error

    assert type(error) is RecordUnavailableError
    assert str(error) == (
        "The Member 1 could not be looked up, and may exist: try such jobs again with "
        "@retry_on(RecordUnavailableError). The error was OperationalError: no such table: members_member"
    )
    assert type(error.__cause__).__name__ == "OperationalError"


@pytest.mark.parametrize("record", [Member(name="Eve"), Ticket(), Badge(member_id=1)], ids=type)
def test_a_record_without_a_row_is_refused(adapter, record):
    with pytest.raises(SerializationError, match="without an id: save it before you enqueue a job"):
        take.perform_later(record)


def test_a_model_of_a_migration_is_no_record(adapter):
    state = ProjectState()
    state.add_model(ModelState.from_model(Ticket))
    ticket = state.apps.get_model("members", "Ticket")()
    ticket._state.adding = False

    with pytest.raises(SerializationError, match="is of type Ticket, which a payload cannot carry"):
        take.perform_later(ticket)


@pytest.mark.parametrize("twin", ["rename_later", "arename_later"])
def test_the_twin_of_a_method_calls_it_on_the_record(adapter, twin):
    ann = Member.objects.create(name="Ann")

    getattr(ann, twin)("Anna")

    assert execution_of(adapter).status == "performed"
    ann.refresh_from_db()
    assert ann.name == "Anna"


def test_a_record_stands_for_itself_in_a_harness(open_harness):
    ann = Member.objects.create(id=1)
    with open_harness() as jobs:
        take.perform_later(ann)

        (found,) = jobs.enqueued[0].args
        assert (found, repr(found), found.find()) == (ann, "<Member 1>", ann)
