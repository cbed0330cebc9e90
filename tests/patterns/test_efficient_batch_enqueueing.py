"""A recurring job that enqueues everything which is due, at once."""

import sqlite3
import sys
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from pytest_jobs import (
    Schedule,
    check_idempotent,
    fake,
    job,
    perform_all_later,
    slices,
    sqlite_world as database,
)
from pytest_jobs.errors import DuplicateEffect, LostEffect, SerializationError

SCHEMA = """
create table bundles (id integer primary key, status text);
insert into bundles values (1, 'due'), (2, 'due'), (3, 'delivered'), (4, 'due');
"""
HERE = sys.modules[__name__]


def connect():
    return sqlite3.connect("bundles.db")


class Mailbox:
    def send(self, bundle_id, key=None): ...


mailbox = Mailbox()


def due(db):
    return [
        each for (each,) in db.execute("select id from bundles where status = 'due' order by id")
    ]


def mark(db, status, ids):
    for each in ids:
        db.execute("update bundles set status = ? where id = ?", (status, each))


def become(db, status, ids):
    mark(db, status, ids)
    db.commit()


# One bundle


@job
def deliver_always(bundle_id):
    mailbox.send(bundle_id)


@job
def deliver(bundle_id):
    with closing(connect()) as db:
        (status,) = db.execute("select status from bundles where id = ?", (bundle_id,)).fetchone()
        if status != "delivered":
            mailbox.send(bundle_id, key=f"bundle-{bundle_id}")
            become(db, "delivered", [bundle_id])


# All that are due


@job
def deliver_all_again_and_again():
    with closing(connect()) as db:
        for piece in slices(due(db), 2):
            perform_all_later([deliver.new(each) for each in piece])


@job
def deliver_all():
    with closing(connect()) as db:
        db.execute("begin immediate")
        for piece in slices(due(db), 2):
            perform_all_later([deliver.new(each) for each in piece])
            mark(db, "enqueued", piece)
        db.commit()


@job
def deliver_all_claimed_first():
    with closing(connect()) as db:
        for piece in slices(due(db), 2):
            become(db, "enqueued", piece)
            perform_all_later([deliver.new(each) for each in piece])


@contextmanager
def bundles():
    with (
        database(SCHEMA, bind=(HERE, "connect")) as rows,
        fake(HERE, "mailbox", Mailbox(), key="key") as mails,
    ):
        yield lambda: {"bundles": rows("bundles"), "mails": mails.calls}


def check(job, *args, **options):
    return check_idempotent(job, args=args, world=bundles, **options)


def first_line(caught):
    return str(caught.value).splitlines()[0]


def test_what_is_due_until_it_is_delivered_may_be_enqueued_at_each_tick():
    check(deliver_all_again_and_again)


def test_what_is_claimed_before_it_is_enqueued_is_lost_with_a_killed_worker():
    with pytest.raises(LostEffect) as caught:
        check(deliver_all_claimed_first)

    assert "LOST mailbox.send" in first_line(caught)
    assert "[crash" in first_line(caught)


def test_what_is_claimed_after_it_was_enqueued_and_under_a_lock_is_delivered_once():
    check(deliver_all)


def test_so_a_bundle_has_to_be_delivered_once_however_often_it_is_enqueued():
    with pytest.raises(DuplicateEffect) as caught:
        check(deliver_always, 1)

    assert "DUPLICATE mailbox.send [twice" in first_line(caught)
    check(deliver, 1, histories="all")


def test_a_recurring_job_enqueues_all_of_them_once(jobs):
    jobs.clock.move_to(datetime(2030, 1, 1, tzinfo=UTC))
    with bundles() as state:
        jobs.recurring(
            Schedule({"bundles": {"class": deliver_all, "schedule": "every 30 minutes"}})
        )
        jobs.run_for(timedelta(hours=2))

        assert state()["mails"] == [("send", 1), ("send", 2), ("send", 4)]
    assert [record.job for record in jobs.enqueued].count(deliver) == 3


def test_many_jobs_are_enqueued_together_or_not_at_all(jobs):
    with pytest.raises(SerializationError):
        perform_all_later([deliver.new(1), deliver.new(object()), deliver.new(2)])

    assert jobs.enqueued == []
