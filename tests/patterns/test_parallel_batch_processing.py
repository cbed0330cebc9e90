"""One job cuts a list into pieces, and others work on them side by side."""

import sqlite3
import sys
from contextlib import closing, contextmanager

import pytest
from tables import each_row

from pytest_jobs import Batch, check_idempotent, job, slices, sqlite_world as database
from pytest_jobs.errors import BatchError, NotIdempotent

SCHEMA = """
create table records (id integer primary key, runs integer, status text);
insert into records values (1, 0, 'open'), (2, 0, 'open'), (3, 0, 'open');
create table totals (id integer primary key, processed integer);
insert into totals values (1, 0);
"""
HERE = sys.modules[__name__]


def connect():
    return sqlite3.connect("records.db")


@job
def finish(): ...


# The pieces


@job
def process_adding(ids):
    with closing(connect()) as db:
        for each in ids:
            db.execute("update records set runs = runs + 1 where id = ?", (each,))
            db.commit()


@job
def process_each_once(ids):
    with closing(connect()) as db:
        for each in ids:
            taken = db.execute(
                "update records set status = 'done', runs = runs + 1 where id = ? and status = 'open'",
                (each,),
            )
            if taken.rowcount:
                db.execute("update totals set processed = processed + 1")
            db.commit()


# The job that cuts


@job
def process_in_parallel_again_and_again(ids):
    for piece in slices(ids, 2):
        process_each_once.perform_later(piece)


@job
def process_in_parallel_in_a_batch_of_its_own(ids):
    Batch(on_success=finish.new()).enqueue(process_each_once.new(piece) for piece in slices(ids, 2))


@job
def process_in_parallel(run, ids):
    batch = Batch(f"process-{run}", on_success=finish.new())
    batch.enqueue(process_each_once.new(piece) for piece in slices(ids, 2))


@contextmanager
def records():
    with database(SCHEMA, bind=(HERE, "connect")) as rows:
        yield lambda: {"records": rows("records"), "totals": rows("totals")}


@pytest.mark.parametrize(
    "form", [process_in_parallel_again_and_again, process_in_parallel_in_a_batch_of_its_own]
)
def test_a_second_delivery_may_enqueue_the_pieces_again_if_they_do_each_record_once(form):
    check_idempotent(form, args=([1, 2, 3],), world=records)


def test_a_batch_with_a_name_is_the_same_batch():
    check_idempotent(process_in_parallel, args=(7, [1, 2, 3]), world=records, histories="all")


def test_a_piece_that_does_its_records_again_is_caught():
    with pytest.raises(NotIdempotent) as caught:
        check_idempotent(process_adding, args=([1, 2],), world=records)

    assert "DIVERGED records [twice" in str(caught.value).splitlines()[0]


def test_a_piece_that_takes_each_record_with_its_change_is_quiet():
    check_idempotent(process_each_once, args=([1, 2],), world=records, histories="all")


@pytest.mark.parametrize("workers", [1, 3])
def test_all_is_done_once_by_however_many_workers(jobs, workers):
    with records() as state:
        process_in_parallel.perform_later(7, [1, 2, 3])
        jobs.drain(workers=workers)

        assert state()["records"] == [(1, 1, "done"), (2, 1, "done"), (3, 1, "done")]
    assert [record.job for record in jobs.enqueued].count(finish) == 1


# Slices


def test_slices_are_lists_the_last_one_shorter():
    assert list(slices(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(slices([], 2)) == []


def test_slices_are_read_when_they_are_asked_for():
    read = []
    pieces = slices((read.append(each) or each for each in range(5)), 2)
    assert read == []

    assert next(pieces) == [0, 1]
    assert read == [0, 1]


@each_row("size", [0, -1, True, 2.0, "2", None])
def test_another_size_than_a_number_of_items_is_refused_at_the_call(size):
    with pytest.raises(BatchError) as caught:
        slices([1], size)

    assert str(caught.value) == f"slices(size={size!r}) cuts nothing: write an int of at least 1."
