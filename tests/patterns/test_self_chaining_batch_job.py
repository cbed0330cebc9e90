"""A job that does one page and enqueues itself for the next."""

import sqlite3
import sys
from contextlib import closing, contextmanager

import pytest

from pytest_jobs import (
    Batch,
    batch_world,
    check_idempotent,
    job,
    retry_on,
    sqlite_world as database,
)
from pytest_jobs.errors import DivergedState

BATCH_SIZE = 2
SCHEMA = """
create table datasets (id integer primary key, total integer, done_until integer);
create table records (id integer primary key, amount integer, status text);
insert into datasets values (1, 0, 0);
insert into records values (1, 10, 'open'), (2, 20, 'open'), (3, 30, 'open'), (4, 40, 'open'), (5, 50, 'open');
"""
HERE = sys.modules[__name__]


def connect():
    return sqlite3.connect("datasets.db")


@job
def finish(dataset_id): ...


# The form of the seed: pages by offset


@job
def process_by_offset(dataset_id, offset=0):
    with closing(connect()) as db:
        page = db.execute(
            "select id, amount from records where status = 'open' order by id limit ? offset ?",
            (BATCH_SIZE, offset),
        ).fetchall()
        if not page:
            return
        for record_id, amount in page:
            db.execute("update datasets set total = total + ?", (amount,))
            db.execute("update records set status = 'done' where id = ?", (record_id,))
        db.commit()
        process_by_offset.perform_later(dataset_id, offset + BATCH_SIZE)


# Pages by the last id


def page_after(db, last_id):
    query = "select id, amount from records where id > ? order by id limit ?"
    return db.execute(query, (last_id, BATCH_SIZE)).fetchall()


def add_once(db, page):
    for record_id, amount in page:
        taken = db.execute(
            "update records set status = 'done' where id = ? and status = 'open'", (record_id,)
        )
        if taken.rowcount:
            db.execute("update datasets set total = total + ?", (amount,))
    db.commit()


@job
def process_without_guard(dataset_id, last_id=0):
    with closing(connect()) as db:
        page = page_after(db, last_id)
        if page:
            add_once(db, page)
            process_without_guard.perform_later(dataset_id, page[-1][0])


@retry_on(sqlite3.Error, wait=1)
@job
def process(dataset_id, last_id=0):
    with closing(connect()) as db:
        page = page_after(db, last_id)
        if page:
            add_once(db, page)
            Batch.current().enqueue([process.new(dataset_id, page[-1][0])])


# The same without a batch: under a lock, and with a mark on the page; each delivery enqueues the next page


def is_done(db, last_id):
    db.execute("begin immediate")
    (done_until,) = db.execute("select done_until from datasets").fetchone()
    return done_until > last_id


def mark_as_done(db, page):
    db.execute("update datasets set done_until = ?", (page[-1][0],))
    db.commit()


def add(db, page):
    db.execute("update datasets set total = total + ?", (sum(amount for _, amount in page),))


@job
def process_and_mark(dataset_id, last_id=0):
    with closing(connect()) as db:
        page = page_after(db, last_id)
        if page:
            if not is_done(db, last_id):
                add(db, page)
                mark_as_done(db, page)
            process_and_mark.perform_later(dataset_id, page[-1][0])


@job
def process_before_the_mark(dataset_id, last_id=0):
    with closing(connect()) as db:
        page = page_after(db, last_id)
        if page and not is_done(db, last_id):
            add(db, page)
            process_before_the_mark.perform_later(dataset_id, page[-1][0])
            mark_as_done(db, page)


@job
def mark_and_process(dataset_id, last_id=0):
    with closing(connect()) as db:
        page = page_after(db, last_id)
        if page and not is_done(db, last_id):
            add(db, page)
            mark_as_done(db, page)
            mark_and_process.perform_later(dataset_id, page[-1][0])


@contextmanager
def datasets():
    with (
        database(SCHEMA, bind=(HERE, "connect")) as rows,
        batch_world(on_success=finish.new(1)) as batch,
    ):
        yield lambda: {
            "datasets": rows("datasets"),
            "records": rows("records"),
            "jobs of the batch": batch.total,
        }


def check(job, **options):
    return check_idempotent(job, args=(1, 2), world=datasets, **options)


@pytest.mark.wide
def test_a_page_that_is_not_guarded_may_enqueue_the_next_one_twice_if_records_are():
    check(process_without_guard)


def test_in_a_batch_the_next_page_is_the_same_job_however_often_it_is_enqueued():
    check(process, histories="all")


def test_without_one_a_page_is_locked_and_marked_and_the_next_is_enqueued_each_time():
    check(process_and_mark)


def test_enqueued_before_the_mark_the_next_page_may_be_done_and_this_one_lost_with_its_worker():
    with pytest.raises(DivergedState, match=r"DIVERGED datasets \[crash"):
        check(process_before_the_mark)


def test_marked_before_it_the_chain_ends_with_a_killed_worker():
    with pytest.raises(DivergedState, match=r"DIVERGED datasets \[crash"):
        check(mark_and_process)


def test_the_form_of_the_seed_adds_and_enqueues_again():
    with pytest.raises(DivergedState):
        check_idempotent(process_by_offset, args=(1,), world=datasets, histories=["twice"])


def totals(jobs, first):
    with database(SCHEMA, bind=(HERE, "connect")) as rows:
        first()
        jobs.drain()
        return rows("datasets")[0][1]


def test_pages_by_offset_leave_out_what_moves_up_when_a_page_is_done(jobs):
    assert totals(jobs, lambda: process_by_offset.perform_later(1)) == 10 + 20 + 50


@pytest.mark.parametrize("form", [process_without_guard, process_and_mark])
def test_pages_by_the_last_id_leave_out_nothing(jobs, form):
    assert totals(jobs, lambda: form.perform_later(1)) == 150
    assert len(jobs.performed) == 4


def test_the_chain_is_a_batch_that_ends_with_its_last_page(jobs):
    batch = Batch("dataset-1", on_success=finish.new(1))

    assert totals(jobs, lambda: batch.enqueue([process.new(1)])) == 150
    assert (batch.total, batch.finished) == (4, True)
    assert [record.job for record in jobs.enqueued] == [process] * 4 + [finish]


def test_delivered_twice_at_every_page_it_comes_to_the_same(jobs):
    with database(SCHEMA, bind=(HERE, "connect")) as rows:
        Batch("dataset-1", on_success=finish.new(1)).enqueue([process.new(1)])
        while jobs.pending:
            record = jobs.pending[0]
            jobs.perform(record)
            jobs.perform(jobs.redeliver(record))

        assert rows("datasets")[0][1] == 150
    assert len(jobs.enqueued) == 5
