"""Jobs that are given up, or that refuse to be done again."""

from __future__ import annotations

import sqlite3

import corpus_shop as shop

from pytest_jobs import Job, after_discard, discard_on


class CardExpired(Exception):
    """No attempt will succeed."""


class AlreadyDone(Exception):
    """The work is done."""


@discard_on(CardExpired)
class ChargeExpiredCard(Job):
    def perform(self, payment_id: int):
        raise CardExpired(payment_id)

    @after_discard
    def tell_the_desk(self, error: BaseException):
        database = shop.connect()
        database.execute("update payments set status = 'expired' where id = 1")
        database.commit()
        shop.desk.open_ticket("card expired")


def book_once(reference):
    database = shop.connect()
    try:
        database.execute("insert into entries values (?, 100)", (reference,))
    except sqlite3.IntegrityError:
        raise AlreadyDone from None
    database.commit()
