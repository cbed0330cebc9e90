"""Models of SQLAlchemy travel by their primary key, and are found again in a session of the job."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from members import Badge, Guest, Member, Seat, Ticket
from sessions import Order
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import (
    async_scoped_session,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import Session, object_session, scoped_session, sessionmaker

from pytest_jobs import Payload, TestAdapter, configure, discard_on, job, rescue_from, retry_on
from pytest_jobs.core.execution import perform
from pytest_jobs.core.job import Job
from pytest_jobs.errors import (
    DeclarationError,
    NoSessionError,
    RecordNotFoundError,
    RecordUnavailableError,
    SerializationError,
)


@job
def take(*values, **named):
    return [*values, *named.values()]


@job
async def atake(*values):
    return list(values)


@job
def name_of(member: Member) -> str:
    return member.name


@pytest.fixture
def make_session(engine):
    return sessionmaker(engine)


@pytest.fixture
def adapter(make_session):
    adapter = TestAdapter()
    with configure(adapter=adapter, session=make_session):
        yield adapter


@pytest.fixture
def ann(session):
    ann = Member(id=1, name="Ann")
    session.add(ann)
    session.commit()
    return ann


def stored_name(make_session, id=1):
    with make_session() as session:
        return session.get(Member, id).name


def performed(adapter):
    (execution,) = adapter.perform_due()
    if execution.error is not None:
        raise execution.error
    return execution.result


# How a record travels


def test_a_record_travels_by_its_primary_key(adapter, ann):
    take.perform_later(ann)

    (payload,) = adapter.pending
    assert payload.arguments == '{"tagged":[[{"~":"record","v":1,"t":"members.Member"}],{}]}'


def test_a_record_that_is_expired_and_detached_travels_without_a_query(adapter, session, ann):
    session.expire(ann)
    session.expunge(ann)

    assert name_of.perform_later(ann).enqueued


def test_the_job_gets_the_record_as_it_is_when_it_runs(adapter, session, ann):
    name_of.perform_later(ann)
    ann.name = "Anna"
    session.commit()

    assert performed(adapter) == "Anna"


def test_a_key_may_have_several_fields(adapter, session, ann):
    session.add(Badge(member_id=1, number=7))
    session.commit()
    take.perform_later(session.get(Badge, (1, 7)))

    (badge,) = performed(adapter)
    assert (type(badge), badge.member_id, badge.number) == (Badge, 1, 7)


def test_a_key_may_be_any_value_that_a_payload_carries(adapter, session):
    ticket = Ticket()
    session.add(ticket)
    session.commit()
    take.perform_later([ticket], ticket=ticket)

    (first,), second = performed(adapter)
    assert first is second
    assert first.id == ticket.id


def test_a_class_may_be_mapped_from_outside(adapter, session):
    session.add(Seat())
    session.commit()
    take.perform_later(session.scalars(select(Seat)).one())

    (seat,) = performed(adapter)
    assert type(seat) is Seat


def test_a_record_of_a_derived_class_is_found_as_one(adapter, session):
    session.add(Guest(id=2, name="Gus"))
    session.commit()
    take.perform_later(session.get(Member, 2))

    (guest,) = performed(adapter)
    assert (type(guest), guest.name) == (Guest, "Gus")


def test_a_record_without_a_row_is_refused(adapter, session):
    session.add(new := Member(name="Eve"))

    with pytest.raises(SerializationError) as raised:
        take.perform_later(new)

    assert str(raised.value) == (
        "args[0] is a Member without an id: save it before you enqueue a job with it."
    )


def test_a_declared_reference_holds_for_a_model(adapter, session):
    session.add(order := Order(id=5))
    session.commit()
    take.perform_later(order)

    assert performed(adapter) == ["5"]


def test_a_payload_finds_a_model_by_its_name_alone(adapter, ann):
    assert Payload.from_dict(
        {**name_of.perform_later(ann).payload.to_dict(), "job": f"{__name__}.name_of"}
    )
    fresh = type(adapter)()
    with configure(adapter=fresh, session=lambda: Session(object_session(ann).bind)):
        assert perform(adapter.pending[0]).result == "Ann"


# What the job does to it


def test_what_the_job_does_is_committed(adapter, make_session, ann):
    ann.rename_later("Anna")

    performed(adapter)

    assert stored_name(make_session) == "Anna"


def test_what_a_job_did_that_failed_is_rolled_back(adapter, make_session, ann):
    ann.rename_later("refused")

    with pytest.raises(ValueError, match="no such name"):
        performed(adapter)

    assert stored_name(make_session) == "Ann"


def test_a_commit_that_fails_is_an_error_of_the_job(adapter, session, ann):
    @retry_on(Exception, wait=0, attempts=2)
    class Number(Job):
        def perform(self, member):
            object_session(member).add(Badge(member_id=1, number=7))

    session.add(Badge(member_id=1, number=7))
    session.commit()
    Number.perform_later(ann)
    execution = adapter.perform(adapter.pending[0])

    assert execution.status == "retried"
    assert "UNIQUE" in str(execution.error)


@pytest.mark.parametrize("rule", ["discard", "rescue"])
def test_what_a_rule_does_to_the_record_is_committed(adapter, make_session, ann, rule):
    def mark(job, error):
        job.args[0].name = "dropped"

    @discard_on(ValueError, then=mark)
    class Discarded(Job):
        def perform(self, member):
            member.rename("refused")

    class Rescued(Job):
        def perform(self, member):
            member.rename("refused")

        @rescue_from(ValueError)
        def _mark(self, error):
            mark(self, error)

    (Discarded if rule == "discard" else Rescued).perform_later(ann)
    performed_or_not = adapter.perform_due()

    assert performed_or_not[0].handled
    assert stored_name(make_session) == "dropped"


def test_records_of_one_job_share_a_session_and_those_of_two_do_not(adapter, ann):
    sessions = []

    @job
    def look(first, second):
        assert first is second
        sessions.append(object_session(first))

    look.perform_later(ann, ann)
    look.perform_later(ann, ann)
    adapter.perform_due()

    assert len(set(map(id, sessions))) == 2
    assert not any(session.in_transaction() for session in sessions)


def test_a_job_that_has_no_records_opens_no_session(adapter):
    def refuse():
        raise AssertionError("a session was opened")

    with configure(adapter=adapter, session=refuse):
        take.perform_later((1, 2))
        assert performed(adapter) == [(1, 2)]


def test_an_interrupted_job_leaves_no_session_open(adapter, make_session, ann):
    @job
    def interrupted(member):
        member.name = "half"
        object_session(member).flush()
        raise KeyboardInterrupt

    interrupted.perform_later(ann)
    with pytest.raises(KeyboardInterrupt):
        adapter.perform_due()

    assert stored_name(make_session) == "Ann"


# What cannot be found


def test_a_record_that_is_gone(adapter, session, ann):
    name_of.perform_later(ann)
    session.delete(ann)
    session.commit()

    with pytest.raises(RecordNotFoundError, match="The Member 1 does not exist any more"):
        performed(adapter)


def test_a_record_that_cannot_be_looked_up(adapter, session, ann):
    name_of.perform_later(ann)
    session.execute(text("DROP TABLE members"))
    session.commit()

    with pytest.raises(RecordUnavailableError) as raised:
        performed(adapter)

    assert str(raised.value).startswith(
        "The Member 1 could not be looked up, and may exist: try such jobs again with "
        "@retry_on(RecordUnavailableError). The error was OperationalError: (sqlite3.OperationalError) no such "
        "table: members"
    )
    assert type(raised.value.__cause__).__name__ == "OperationalError"


def test_no_session_is_configured(ann):
    adapter = TestAdapter()
    with configure(adapter=adapter):
        name_of.perform_later(ann)
        with pytest.raises(NoSessionError) as raised:
            performed(adapter)

    assert str(raised.value) == (
        "No session is configured, so no model of SQLAlchemy can be looked up for a job.\n\n"
        "Write `pytest_jobs.configure(adapter=..., session=Session)`, with the sessionmaker, the\n"
        "async_sessionmaker or the scoped_session of the application."
    )


@pytest.mark.parametrize("wrong", ["an engine", "a session"])
def test_what_cannot_make_a_session_is_refused(engine, session, wrong):
    given = engine if wrong == "an engine" else session

    with pytest.raises(DeclarationError) as raised:
        configure(adapter=None, session=given)

    assert str(raised.value) == (
        f"configure(session=...) is given {given!r}, which makes no session: write the sessionmaker, "
        "async_sessionmaker or scoped_session of the application, or a function that returns a new session."
    )


def test_what_makes_something_else_fails_the_job(ann):
    adapter = TestAdapter()
    with configure(adapter=adapter, session=dict):
        name_of.perform_later(ann)
        with pytest.raises(DeclarationError) as raised:
            performed(adapter)

    assert str(raised.value) == (
        "configure(session=...) was given <class 'dict'>, which made no session, but {}: write the sessionmaker, "
        "async_sessionmaker or scoped_session of the application, or a function that returns a new session."
    )


def test_a_session_that_cannot_be_closed_is_logged_and_changes_nothing(
    adapter, engine, ann, caplog
):
    class Stubborn(Session):
        def close(self):
            super().close()
            raise OSError("the connection is gone")

    with configure(adapter=adapter, session=sessionmaker(engine, class_=Stubborn)):
        name_of.perform_later(ann)
        with caplog.at_level(logging.WARNING):
            assert performed(adapter) == "Ann"

    assert [record.message for record in caplog.records] == [
        "What held the records of a job could not be closed."
    ]


def test_a_rollback_that_fails_is_told_with_the_error_of_the_job(adapter, engine, ann):
    class Stubborn(Session):
        def rollback(self):
            super().rollback()
            raise OSError("the connection is gone")

    with configure(adapter=adapter, session=sessionmaker(engine, class_=Stubborn)):
        ann.rename_later("refused")
        with pytest.raises(ValueError, match="no such name") as raised:
            performed(adapter)

    assert raised.value.__notes__ == [
        "What the job did to its records could not be rolled back either: OSError: the connection is gone"
    ]


# The session that belongs to a thread


@pytest.fixture
def scoped(engine):
    scoped = scoped_session(sessionmaker(engine))
    yield scoped
    scoped.remove()


def test_the_code_of_the_job_finds_the_session_of_its_records(adapter, scoped, ann):
    @job
    def look(member):
        return scoped() is object_session(member)

    with configure(adapter=adapter, session=scoped):
        look.perform_later(ann)
        assert performed(adapter)

    assert not scoped.registry.has()


def test_the_session_of_the_caller_is_let_alone(adapter, scoped, ann):
    mine = scoped.get(Member, 1)
    ours = scoped()
    with configure(adapter=adapter, session=scoped):
        name_of.perform_later(mine)
        mine.name = "not committed"
        assert performed(adapter) == "Ann"

    assert scoped() is ours
    assert mine in ours.dirty


# Coroutine jobs


@pytest.fixture
def make_async_engine(tmp_path, engine):
    return lambda: create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'shop.db'}")


@pytest.fixture
def in_async_sessions(make_async_engine, adapter):
    """Return what performs the one pending job with asynchronous sessions of some kind."""

    def run(make=async_sessionmaker):
        async def main():
            engine = make_async_engine()
            try:
                with configure(adapter=adapter, session=make(engine)):
                    return await perform(adapter.pending[-1])
            finally:
                await engine.dispose()

        return asyncio.run(main())

    return run


def _scoped_to_the_task(engine):
    return async_scoped_session(async_sessionmaker(engine), asyncio.current_task)


@pytest.mark.parametrize("make", [async_sessionmaker, _scoped_to_the_task])
def test_a_coroutine_job_has_its_records_in_an_asynchronous_session(
    in_async_sessions, make_session, ann, make
):
    ann.arename_later("Anna")

    assert in_async_sessions(make).status == "performed"
    assert stored_name(make_session) == "Anna"


def test_what_a_coroutine_job_did_that_failed_is_rolled_back(in_async_sessions, make_session, ann):
    ann.arename_later("refused")

    execution = in_async_sessions()

    assert (execution.status, str(execution.error)) == ("failed", "no such name")
    assert stored_name(make_session) == "Ann"


def test_a_coroutine_job_of_a_record_that_is_gone(in_async_sessions, session, ann):
    atake.perform_later(ann)
    session.delete(ann)
    session.commit()

    assert type(in_async_sessions().error) is RecordNotFoundError


def test_what_a_rule_of_a_coroutine_job_does_to_the_record_is_committed(
    in_async_sessions, make_session, ann
):
    def mark(job, error):
        job.args[0].name = "dropped"

    @discard_on(ValueError, then=mark)
    class Discarded(Job):
        async def perform(self, member):
            member.rename("refused")

    Discarded.perform_later(ann)

    assert in_async_sessions().status == "discarded"
    assert stored_name(make_session) == "dropped"


def test_a_coroutine_job_may_have_its_records_in_a_synchronous_session(adapter, make_session, ann):
    ann.arename_later("Anna")

    asyncio.run(perform(adapter.pending[0]))

    assert stored_name(make_session) == "Anna"


@pytest.mark.parametrize("make", [async_sessionmaker, _scoped_to_the_task])
def test_a_synchronous_job_cannot_have_its_records_in_an_asynchronous_session(
    adapter, make_async_engine, ann, make
):
    name_of.perform_later(ann)
    with (
        configure(adapter=adapter, session=make(make_async_engine())),
        pytest.raises(DeclarationError) as raised,
    ):
        performed(adapter)

    assert str(raised.value) == (
        "configure(session=...) was given what makes an AsyncSession, and a synchronous job cannot await it: "
        "declare the job `async def perform`, or configure a sessionmaker."
    )


# Under a harness


def test_a_record_stands_for_itself_and_can_be_followed(jobs, make_session, ann):
    name_of.perform_later(ann)

    (found,) = jobs.enqueued[0].args
    assert found == ann
    assert (found.cls, found.id, repr(found)) == (Member, 1, "<Member 1>")
    with configure(adapter=None, session=make_session):
        assert found.find().name == "Ann"


def test_a_job_that_waits_for_the_commit_of_a_job(jobs, make_session, ann):
    @job(enqueue_after_commit=True)
    def congratulate(member): ...

    @job
    def rename(member):
        member.name = "Anna"
        congratulate.perform_later(member)

    with configure(adapter=None, session=make_session):
        rename.perform_later(ann)
        jobs.drain()

    assert len(jobs.performed) == 2
    assert stored_name(make_session) == "Anna"


def test_where_sqlalchemy_has_no_asyncio_synchronous_jobs_have_their_models(engine, ann):
    code = f"""
import sys
sys.modules["greenlet"] = None
from members import Member
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker
from pytest_jobs import TestAdapter, configure

engine = create_engine("{engine.url}")
adapter, make = TestAdapter(), sessionmaker(engine)
configure(adapter=adapter, session=make)
with make() as session:
    session.get(Member, 1).rename_later("Anna")
(execution,) = adapter.perform_due()
if execution.error: raise execution.error
with make() as session:
    print(session.get(Member, 1).name)
engine.dispose()
"""
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )

    assert (result.stdout, result.stderr) == ("Anna\n", "")
