"""Jobs that keep other deliveries out by a lock, and their safe twins."""

from __future__ import annotations

import threading

import corpus_shop as shop


class Locked(Exception):
    """Another delivery holds the lock: come again later."""


_in_this_process = threading.Lock()


def charge_under_a_lock_of_this_process(payment_id):
    with _in_this_process:
        if not shop.gateway.find(payment_id):
            shop.gateway.charge(payment_id, 100)


def charge_under_a_row_that_says_who_locked_it(payment_id):
    database = shop.connect()
    lock = f"lock-{payment_id}"
    database.execute("insert or ignore into outbox values (?, null)", (lock,))
    query = "update outbox set body = 'worker 1' where reference = ? and body is null"
    if not database.execute(query, (lock,)).rowcount:
        raise Locked
    database.commit()
    shop.gateway.charge(payment_id, 100, idempotency_key=f"pay-{payment_id}")
    database.execute("update outbox set body = null where reference = ?", (lock,))
    database.commit()


def charge_or_come_again_when_locked(payment_id):
    if not shop.redis.set(f"lock:{payment_id}", "held", nx=True, ex=30):
        raise Locked
    shop.gateway.charge(payment_id, 100, idempotency_key=f"pay-{payment_id}")
    shop.redis.delete(f"lock:{payment_id}")


def publish_with_a_fencing_token(payment_id):
    if not shop.redis.set(f"lock:{payment_id}", "held", nx=True, ex=30):
        raise Locked
    token = shop.redis.incr("lock:tokens")
    database = shop.connect()
    query = "select 1 from feed where body = ?"
    if not database.execute(query, (f"paid {payment_id}",)).fetchone():
        # The store takes nothing from the holder of an older lease.
        fence = "update payments set version = ? where id = ? and version < ?"
        if not database.execute(fence, (token, payment_id, token)).rowcount:
            raise Locked
        database.execute("insert into feed values (?)", (f"paid {payment_id}",))
    database.commit()
    shop.redis.delete(f"lock:{payment_id}")
