"""A harness and the sessions of SQLAlchemy: what waits, what was dropped, and what is performed when."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from sessions import AtOnce, Order, Ship
from sqlalchemy import insert
from sqlalchemy.orm import Session

from pytest_jobs import assert_enqueued, assert_not_enqueued, job
from pytest_jobs.errors import CommitError, EnqueuedInTransactionWarning, UnfinishedJobsError


@job(enqueue_after_commit=False)
def on_purpose(number):
    return number


def test_a_commit_enqueues_it(jobs, session):
    session.add(Order(id=1))
    ship = Ship.perform_later(1)
    assert_not_enqueued(Ship)

    session.commit()

    assert assert_enqueued(Ship, args=[1]).job_id == ship.job_id
    assert jobs.drain() == {"performed": 1}


def test_what_waits_is_listed(jobs, session):
    session.add(Order(id=1))
    Ship.perform_later(1)

    [waiting] = jobs.waiting_for_commit
    assert (waiting.text, waiting.using, waiting.owner) == (
        "Ship.perform_later(1)",
        "shop.db",
        Ship,
    )
    assert "test_sqlalchemy_commits_in_a_harness.py:" in waiting.registered_at
    assert waiting.commits_itself
    session.commit()
    assert jobs.waiting_for_commit == []


def test_what_was_dropped_is_listed(jobs, session):
    session.add(Order(id=1))
    Ship.perform_later(1)
    session.rollback()

    [dropped] = jobs.dropped_by_rollback
    assert (dropped.text, dropped.dropped) == ("Ship.perform_later(1)", "by a rollback")


def test_an_assertion_that_fails_says_that_it_waits(jobs, session):
    session.add(Order(id=1))
    Ship.perform_later(1)

    with pytest.raises(
        AssertionError, match=r"1 job waits for commit: .* The commit enqueues it\."
    ):
        assert_enqueued(Ship)


def test_an_assertion_that_fails_says_that_it_was_dropped(jobs, session):
    session.add(Order(id=1))
    Ship.perform_later(1)
    session.rollback()

    with pytest.raises(AssertionError, match="1 callback was dropped by a rollback: Ship"):
        assert_enqueued(Ship)


def test_the_verb_has_nothing_to_do_for_a_session(jobs, session):
    assert jobs.commit() == ()

    session.add(Order(id=1))
    Ship.perform_later(1)
    session.commit()

    assert jobs.commit() == ()
    assert len(jobs.enqueued) == 1


def test_the_verb_refuses_to_commit_for_the_application(jobs, session):
    session.add(Order(id=1))

    with pytest.raises(CommitError, match="does not commit the transaction of a session"):
        jobs.commit()


def test_a_job_commits_by_itself(jobs, engine):
    @job
    def book(number):
        with Session(engine) as session:
            session.add(Order(id=number))
            Ship.perform_later(number)
            session.commit()

    book.perform_later(1)

    assert jobs.drain() == {"performed": 2}


def test_a_job_that_fails_enqueues_nothing(jobs, engine):
    @job
    def book(number):
        with Session(engine) as session, session.begin():
            Ship.perform_later(number)
            raise ZeroDivisionError

    book.perform_later(1)
    with pytest.raises(ZeroDivisionError):
        jobs.drain()

    assert len(jobs.enqueued) == 1
    assert len(jobs.dropped_by_rollback) == 1


def test_a_session_that_outlives_the_harness_enqueues_nothing_elsewhere(
    open_harness, adapter, session
):
    with open_harness():
        session.add(Order(id=1))
        Ship.perform_later(1)

    session.commit()

    assert adapter.enqueued == []


# Inline


def test_inline_it_is_performed_after_the_commit(open_harness, session):
    with open_harness(mode="inline") as jobs:
        session.add(Order(id=1))
        Ship.perform_later(1)
        assert jobs.performed == []
        session.commit()

        assert [delivery.result for delivery in jobs.performed] == [1]


def test_inline_a_job_can_use_the_session_of_the_commit(open_harness, session):
    @job(enqueue_after_commit=True)
    def pay(number):
        session.get_one(Order, number).state = "paid"
        session.commit()

    with open_harness(mode="inline") as jobs:
        session.add(Order(id=1))
        pay.perform_later(1)
        session.commit()

        assert len(jobs.performed) == 1
        assert session.get_one(Order, 1).state == "paid"


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_inline_a_job_that_does_not_wait_is_performed_when_the_transaction_has_ended(
    open_harness, session, end
):
    with open_harness(mode="inline") as jobs:
        session.add(Order(id=1))
        on_purpose.perform_later(1)
        with session.begin_nested() as savepoint:
            on_purpose.perform_later(2)
            savepoint.rollback()
        assert jobs.performed == []
        getattr(session, end)()

        assert [delivery.result for delivery in jobs.performed] == [1, 2]


def test_inline_the_end_of_each_threads_transaction_is_told(open_harness, engine, session):
    def enqueue():
        with Session(engine) as own, own.begin():
            own.add(Order(id=2))
            on_purpose.perform_later(2)

    with open_harness(mode="inline") as jobs, ThreadPoolExecutor() as pool:
        session.add(Order(id=1))
        on_purpose.perform_later(1)
        pool.submit(enqueue).result()
        assert [delivery.result for delivery in jobs.performed] == [2]
        session.commit()

        assert [delivery.result for delivery in jobs.performed] == [2, 1]


@pytest.mark.parametrize("commits", [True, False], ids=["a commit", "no transaction"])
def test_inline_what_another_task_does_ends_no_transaction(open_harness, make_engine, commits):
    async def waits(begun, over):
        with Session(make_engine("shop.db")) as own, own.begin():
            own.add(Order(id=1))
            on_purpose.perform_later(1)
            begun.set()
            await over.wait()

    async def does_not():
        if commits:
            with Session(make_engine("stock.db")) as own, own.begin():
                own.add(Order(id=2))
                on_purpose.perform_later(2)
        else:
            on_purpose.perform_later(2)

    async def main(jobs):
        begun, over = asyncio.Event(), asyncio.Event()
        first = asyncio.create_task(waits(begun, over))
        await begun.wait()
        await asyncio.create_task(does_not())
        assert [delivery.result for delivery in jobs.performed] == [2]
        over.set()
        await first

    with open_harness(mode="inline") as jobs:
        asyncio.run(main(jobs))

        assert [delivery.result for delivery in jobs.performed] == [2, 1]


def test_inline_of_two_transactions_the_last_to_end_is_the_end(open_harness, make_engine, session):
    with Session(make_engine("stock.db")) as other, open_harness(mode="inline") as jobs:
        session.add(Order(id=1))
        other.add(Order(id=1))
        on_purpose.perform_later(1)
        other.commit()
        assert jobs.performed == []
        session.commit()

        assert [delivery.result for delivery in jobs.performed] == [1]


def test_inline_the_rollback_of_a_savepoint_is_not_its_end(open_harness, session):
    with open_harness(mode="inline") as jobs:
        session.add(Order(id=1))
        savepoint = session.begin_nested()
        on_purpose.perform_later(1)
        savepoint.rollback()
        assert jobs.performed == []
        session.commit()

        assert [delivery.result for delivery in jobs.performed] == [1]


def test_inline_a_session_that_has_only_read_keeps_nothing_back(open_harness, session):
    with open_harness(mode="inline") as jobs:
        session.get(Order, 1)
        AtOnce.perform_later(1)

        assert len(jobs.performed) == 1


def test_inline_a_session_that_outlasts_it_is_an_error(open_harness, session):
    session.add(Order(id=1))
    with (
        pytest.raises(UnfinishedJobsError, match=r"on_purpose\(1\): enqueued inline"),
        open_harness(mode="inline"),
    ):
        on_purpose.perform_later(1)


def test_two_harnesses_the_inner_one_lists_it(open_harness, session):
    with open_harness() as outer:
        with open_harness() as inner:
            session.add(Order(id=1))
            Ship.perform_later(1)
            assert len(inner.waiting_for_commit) == 1
            session.commit()

        assert outer.waiting_for_commit == []
        assert outer.enqueued == []


# Enqueued too early


def test_a_job_that_does_not_wait_is_warned_of_when_the_session_has_changes(jobs, session):
    session.add(Order(id=1))
    with pytest.warns(
        EnqueuedInTransactionWarning,
        match=r"AtOnce\(1\) was enqueued inside the transaction of a session of 'shop\.db', at .*:\d+: ",
    ):
        AtOnce.perform_later(1)


def test_a_session_that_has_only_read_is_no_reason_to_warn(jobs, session):
    session.get(Order, 1)
    AtOnce.perform_later(1)

    assert len(jobs.enqueued) == 1


def test_nor_is_one_that_was_begun_by_hand(jobs, session):
    with session.begin():
        AtOnce.perform_later(1)

    assert len(jobs.enqueued) == 1


def begin_by_hand(session):
    session.begin()


def begin_by_reading(session):
    session.get(Order, 1)


@pytest.mark.parametrize("begin", [begin_by_hand, begin_by_reading])
def test_a_job_that_does_not_wait_and_came_before_the_changes_is_warned_of(jobs, session, begin):
    begin(session)
    AtOnce.perform_later(1)
    on_purpose.perform_later(2)

    session.add(Order(id=1))
    with pytest.warns(EnqueuedInTransactionWarning) as found:
        session.commit()

    [warning] = found
    assert str(warning.message) == (
        f"AtOnce(1) was enqueued at {jobs_line(warning)}, inside the transaction of a session of 'shop.db', which "
        "has written since: a worker may perform it before the commit, or although that never comes. Enqueue it "
        "after the transaction, or declare AtOnce with `enqueue_after_commit = True` in its class and enqueue it "
        "after the changes, or say False there if that is on purpose."
    )


def test_a_job_that_was_to_wait_and_came_before_the_changes_is_warned_of(jobs, session):
    session.add(Order(id=1))
    session.commit()
    order = session.get_one(Order, 1)
    Ship.perform_later(1)
    assert len(jobs.enqueued) == 1

    order.state = "shipped"
    with pytest.warns(EnqueuedInTransactionWarning) as found:
        session.commit()

    [warning] = found
    assert str(warning.message) == (
        f"Ship(1) was enqueued at {jobs_line(warning)}, when the transaction of a session of 'shop.db' had only "
        "read, and the same transaction has written since: a worker may perform it before the commit. Enqueue it "
        "after the changes, or begin the transaction with `with session.begin():`."
    )


def test_once_for_each_line(jobs, session):
    session.get(Order, 1)
    for number in range(3):
        Ship.perform_later(number)
    with pytest.warns(EnqueuedInTransactionWarning) as found:
        session.execute(insert(Order).values(id=1))

    assert len(found) == 1


def test_not_where_the_transaction_ended_before_the_changes(jobs, session):
    session.get(Order, 1)
    Ship.perform_later(1)
    session.commit()
    session.add(Order(id=1))
    session.commit()

    assert len(jobs.enqueued) == 1


def test_not_where_it_waited_and_the_session_goes_on_to_the_next_changes(jobs, session):
    for number in (1, 2):
        with session.begin():
            session.add(Order(id=number))
            Ship.perform_later(number)

    assert len(jobs.enqueued) == 2


def jobs_line(warning):
    return f"tests/integrations/sqlalchemy_integration/{__name__}.py:{warning.lineno}"
