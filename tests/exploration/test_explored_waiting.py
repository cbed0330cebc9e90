"""A delivery that waits for one that is suspended."""

from __future__ import annotations

import asyncio
import sqlite3

import explored_jobs
import pytest
from explored_worlds import Gateway, shop

from pytest_jobs import check_idempotent, fake
from pytest_jobs.errors import DuplicateEffect, ExplorationError, PartialExploration
from pytest_jobs.exploration.engine.ending import signs


@pytest.fixture
def soon(monkeypatch):
    """Take a delivery for one that waits sooner than in earnest: here it is one that does."""
    monkeypatch.setattr(signs, "PATIENCE", 0.4)


def gateway():
    explored_jobs.till = explored_jobs.Till()
    with fake(explored_jobs, "gateway", Gateway(), reads={"charged"}) as made:
        yield lambda: {"charges": made.calls}


def keyed():
    with fake(explored_jobs, "gateway", Gateway(), key="key") as made:
        yield lambda: {"charges": made.calls}


def test_a_lock_in_memory_excludes_no_delivery_in_another_process():
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE gateway.charge \[overlap"):
        check_idempotent(
            explored_jobs.charge_at_the_till, args=(1,), world=gateway, histories=["overlap"]
        )


def test_a_lock_that_nothing_finds_makes_a_history_inconclusive_and_never_a_pass(soon):
    with pytest.raises(ExplorationError) as raised:
        check_idempotent(
            explored_jobs.charge_under_a_lock_in_a_list,
            args=(1,),
            world=gateway,
            histories=["overlap"],
        )

    assert "explored_jobs.py" in str(raised.value)
    assert "with locks[0]:" in str(raised.value)
    assert "same_process=True" in str(raised.value)


def test_a_lock_that_an_object_holds_is_waited_for_in_the_same_process(soon):
    check_idempotent(
        explored_jobs.charge_at_the_till,
        args=(1,),
        world=gateway,
        histories=["overlap"],
        same_process=True,
    )


def test_what_is_inconclusive_is_told_where_a_part_is_enough(soon):
    with pytest.warns(PartialExploration, match="one delivery waited for another at explored_jobs"):
        explored = check_idempotent(
            explored_jobs.charge_under_a_lock_in_a_list,
            args=(1,),
            world=gateway,
            histories=["overlap"],
            allow_partial=True,
        )

    assert str(explored).count("show nothing") == 1


def test_a_held_database_lock_lets_the_first_delivery_end_and_is_no_error_of_the_job():
    def charge_under_a_database_lock(number):
        db = explored_jobs.connect()
        db.isolation_level = None
        try:
            db.execute("begin immediate")
        except sqlite3.OperationalError:
            explored_jobs.gateway.charge("the lock was not to be had")
            return
        explored_jobs.look_up_then_charge(number)
        db.execute("update payments set status = 'done' where id = ?", (number,))
        db.execute("commit")

    check_idempotent(charge_under_a_database_lock, args=(1,), world=shop, histories="all")


def test_two_deliveries_on_one_connection_are_refused():
    from pytest_jobs import effects

    def world():
        connection = sqlite3.connect(":memory:", check_same_thread=False)
        connection.execute("create table payments (id, status)")

        def connect():
            effects.note_connection(lambda: None, shared=connection)
            return connection

        connection.execute("insert into payments values (1, 'open')")
        before, explored_jobs.connect = explored_jobs.connect, connect
        try:
            yield lambda: {"payments": connection.execute("select * from payments").fetchall()}
        finally:
            explored_jobs.connect = before
            connection.close()

    with pytest.raises(ExplorationError, match=r"Two deliveries would use one connection"):
        check_idempotent(explored_jobs.overwrite, args=(1,), world=world, histories=["overlap"])


def test_a_thread_local_value_is_new_in_another_delivery():
    with pytest.raises(DuplicateEffect, match=r"\[restart"):
        check_idempotent(
            explored_jobs.charge_once_a_thread, args=(1,), world=gateway, histories=["restart"]
        )


class Desk:
    lock = asyncio.Lock()


async def charge_at_the_desk(number):
    async with Desk.lock:
        await asyncio.sleep(1)
        explored_jobs.gateway.charge(number, key=number)


def test_a_lock_of_asyncio_belongs_to_the_loop_of_one_process():
    check_idempotent(charge_at_the_desk, args=(1,), world=keyed)
