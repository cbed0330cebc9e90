"""Coroutine jobs, and their safe twins."""

from __future__ import annotations

import asyncio
import contextlib

import corpus_shop as shop

from pytest_jobs import job


def _is_done(database, payment_id):
    query = "select status from payments where id = ?"
    return database.execute(query, (payment_id,)).fetchone()[0] == "done"


def _mark_done(database, payment_id):
    database.execute("update payments set status = 'done' where id = ?", (payment_id,))


async def _send(recipient):
    await asyncio.sleep(0)
    shop.mailer.send("digest", recipient)


async def _push(recipient):
    await asyncio.sleep(0)
    shop.queue.push("digest", recipient, unique=f"digest-{recipient}")


async def gather_and_mark(payment_id):
    database = shop.connect()
    if _is_done(database, payment_id):
        return
    await asyncio.gather(_send("ann"), _send("bob"))
    _mark_done(database, payment_id)
    database.commit()


async def gather_by_key_and_mark(payment_id):
    database = shop.connect()
    if _is_done(database, payment_id):
        return
    await asyncio.gather(_push("ann"), _push("bob"))
    _mark_done(database, payment_id)
    database.commit()


@job
async def swallow_the_cancellation(payment_id: int):
    database = shop.connect()
    if _is_done(database, payment_id):
        return
    with contextlib.suppress(asyncio.CancelledError):
        await shop.courier.ship(payment_id)
    _mark_done(database, payment_id)
    database.commit()


@job
async def clean_up_and_pass_the_cancellation_on(payment_id: int):
    database = shop.connect()
    if _is_done(database, payment_id):
        return
    _mark_done(database, payment_id)
    try:
        await shop.courier.ship(payment_id)
    except asyncio.CancelledError:
        database.rollback()
        raise
    database.commit()
