"""Jobs that send mails, open tickets and enqueue others, and their safe twins."""

from __future__ import annotations

import uuid

import corpus_shop as shop

from pytest_jobs import Job, job

BATCH = 100


def _is_done(database, payment_id):
    query = "select status from payments where id = ?"
    return database.execute(query, (payment_id,)).fetchone()[0] == "done"


def _mark_done(database, payment_id):
    database.execute("update payments set status = 'done' where id = ?", (payment_id,))


@job
def send_receipt(payment_id: int):
    raise AssertionError("a follow-up is not performed")


@job
def call_webhook(payment_id: int, webhook_id: str):
    raise AssertionError("a follow-up is not performed")


# Mails and tickets


def mail_all_and_mark(payment_id):
    database = shop.connect()
    if _is_done(database, payment_id):
        return
    for recipient in ("ann", "bob", "cat"):
        shop.mailer.send("digest", recipient)
    _mark_done(database, payment_id)
    database.commit()


def mail_at_least_once(payment_id):
    database = shop.connect()
    database.execute("begin immediate")
    if _is_done(database, payment_id):
        return
    shop.mailer.send("receipt", payment_id)
    _mark_done(database, payment_id)
    database.commit()


def mail_whether_new_or_not(user):
    database = shop.connect()
    database.execute("insert into entries values (?, 1) on conflict do nothing", (user,))
    database.commit()
    shop.mailer.send("welcome", user)


def mail_by_outbox_when_new(user):
    database = shop.connect()
    added = database.execute("insert into entries values (?, 1) on conflict do nothing", (user,))
    if added.rowcount:
        database.execute("insert into outbox values (?, 'welcome')", (user,))
    database.commit()


def open_ticket(payment_id):
    shop.desk.open_ticket(f"audit {payment_id}")


# Jobs that enqueue jobs


class SendChildrenAndMark(Job):
    def perform(self, payment_id: int):
        database = shop.connect()
        if _is_done(database, payment_id):
            return
        for child in (10, 11):
            send_receipt.perform_later(child)
        _mark_done(database, payment_id)
        database.commit()


class EnqueueInsideTheTransaction(Job):
    def perform(self, payment_id: int):
        database = shop.connect()
        if _is_done(database, payment_id):
            return
        _mark_done(database, payment_id)
        send_receipt.perform_later(payment_id)
        database.commit()


class EnqueueAfterTheCommit(Job):
    def perform(self, payment_id: int):
        database = shop.connect()
        if _is_done(database, payment_id):
            return
        _mark_done(database, payment_id)
        database.commit()
        send_receipt.perform_later(payment_id)


def enqueue_by_outbox(payment_id):
    database = shop.connect()
    if _is_done(database, payment_id):
        return
    _mark_done(database, payment_id)
    database.execute("insert into outbox values (?, 'receipt')", (payment_id,))
    database.commit()


def enqueue_by_key_and_mark(payment_id):
    database = shop.connect()
    if _is_done(database, payment_id):
        return
    shop.queue.push("receipt", payment_id, unique=f"receipt-{payment_id}")
    _mark_done(database, payment_id)
    database.commit()


def enqueue_all_in_one_line(payment_id):
    database = shop.connect()
    if not _is_done(database, payment_id):
        [send_receipt.perform_later(n) for n in (1, 2, 3)]; _mark_done(database, payment_id); database.commit()  # fmt: skip  # noqa: E501, E702


def enqueue_all_by_key_in_one_line(payment_id):
    [shop.queue.push("receipt", n, unique=f"{payment_id}-{n}") for n in (1, 2, 3)]


class ImportChunk(Job):
    def perform(self, offset: int):
        database = shop.connect()
        query = "select 1 from entries where reference = ?"
        if database.execute(query, (offset,)).fetchone():
            return
        ImportChunk.perform_later(offset + BATCH)
        database.execute("insert or ignore into entries values (?, 1)", (offset,))
        database.commit()


def import_chunk_by_key(offset):
    database = shop.connect()
    shop.queue.push("import", offset + BATCH, unique=f"import-{offset + BATCH}")
    database.execute("insert or ignore into entries values (?, 1)", (offset,))
    database.commit()


def call_webhook_with_a_new_id(payment_id):
    if shop.redis.exists(f"called:{payment_id}"):
        return
    call_webhook.perform_later(payment_id, str(uuid.uuid4()))
    shop.redis.set(f"called:{payment_id}", 1)


def call_webhook_with_its_id(payment_id):
    if shop.redis.exists(f"called:{payment_id}"):
        return
    shop.queue.push("webhook", payment_id, unique=f"webhook-{payment_id}")
    shop.redis.set(f"called:{payment_id}", 1)
