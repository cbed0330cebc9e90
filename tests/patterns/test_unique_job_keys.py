"""The seed's pattern *Unique Job Keys*: what keeps a second job out, and not a second delivery of the first."""

import sqlite3
import sys

import pytest

from pytest_jobs import Job, check_idempotent, retry_on, sqlite_world, unique
from pytest_jobs.errors import DuplicateEffect


def connect():
    return sqlite3.connect("crm.db", isolation_level=None)


@retry_on(ConnectionError, wait=60, attempts=3)
@unique(key="user_id", until="executed")
class SyncUser(Job):
    """The seed's job. A sync writes what is known of the user into the database of the CRM."""

    def perform(self, user_id, full=False):
        connect().execute("insert into contacts (user_id) values (?)", (user_id,))


@unique(key="user_id", until="until_and_while_executing", ttl=3600)
class SyncUserMostRestrictively(Job):
    def perform(self, user_id):
        connect().execute("insert into contacts (user_id) values (?)", (user_id,))


@unique(key="user_id", until="executed")
class SyncUserOnce(Job):
    """The table has one row a user, whoever writes it, and how often."""

    def perform(self, user_id):
        connect().execute(
            "insert into users (user_id, synced) values (?, 1) on conflict do update set synced = 1",
            (user_id,),
        )


SCHEMA = """
create table contacts (id integer primary key, user_id integer);
create table users (user_id integer primary key, synced integer);
"""


def crm():
    with sqlite_world(SCHEMA, bind=(sys.modules[__name__], "connect")) as rows:
        yield lambda: {"contacts": rows("contacts"), "users": rows("users")}


# What it gives


def test_a_second_job_of_the_user_is_not_enqueued_until_the_first_has_ended(jobs):
    jobs.fail(SyncUser, raising=ConnectionError("refused"), on=[1])
    jobs.fail(SyncUser, raising=LookupError, on=[2])
    first = SyncUser.perform_later(7)
    second = SyncUser.perform_later(7, full=True)
    assert (second.enqueued, second.dropped_for) == (False, first.job_id)

    jobs.perform_due()
    assert SyncUser.perform_later(7).dropped_for == first.job_id
    jobs.drain(raise_errors=False)
    assert SyncUser.perform_later(7).enqueued
    assert SyncUser.perform_later(8).enqueued


# What it does not give


def test_a_second_delivery_of_the_job_is_performed(jobs):
    done = []

    @unique(key="user_id", until="executed")
    class Sync(Job):
        def perform(self, user_id):
            done.append(user_id)

    Sync.perform_later(7)
    jobs.drain()
    jobs.redeliver(jobs.enqueued[0])
    jobs.drain()

    assert done == [7, 7]


@pytest.mark.parametrize("job", [SyncUser, SyncUserMostRestrictively])
def test_a_second_delivery_writes_a_second_contact(job):
    with pytest.raises(DuplicateEffect) as caught:
        check_idempotent(job, args=(7,), world=crm)
    report = caught.value.report

    assert (report.verdict, report.effect, report.history) == ("DUPLICATE", "contacts", "twice")
    assert "contacts\n  once: only the others; 1 in all\n  now:  (2, 7); 2 in all\n" in str(report)
    assert report.hint.startswith("nothing tells the job that its work is done")


def test_a_unique_key_of_the_database_closes_it():
    check_idempotent(SyncUserOnce, args=(7,), world=crm, histories="all")
