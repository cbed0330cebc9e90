"""A child that waits for the commit of its parent is lost with a worker that dies between the two."""

from __future__ import annotations

import pytest

pytest.importorskip("sqlalchemy")
pytest.importorskip("aiosqlite")

import explored_after_commit as after_commit
from explored_orm_worlds import shop

from pytest_jobs import check_idempotent, open_jobs
from pytest_jobs.errors import LostEffect


def test_it_is_lost_between_the_commit_and_the_enqueue():
    with pytest.raises(LostEffect, match=r"LOST enqueue .*send_receipt.*\[crash"):
        check_idempotent(after_commit.mark_and_enqueue, args=(1,), world=shop)


def test_twice_alone_does_not_find_it():
    check_idempotent(after_commit.mark_and_enqueue, args=(1,), world=shop, histories=["twice"])


def test_where_the_parent_does_the_work_itself_nothing_is_lost():
    check_idempotent(
        after_commit.charge_in_the_same_transaction, args=(1,), world=shop, histories="all"
    )


def test_what_waits_in_deliveries_is_none_of_the_test():
    with open_jobs() as jobs:
        with pytest.raises(LostEffect):
            check_idempotent(after_commit.mark_and_enqueue, args=(1,), world=shop)

        assert jobs.waiting_for_commit == []
        assert jobs.dropped_by_rollback == []
        assert jobs.enqueued == []
