"""The seed's pattern *Status Check Guard*: what `return if payment.completed?` leaves open, and what closes it."""

import sqlite3
import sys

import pytest

from pytest_jobs import Job, check_idempotent, fake, sqlite_world
from pytest_jobs.errors import DuplicateEffect


def connect():
    return sqlite3.connect("billing.db", isolation_level=None)


class Gateway:
    def charge(self, payment_id, key=None):
        return "charged"


gateway = Gateway()


class Payment:
    def __init__(self, db, payment_id):
        self.db = db
        self.id = payment_id

    @property
    def is_completed(self):
        query = "select status from payments where id = ?"
        (status,) = self.db.execute(query, (self.id,)).fetchone()
        return status == "completed"

    def complete(self):
        self.db.execute("update payments set status = 'completed' where id = ?", (self.id,))


class ProcessPayment(Job):
    """The seed's job: the guard, and nothing else."""

    def perform(self, payment_id):
        payment = Payment(connect(), payment_id)
        if payment.is_completed:
            return
        gateway.charge(payment.id)
        payment.complete()


class ProcessPaymentWithKey(Job):
    """The guard saves the call; the key, which is the same each time, makes a second one harmless."""

    def perform(self, payment_id):
        payment = Payment(connect(), payment_id)
        if payment.is_completed:
            return
        gateway.charge(payment.id, key=f"payment-{payment.id}")
        payment.complete()


class PostPayment(Job):
    """Work within the database: guard, work and mark are one transaction, which holds the lock from the first."""

    def perform(self, payment_id):
        db = connect()
        db.execute("begin immediate")
        payment = Payment(db, payment_id)
        if payment.is_completed:
            return
        db.execute("insert into postings (payment_id) values (?)", (payment.id,))
        payment.complete()
        db.execute("commit")


class PostPaymentLookingFirst(Job):
    """The same, but that the guard looks before the transaction begins."""

    def perform(self, payment_id):
        db = connect()
        payment = Payment(db, payment_id)
        if payment.is_completed:
            return
        db.execute("begin immediate")
        db.execute("insert into postings (payment_id) values (?)", (payment.id,))
        payment.complete()
        db.execute("commit")


SCHEMA = """
create table payments (id integer primary key, status text);
create table postings (id integer primary key, payment_id integer);
insert into payments values (7, 'open');
"""


def billing():
    module = sys.modules[__name__]
    with (
        sqlite_world(SCHEMA, bind=(module, "connect")) as rows,
        fake(module, "gateway", Gateway(), key="key") as charges,
    ):
        yield lambda: {
            "payments": rows("payments"),
            "postings": rows("postings"),
            "charges": charges.calls,
        }


def report_of(job, **options):
    with pytest.raises(DuplicateEffect) as caught:
        check_idempotent(job, args=(7,), world=billing, **options)
    return caught.value.report


def test_a_payment_that_is_completed_is_not_charged_again():
    """This is all that a test sees which calls the job twice: the guard seems to be enough."""
    check_idempotent(ProcessPayment, args=(7,), world=billing, histories=["twice", "restart"])


def test_a_worker_that_is_killed_between_the_charge_and_the_mark_charges_twice():
    report = report_of(ProcessPayment)
    assert (report.verdict, report.effect, report.history) == (
        "DUPLICATE",
        "gateway.charge",
        "crash",
    )

    text = str(report)
    charge = text.index("gateway.charge(payment.id)  ")
    killed = text.index(" x  worker killed here, after gateway: charge(7)", charge)
    mark = text.index("payment.complete()", killed)
    assert text[mark:].partition("\n")[0].endswith("never ran")
    assert "  once: ('charge', 7)\n  now:  2 x ('charge', 7)\n" in text
    assert report.hint == (
        "a mark that is set after the effect is not set when the worker dies between the two: give the effect an "
        "idempotency key that is derived from the arguments, or look it up before making it. If that may happen "
        "again at any time, write repeatable={'charges', 'gateway.charge'}."
    )


def test_two_deliveries_that_overlap_both_see_an_open_payment():
    report = report_of(ProcessPayment, histories=["overlap"])

    assert (report.verdict, report.effect) == ("DUPLICATE", "gateway.charge")
    assert "||  paused here, before line" in str(report)
    assert report.hint.startswith("looking first and acting then leaves a gap")


def test_with_a_key_that_is_the_same_each_time_it_is_charged_once():
    check_idempotent(ProcessPaymentWithKey, args=(7,), world=billing, histories="all")


def test_a_guard_in_the_transaction_of_the_work_is_enough_for_work_in_the_database():
    check_idempotent(PostPayment, args=(7,), world=billing, histories="all")


def test_a_guard_before_that_transaction_is_not():
    report = report_of(PostPaymentLookingFirst)

    assert (report.verdict, report.effect, report.history) == ("DUPLICATE", "postings", "overlap")
    assert (
        "passed: twice, restart, crash, effect_fails; nothing to try for: reply_lost. Not explored:"
    ) in str(report)
