"""A child that waits for the commit of its parent is lost with a worker that dies between the two."""

from __future__ import annotations

import pytest

pytest.importorskip("sqlalchemy")
pytest.importorskip("aiosqlite")

import explored_orm as orm
from explored_orm_worlds import shop

from pytest_jobs import check_idempotent, job, open_jobs
from pytest_jobs.errors import LostEffect


@job(enqueue_after_commit=True)
def send_receipt(number):
    """Be enqueued."""


@job
def mark_and_enqueue(number):
    with orm.Session() as session:
        payment = session.get(orm.Payment, number)
        if payment.status == "done":
            return
        payment.status = "done"
        send_receipt.perform_later(number)
        session.commit()


@job
def charge_in_the_same_transaction(number):
    """Do what the child would do: nothing is left to be lost."""
    with orm.Session() as session:
        payment = session.get(orm.Payment, number)
        if payment.status == "done":
            return
        orm.gateway.charge(number, key=f"payment-{number}")
        payment.status = "done"
        session.commit()


def test_it_is_lost_between_the_commit_and_the_enqueue():
    with pytest.raises(LostEffect, match=r"LOST enqueue .*send_receipt.*\[crash"):
        check_idempotent(mark_and_enqueue, args=(1,), world=shop)
    # To deliver it twice alone does not find that.
    check_idempotent(mark_and_enqueue, args=(1,), world=shop, histories=["twice"])


def test_where_the_parent_does_the_work_itself_nothing_is_lost():
    check_idempotent(charge_in_the_same_transaction, args=(1,), world=shop, histories="all")


def test_what_waits_in_deliveries_is_none_of_the_test():
    with open_jobs() as jobs:
        with pytest.raises(LostEffect):
            check_idempotent(mark_and_enqueue, args=(1,), world=shop)

        assert jobs.waiting_for_commit == []
        assert jobs.dropped_by_rollback == []
        assert jobs.enqueued == []
