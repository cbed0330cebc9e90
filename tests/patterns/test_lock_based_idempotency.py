"""The seed's pattern *Lock-Based Idempotency*: what a locked row gives, and what it does not."""

import sqlite3
import sys

import pytest

from pytest_jobs import Job, check_idempotent, fake, sqlite_world
from pytest_jobs.errors import DuplicateEffect


def connect():
    return sqlite3.connect("imports.db", isolation_level=None)


class Partner:
    def confirm(self, import_id, key=None): ...


partner = Partner()


def is_completed(db, import_id):
    (status,) = db.execute("select status from imports where id = ?", (import_id,)).fetchone()
    return status == "completed"


def process(db, import_id):
    db.execute("insert into customers (name) values ('Ann'), ('Bob')")
    db.execute("update imports set status = 'completed' where id = ?", (import_id,))


class ImportData(Job):
    """The seed's job: lock, look, work and mark in one transaction. In sqlite the lock is that of the database."""

    def perform(self, import_id):
        db = connect()
        db.execute("begin immediate")
        if not is_completed(db, import_id):
            process(db, import_id)
        db.execute("commit")


class ImportDataUnlocked(Job):
    """The same without the lock: the transaction begins to write after it has looked."""

    def perform(self, import_id):
        db = connect()
        if not is_completed(db, import_id):
            db.execute("begin immediate")
            process(db, import_id)
            db.execute("commit")


class ImportDataMarkingLater(Job):
    """The lock is held for the look and the work, and the mark has a transaction of its own."""

    def perform(self, import_id):
        db = connect()
        db.execute("begin immediate")
        if is_completed(db, import_id):
            return
        db.execute("insert into customers (name) values ('Ann'), ('Bob')")
        db.execute("commit")
        db.execute("update imports set status = 'completed' where id = ?", (import_id,))


class ImportDataAndConfirm(Job):
    """Under the lock something leaves the database."""

    def perform(self, import_id):
        db = connect()
        db.execute("begin immediate")
        if not is_completed(db, import_id):
            partner.confirm(import_id)
            process(db, import_id)
        db.execute("commit")


class ImportDataAndConfirmByKey(Job):
    """What leaves the database has a key that is the same each time."""

    def perform(self, import_id):
        db = connect()
        db.execute("begin immediate")
        if not is_completed(db, import_id):
            partner.confirm(import_id, key=f"import-{import_id}")
            process(db, import_id)
        db.execute("commit")


SCHEMA = """
create table imports (id integer primary key, status text);
create table customers (id integer primary key, name text);
insert into imports values (7, 'open');
"""


def office():
    module = sys.modules[__name__]
    with (
        sqlite_world(SCHEMA, bind=(module, "connect")) as rows,
        fake(module, "partner", Partner(), key="key") as confirmed,
    ):
        yield lambda: {
            "imports": rows("imports"),
            "customers": rows("customers"),
            "confirmations": confirmed.calls,
        }


def report_of(job, **options):
    with pytest.raises(DuplicateEffect) as caught:
        check_idempotent(job, args=(7,), world=office, **options)
    return caught.value.report


def test_without_a_lock_two_deliveries_that_overlap_import_twice():
    report = report_of(ImportDataUnlocked)

    assert (report.verdict, report.effect, report.history) == ("DUPLICATE", "customers", "overlap")
    assert report.hint.startswith(
        "looking first and acting then leaves a gap: take a lock that both deliveries see"
    )


def test_the_lock_closes_it_and_a_killed_worker_takes_its_transaction_along():
    check_idempotent(ImportData, args=(7,), world=office, histories="all")


def test_a_mark_outside_of_the_transaction_is_not_set_when_the_worker_dies_before_it():
    report = report_of(ImportDataMarkingLater)

    assert (report.verdict, report.effect, report.history) == ("DUPLICATE", "customers", "crash")
    assert "x  worker killed here, after sqlite: commit" in str(report)


def test_what_leaves_the_database_under_the_lock_happens_twice_when_the_worker_is_killed():
    report = report_of(ImportDataAndConfirm)

    assert (report.verdict, report.effect, report.history) == (
        "DUPLICATE",
        "partner.confirm",
        "crash",
    )
    assert "x  worker killed here, after partner: confirm(7)" in str(report)
    assert "  once: ('confirm', 7)\n  now:  2 x ('confirm', 7)\n" in str(report)


def test_and_only_then_for_the_lock_keeps_two_deliveries_apart():
    check_idempotent(
        ImportDataAndConfirm, args=(7,), world=office, histories=["twice", "restart", "overlap"]
    )


def test_a_key_closes_that_too():
    check_idempotent(ImportDataAndConfirmByKey, args=(7,), world=office, histories="all")
