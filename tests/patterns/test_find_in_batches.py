"""A mail to everybody, found in batches, with progress that a second delivery does not spoil."""

import sqlite3
import sys
from contextlib import closing, contextmanager

import pytest

from pytest_jobs import (
    Batch,
    batch_world,
    check_idempotent,
    fake,
    job,
    perform_all_later,
    sqlite_world as database,
)
from pytest_jobs.errors import DivergedState, DuplicateEffect, LostEffect

BATCH_SIZE = 2
SCHEMA = """
create table campaigns (id integer primary key, processed_count integer, last_id integer);
create table subscribers (id integer primary key, campaign_id integer, email text);
insert into campaigns values (7, 0, 0);
insert into subscribers values (1, 7, 'ann'), (2, 7, 'bob'), (3, 8, 'cleo'), (4, 7, 'dan');
"""
HERE = sys.modules[__name__]


def connect():
    return sqlite3.connect("campaigns.db")


class Mailbox:
    def send(self, to, key=None): ...


mailbox = Mailbox()


def in_batches(db, campaign_id, after=0):
    """Give the ids of the subscribers, so many at once: from the last id on, not by an offset."""
    query = "select id from subscribers where campaign_id = ? and id > ? order by id limit ?"
    while rows := db.execute(query, (campaign_id, after, BATCH_SIZE)).fetchall():
        batch = [subscriber_id for (subscriber_id,) in rows]
        yield batch
        after = batch[-1]


def change(db, statement, *values):
    db.execute(statement, values)
    db.commit()


@job
def send_campaign_email(campaign_id, subscriber_id):
    mailbox.send(subscriber_id, key=f"campaign-{campaign_id}-{subscriber_id}")


@job
def send_campaign_email_without_key(campaign_id, subscriber_id):
    mailbox.send(subscriber_id)


@job
def congratulate(campaign_id): ...


# The form of the seed


@job
def bulk_email_counting(campaign_id):
    with closing(connect()) as db:
        for batch in in_batches(db, campaign_id):
            for subscriber_id in batch:
                send_campaign_email.perform_later(campaign_id, subscriber_id)
            change(
                db,
                "update campaigns set processed_count = processed_count + ? where id = ?",
                len(batch),
                campaign_id,
            )


@job
def bulk_email_counting_in_a_batch(campaign_id):
    with closing(connect()) as db:
        for batch in in_batches(db, campaign_id):
            Batch.current().enqueue([send_campaign_email.new(campaign_id, each) for each in batch])
            change(
                db,
                "update campaigns set processed_count = processed_count + ? where id = ?",
                len(batch),
                campaign_id,
            )


# Progress that is set


@job
def bulk_email(campaign_id):
    processed = 0
    with closing(connect()) as db:
        for batch in in_batches(db, campaign_id):
            Batch.current().enqueue([send_campaign_email.new(campaign_id, each) for each in batch])
            processed += len(batch)
            change(
                db, "update campaigns set processed_count = ? where id = ?", processed, campaign_id
            )


# Progress that is a cursor, without a batch


def next_batch(db, campaign_id):
    """Lock the campaign, and return the batch after its cursor."""
    db.execute("begin immediate")
    (after,) = db.execute("select last_id from campaigns where id = ?", (campaign_id,)).fetchone()
    return next(in_batches(db, campaign_id, after), None)


def move_the_cursor(db, campaign_id, batch):
    change(db, "update campaigns set last_id = ? where id = ?", batch[-1], campaign_id)


def enqueue(campaign_id, batch):
    perform_all_later([send_campaign_email.new(campaign_id, each) for each in batch])


@job
def bulk_email_from_the_cursor(campaign_id):
    with closing(connect()) as db:
        while batch := next_batch(db, campaign_id):
            enqueue(campaign_id, batch)
            move_the_cursor(db, campaign_id, batch)
        db.rollback()


@job
def bulk_email_that_moves_the_cursor_first(campaign_id):
    with closing(connect()) as db:
        while batch := next_batch(db, campaign_id):
            move_the_cursor(db, campaign_id, batch)
            enqueue(campaign_id, batch)
        db.rollback()


@contextmanager
def campaigns():
    with (
        database(SCHEMA, bind=(HERE, "connect")) as rows,
        fake(HERE, "mailbox", Mailbox(), key="key") as mails,
        batch_world(on_success=congratulate.new(7)) as batch,
    ):
        yield lambda: {
            "campaigns": rows("campaigns"),
            "mails": mails.calls,
            "jobs of the batch": batch.total,
        }


def check(job, args=(7,), **options):
    return check_idempotent(job, args=args, world=campaigns, **options)


@pytest.mark.wide
def test_the_form_of_the_seed_counts_every_mail_twice():
    with pytest.raises(DivergedState, match=r"DIVERGED campaigns \[twice"):
        check(bulk_email_counting)


@pytest.mark.wide
def test_progress_that_is_added_up_counts_twice():
    with pytest.raises(DivergedState) as caught:
        check(bulk_email_counting_in_a_batch)

    assert "DIVERGED campaigns [twice" in str(caught.value).splitlines()[0]


def test_progress_that_is_set_is_right_however_often_the_job_is_delivered():
    check(bulk_email, histories="all")


@pytest.mark.wide
def test_a_cursor_that_moves_after_the_mails_were_enqueued_loses_none_and_sends_each_once():
    check(bulk_email_from_the_cursor)


@pytest.mark.wide
def test_a_cursor_that_moves_before_loses_mails():
    with pytest.raises(LostEffect) as caught:
        check(bulk_email_that_moves_the_cursor_first)

    first_line = str(caught.value).splitlines()[0]
    assert "LOST mailbox.send" in first_line
    assert "[crash" in first_line


def test_so_the_mail_has_a_key():
    with pytest.raises(DuplicateEffect):
        check(send_campaign_email_without_key, args=(7, 1))

    check(send_campaign_email, args=(7, 1), histories="all")


def test_progress_can_be_read_off_the_batch(jobs):
    with database(SCHEMA, bind=(HERE, "connect")), fake(HERE, "mailbox", Mailbox()):
        batch = Batch("campaign-7", on_success=congratulate.new(7))
        batch.enqueue([bulk_email.new(7)])
        jobs.perform(jobs.pending[0])
        jobs.perform(jobs.pending[0])
        assert (batch.total, batch.pending) == (4, 2)

        jobs.drain()
    assert batch.finished
    assert [record.job for record in jobs.enqueued][-1] is congratulate
