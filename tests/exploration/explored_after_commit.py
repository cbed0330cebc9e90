"""Jobs that commit and whose children wait for that commit."""

from __future__ import annotations

import explored_orm as orm

from pytest_jobs import job


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
