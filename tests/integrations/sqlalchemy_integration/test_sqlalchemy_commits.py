"""Jobs that wait for the commit of a session of SQLAlchemy."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading

import pytest
from sessions import Order, Ship, numbers
from sqlalchemy import event, insert, select, text, update
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from pytest_jobs import TestAdapter, configure, perform_all_later
from pytest_jobs.errors import RolledBackError, SerializationError


def test_a_job_waits_for_the_commit(adapter, session):
    session.add(Order(id=1))
    ship = Ship.perform_later(1)
    assert (ship.enqueued, numbers(adapter)) == (True, [])

    session.commit()

    assert numbers(adapter) == [1]


def test_a_rollback_drops_it(adapter, session):
    session.add(Order(id=1))
    ship = Ship.perform_later(1)

    session.rollback()

    assert numbers(adapter) == []
    assert not ship.enqueued
    assert str(ship.enqueue_error) == (
        f"{ship!r} was to be enqueued after the commit of the transaction of a session of 'shop.db', and was "
        "dropped by a rollback."
    )


def test_a_session_that_is_closed_without_a_commit_has_rolled_back(adapter, engine):
    with Session(engine) as session:
        session.add(Order(id=1))
        ship = Ship.perform_later(1)

    assert isinstance(ship.enqueue_error, RolledBackError)
    assert numbers(adapter) == []


def test_a_commit_that_fails_has_rolled_back(adapter, session):
    session.add(Order(id=1))
    session.commit()
    session.expunge_all()
    session.add(Order(id=1))
    ship = Ship.perform_later(1)

    with pytest.raises(Exception, match="UNIQUE"):
        session.commit()
    session.rollback()

    assert isinstance(ship.enqueue_error, RolledBackError)
    assert numbers(adapter) == []


def test_a_session_that_was_thrown_away_has_rolled_back(adapter, engine):
    session = Session(engine)
    session.add(Order(id=1))
    ship = Ship.perform_later(1)

    del session
    gc.collect()

    assert str(ship.enqueue_error).endswith(
        "was dropped since its session was thrown away before it committed."
    )


def test_where_no_session_has_begun_a_job_is_enqueued_at_once(adapter, session):
    Ship.perform_later(1)

    assert numbers(adapter) == [1]


def test_after_the_commit_a_job_is_enqueued_at_once(adapter, session):
    session.add(Order(id=1))
    session.commit()
    Ship.perform_later(1)

    assert numbers(adapter) == [1]


def test_a_record_travels_once_it_is_flushed(adapter, session):
    order = Order()
    session.add(order)
    with pytest.raises(SerializationError, match="save it before you enqueue a job with it"):
        Ship.perform_later(order)

    session.flush()
    Ship.perform_later(order)
    session.commit()

    assert len(adapter.enqueued) == 1


# What makes a transaction one to wait for


def test_a_session_that_has_only_read_is_none_to_wait_for(adapter, session):
    session.scalars(select(Order)).all()
    Ship.perform_later(1)

    assert numbers(adapter) == [1]


def test_one_that_was_begun_by_hand_is(adapter, session):
    with session.begin():
        session.scalars(select(Order)).all()
        Ship.perform_later(1)
        assert numbers(adapter) == []

    assert numbers(adapter) == [1]


def change(session):
    session.get_one(Order, 1).state = "paid"


def delete(session):
    session.delete(session.get_one(Order, 1))


def flush(session):
    session.add(Order(id=2))
    session.flush()


def insert_rows(session):
    session.execute(insert(Order).values(id=2))


def update_rows(session):
    session.execute(update(Order).values(state="paid"))


def insert_in_bulk(session):
    session.bulk_insert_mappings(Order, [{"id": 2}])


def save_in_bulk(session):
    session.bulk_save_objects([Order(id=2)])


@pytest.mark.parametrize(
    "write", [change, delete, flush, insert_rows, update_rows, insert_in_bulk, save_in_bulk]
)
def test_one_that_writes_is(adapter, session, write):
    session.add(Order(id=1))
    session.commit()

    write(session)
    Ship.perform_later(1)
    assert numbers(adapter) == []
    session.commit()
    assert numbers(adapter) == [1]


def test_a_job_that_is_enqueued_while_the_session_flushes_waits(adapter, session):
    @event.listens_for(session, "after_flush")
    def enqueue(session, context):
        Ship.perform_later(1)

    session.add(Order(id=1))
    session.flush()
    assert numbers(adapter) == []
    session.commit()
    assert numbers(adapter) == [1]


# Savepoints


def test_a_savepoint_that_is_rolled_back_drops_its_own_jobs(adapter, session):
    session.add(Order(id=1))
    Ship.perform_later(1)
    savepoint = session.begin_nested()
    dropped = Ship.perform_later(2)
    savepoint.rollback()
    assert isinstance(dropped.enqueue_error, RolledBackError)

    session.commit()

    assert numbers(adapter) == [1]


def test_a_savepoint_that_is_released_waits_for_the_commit(adapter, session):
    with session.begin_nested():
        with session.begin_nested():
            session.add(Order(id=1))
            Ship.perform_later(1)
        Ship.perform_later(2)
    Ship.perform_later(3)
    assert numbers(adapter) == []

    session.commit()

    assert numbers(adapter) == [1, 2, 3]


def test_a_savepoint_counts_though_nothing_was_changed(adapter, session):
    session.scalars(select(Order)).all()
    with session.begin_nested():
        Ship.perform_later(1)
    assert numbers(adapter) == []
    session.commit()
    assert numbers(adapter) == [1]


def test_a_savepoint_while_the_session_flushes(adapter, session):
    @event.listens_for(session, "after_flush")
    def enqueue(session, context):
        with session.begin_nested():
            Ship.perform_later(1)

    session.add(Order(id=1))
    session.commit()

    assert numbers(adapter) == [1]


def test_a_savepoint_inside_one_that_is_rolled_back_is_dropped_too(adapter, session):
    outer = session.begin_nested()
    with session.begin_nested():
        ship = Ship.perform_later(1)
    assert ship.enqueued
    outer.rollback()
    session.commit()

    assert isinstance(ship.enqueue_error, RolledBackError)
    assert numbers(adapter) == []


def test_a_commit_with_an_open_savepoint_commits_it(adapter, session):
    session.begin_nested()
    session.add(Order(id=1))
    Ship.perform_later(1)

    session.commit()

    assert numbers(adapter) == [1]


# Several sessions


def test_both_of_two_sessions_have_to_commit(adapter, engine, make_engine):
    with Session(engine) as session, Session(make_engine("other.db")) as other:
        session.add(Order(id=1))
        other.add(Order(id=1))
        Ship.perform_later(1)

        session.commit()
        assert numbers(adapter) == []
        other.commit()
        assert numbers(adapter) == [1]


def test_a_rollback_of_one_of_two_drops_it(adapter, engine, make_engine):
    with Session(engine) as session, Session(make_engine("other.db")) as other:
        session.add(Order(id=1))
        other.add(Order(id=1))
        ship = Ship.perform_later(1)

        other.rollback()
        session.commit()

    assert "'other.db'" in str(ship.enqueue_error)
    assert numbers(adapter) == []


def test_the_session_of_another_thread_is_none_to_wait_for(adapter, engine):
    begun, done = threading.Event(), threading.Event()

    def write():
        with Session(engine) as session:
            session.add(Order(id=1))
            begun.set()
            done.wait(10)

    thread = threading.Thread(target=write)
    thread.start()
    begun.wait(10)
    Ship.perform_later(1)
    done.set()
    thread.join()

    assert numbers(adapter) == [1]


def test_a_session_belongs_to_whoever_writes_with_it(adapter, session):
    """As in a framework that calls one function after the other in threads, with one session."""

    def read():
        session.scalars(select(Order)).all()

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()

    session.add(Order(id=1))
    Ship.perform_later(1)
    assert numbers(adapter) == []
    session.commit()
    assert numbers(adapter) == [1]


def test_the_sessions_of_a_scope(adapter, engine):
    session = scoped_session(sessionmaker(engine))
    session.add(Order(id=1))
    Ship.perform_later(1)
    session.remove()
    session.add(Order(id=2))
    Ship.perform_later(2)
    session.commit()
    session.remove()

    assert numbers(adapter) == [2]


def test_a_session_inside_the_transaction_of_a_test(adapter, engine):
    """What a test case rolls back at its end is not a transaction of the application."""
    with engine.connect() as connection:
        transaction = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            session.add(Order(id=1))
            Ship.perform_later(1)
            assert numbers(adapter) == []
            session.commit()
            assert numbers(adapter) == [1]

            session.add(Order(id=2))
            Ship.perform_later(2)
            session.rollback()
        transaction.rollback()

    assert numbers(adapter) == [1]


# Awaited


def test_an_awaited_session(adapter, tmp_path):
    pytest.importorskip("aiosqlite")
    from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

    async def use():
        engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'async.db'}")
        async with engine.begin() as connection:
            await connection.run_sync(Order.metadata.create_all)
        async with AsyncSession(engine) as session:
            session.add(Order(id=1))
            await session.flush()
            Ship.perform_later(1)
            await asyncio.gather(enqueue(2), enqueue(3))
            assert numbers(adapter) == []
            await session.commit()
            assert numbers(adapter) == [1, 2, 3]

            session.add(Order(id=2))
            ship = Ship.perform_later(4)
            await session.rollback()
            assert not ship.enqueued

            async with session.begin():
                Ship.perform_later(5)
                assert numbers(adapter) == [1, 2, 3]
        await engine.dispose()

    async def enqueue(number):
        Ship.perform_later(number)

    asyncio.run(use())

    assert numbers(adapter) == [1, 2, 3, 5]


def test_tasks_with_a_session_each(adapter, tmp_path):
    pytest.importorskip("aiosqlite")
    from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

    async def use():
        engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'async.db'}")
        async with engine.begin() as connection:
            await connection.run_sync(Order.metadata.create_all)
        both = asyncio.Barrier(2)

        async def write(number, commits):
            async with AsyncSession(engine) as session:
                session.add(Order(id=number))
                Ship.perform_later(number)
                await both.wait()
                await (session.commit() if commits else session.rollback())

        await asyncio.gather(write(1, commits=True), write(2, commits=False))
        await engine.dispose()

    asyncio.run(use())

    assert numbers(adapter) == [1]


# Errors of the adapter


class Unreachable(TestAdapter):
    def __init__(self, *down):
        super().__init__()
        self.down = down

    def enqueue(self, payload):
        if any(f"[[{number}]" in payload.arguments for number in self.down):
            raise ConnectionError(f"no queue for {payload.arguments}")
        super().enqueue(payload)


def test_an_error_of_the_adapter_is_raised_by_the_commit_after_all_had_their_turn(session):
    adapter = Unreachable(1, 3)
    with configure(adapter=adapter):
        session.add(Order(id=1))
        perform_all_later([Ship.new(number) for number in (1, 2, 3)])
        with pytest.raises(ConnectionError, match=r"no queue for \[\[1\]") as raised:
            session.commit()

    assert numbers(adapter) == [2]
    assert raised.value.__notes__[1:] == [
        "Another job was not enqueued: ConnectionError: no queue for [[3],{}]"
    ]


def test_the_session_has_committed_then_and_can_be_used(session):
    with configure(adapter=Unreachable(1)):
        session.add(Order(id=1))
        Ship.perform_later(1)
        with pytest.raises(ConnectionError):
            session.commit()

        assert session.scalars(select(Order.id)).all() == [1]
        session.rollback()


def test_an_adapter_may_use_the_session_after_the_commit(session):
    class Outbox(TestAdapter):
        def enqueue(self, payload):
            session.execute(text("select 1"))
            session.add(Order(id=99))
            session.commit()
            super().enqueue(payload)

    adapter = Outbox()
    with configure(adapter=adapter):
        session.add(Order(id=1))
        Ship.perform_later(1)
        session.commit()

    assert numbers(adapter) == [1]
    assert session.scalars(select(Order.id)).all() == [1, 99]


# Listening


LATE = """
from pytest_jobs import Job, TestAdapter, configure

class Ship(Job):
    enqueue_after_commit = True
    def perform(self): pass

{between}
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

configure(adapter=TestAdapter())
with Session(create_engine("sqlite://")) as session:
    session.begin()
    session.execute(text("select 1"))
    Ship.perform_later()
"""


def run(code):
    # The engine ends with the program, and from Python 3.13 on its connections complain of that.
    options = ("-W", "error", "-W", "ignore:unclosed database:ResourceWarning")
    return subprocess.run(
        [sys.executable, *options, "-c", code], capture_output=True, text=True, check=False
    )


def test_a_session_that_began_before_anything_listened_is_an_error():
    result = run(LATE.format(between=""))

    assert result.stderr.splitlines()[-1] == (
        "pytest_jobs.errors.CommitError: A session of SQLAlchemy had begun its transaction before pytest-jobs "
        "listened to sessions, so nothing knows whether this job has to wait for its commit. It listens from the "
        "first job class on that is enqueued after the commit: import sqlalchemy.orm before that class is defined."
    )


def test_it_listens_where_sqlalchemy_is_imported_before_the_class():
    result = run("import sqlalchemy.orm\n" + LATE.format(between=""))

    assert result.stderr == ""


def test_a_job_that_is_enqueued_before_any_session_begins_makes_it_listen():
    between = """
import sqlalchemy.orm
with configure(adapter=TestAdapter()): Ship.perform_later()
"""
    result = run(LATE.format(between=between))

    assert result.stderr == ""


def test_a_program_whose_jobs_do_not_wait_listens_to_nothing():
    code = """
import sys, sqlalchemy.orm
from pytest_jobs import Job, TestAdapter, configure
class Ship(Job):
    def perform(self): pass
configure(adapter=TestAdapter())
Ship.perform_later()
print([name for name in sys.modules if "commits" in name])
"""
    result = run(code)

    assert (result.stdout, result.stderr) == ("[]\n", "")
