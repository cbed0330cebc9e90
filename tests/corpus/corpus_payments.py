"""Jobs that charge a payment, and their safe twins."""

from __future__ import annotations

import hashlib
import time
import uuid

import corpus_shop as shop

from pytest_jobs import Job, job


def _payment(database, payment_id):
    query = "select status, amount from payments where id = ?"
    return database.execute(query, (payment_id,)).fetchone()


def _mark(database, payment_id, status):
    database.execute("update payments set status = ? where id = ?", (status, payment_id))


# Guards and marks


class ChargeBehindStatus(Job):
    def perform(self, payment_id: int):
        database = shop.connect()
        status, amount = _payment(database, payment_id)
        if status == "paid":
            return
        shop.gateway.charge(payment_id, amount)
        _mark(database, payment_id, "paid")
        database.commit()


class ChargeBehindStatusByKey(Job):
    def perform(self, payment_id: int):
        database = shop.connect()
        status, amount = _payment(database, payment_id)
        if status == "paid":
            return
        shop.gateway.charge(payment_id, amount, idempotency_key=f"pay-{payment_id}")
        _mark(database, payment_id, "paid")
        database.commit()


def charge_without_a_guard(payment_id):
    shop.gateway.charge(payment_id, 100)


@job
def charge_by_key_alone(payment_id: int):
    shop.gateway.charge(payment_id, 100, idempotency_key=f"pay-{payment_id}")


@job
def mark_before_charging(payment_id: int):
    database = shop.connect()
    status, amount = _payment(database, payment_id)
    if status == "paid":
        return
    _mark(database, payment_id, "paid")
    database.commit()
    shop.gateway.charge(payment_id, amount)


def charge_under_a_row_lock(payment_id):
    database = shop.connect()
    database.execute("begin immediate")
    status, amount = _payment(database, payment_id)
    if status == "paid":
        return
    shop.gateway.charge(payment_id, amount)
    _mark(database, payment_id, "paid")
    database.commit()


def charge_under_a_row_lock_by_key(payment_id):
    database = shop.connect()
    database.execute("begin immediate")
    status, amount = _payment(database, payment_id)
    if status == "paid":
        return
    shop.gateway.charge(payment_id, amount, idempotency_key=f"pay-{payment_id}")
    _mark(database, payment_id, "paid")
    database.commit()


def skip_while_processing(payment_id):
    database = shop.connect()
    status, amount = _payment(database, payment_id)
    if status in ("paid", "processing"):
        return
    _mark(database, payment_id, "processing")
    database.commit()
    shop.gateway.charge(payment_id, amount, idempotency_key=f"pay-{payment_id}")
    _mark(database, payment_id, "paid")
    database.commit()


def resume_processing(payment_id):
    database = shop.connect()
    status, amount = _payment(database, payment_id)
    if status == "paid":
        return
    _mark(database, payment_id, "processing")
    database.commit()
    shop.gateway.charge(payment_id, amount, idempotency_key=f"pay-{payment_id}")
    _mark(database, payment_id, "paid")
    database.commit()


_charged = set()


def charge_unless_remembered(payment_id):
    if payment_id in _charged:
        return
    shop.gateway.charge(payment_id, 100)
    _charged.add(payment_id)


_amounts = {}


def charge_with_a_cache(payment_id):
    if payment_id not in _amounts:
        _amounts[payment_id] = _payment(shop.connect(), payment_id)[1]
    shop.gateway.charge(payment_id, _amounts[payment_id], idempotency_key=f"pay-{payment_id}")


# Keys


def charge_with_a_random_key(payment_id):
    shop.gateway.charge(payment_id, 100, idempotency_key=str(uuid.uuid4()))


def charge_with_a_random_key_behind_status(payment_id):
    database = shop.connect()
    status, amount = _payment(database, payment_id)
    if status == "paid":
        return
    shop.gateway.charge(payment_id, amount, idempotency_key=str(uuid.uuid4()))
    _mark(database, payment_id, "paid")
    database.commit()


def charge_with_the_date_in_the_key(payment_id):
    day = int(time.time() // 86_400)
    shop.gateway.charge(payment_id, 100, idempotency_key=f"pay-{payment_id}-{day}")


def charge_with_a_hashed_key(payment_id):
    key = hashlib.sha256(f"pay-{payment_id}".encode()).hexdigest()
    shop.gateway.charge(payment_id, 100, idempotency_key=key)


def charge_with_a_key_kept_for_an_hour(payment_id):
    place = f"key:{payment_id}"
    shop.redis.set(place, str(uuid.uuid4()), nx=True, ex=3_600)
    shop.gateway.charge(payment_id, 100, idempotency_key=shop.redis.get(place))


def charge_behind_a_cache(payment_id):
    if shop.redis.get(f"paid:{payment_id}"):
        return
    shop.gateway.charge(payment_id, 100, idempotency_key=f"pay-{payment_id}")
    shop.redis.set(f"paid:{payment_id}", 1, ex=86_400)


# Look-ups


def look_up_and_charge_behind_a_cache(payment_id):
    if shop.redis.get(f"paid:{payment_id}"):
        return
    look_up_and_charge_under_a_row_lock(payment_id)
    shop.redis.set(f"paid:{payment_id}", 1, ex=86_400)


def look_up_and_charge(payment_id):
    if not shop.gateway.find(payment_id):
        shop.gateway.charge(payment_id, 100)


def look_up_and_charge_under_a_row_lock(payment_id):
    database = shop.connect()
    database.execute("begin immediate")
    if not shop.gateway.find(payment_id):
        shop.gateway.charge(payment_id, 100)
    database.commit()


def look_up_charge_and_mark_under_a_row_lock(payment_id):
    database = shop.connect()
    database.execute("begin immediate")
    if not shop.gateway.find(payment_id):
        shop.gateway.charge(payment_id, 100)
    _mark(database, payment_id, "paid")
    database.commit()


def look_up_and_charge_under_a_lease(payment_id):
    if not shop.redis.set(f"lock:{payment_id}", "held", nx=True, ex=30):
        raise RuntimeError("locked")
    if not shop.gateway.find(payment_id):
        shop.gateway.charge(payment_id, 100)
    shop.redis.delete(f"lock:{payment_id}")


# Locks


def charge_under_a_lease(payment_id):
    if not shop.redis.set(f"lock:{payment_id}", "held", nx=True, ex=30):
        raise RuntimeError("locked")
    database = shop.connect()
    status, amount = _payment(database, payment_id)
    if status != "paid":
        shop.gateway.charge(payment_id, amount)
        _mark(database, payment_id, "paid")
        database.commit()
    shop.redis.delete(f"lock:{payment_id}")


def charge_under_a_lease_by_key(payment_id):
    if not shop.redis.set(f"lock:{payment_id}", "held", nx=True, ex=30):
        raise RuntimeError("locked")
    database = shop.connect()
    status, amount = _payment(database, payment_id)
    if status != "paid":
        shop.gateway.charge(payment_id, amount, idempotency_key=f"pay-{payment_id}")
        _mark(database, payment_id, "paid")
        database.commit()
    shop.redis.delete(f"lock:{payment_id}")


def leave_it_to_whoever_holds_the_lock(payment_id):
    if not shop.redis.set(f"lock:{payment_id}", "held", nx=True):
        return
    shop.gateway.charge(payment_id, 100, idempotency_key=f"pay-{payment_id}")
    shop.redis.delete(f"lock:{payment_id}")


def wait_for_the_lock(payment_id):
    while not shop.redis.set(f"lock:{payment_id}", "held", nx=True, ex=30):
        time.sleep(0.1)
    shop.gateway.charge(payment_id, 100, idempotency_key=f"pay-{payment_id}")
    shop.redis.delete(f"lock:{payment_id}")


def release_the_lock_in_any_case(payment_id):
    if not shop.redis.set(f"lock:{payment_id}", "held", nx=True, ex=60):
        raise RuntimeError("locked")
    try:
        shop.gateway.charge(payment_id, 100, idempotency_key=f"pay-{payment_id}")
    finally:
        shop.redis.delete(f"lock:{payment_id}")


# Errors


def take_a_timeout_for_a_failure(payment_id):
    database = shop.connect()
    status, amount = _payment(database, payment_id)
    if status != "pending":
        return
    try:
        shop.gateway.charge(payment_id, amount, idempotency_key=f"pay-{payment_id}")
    except TimeoutError:
        _mark(database, payment_id, "failed")
    else:
        _mark(database, payment_id, "paid")
    database.commit()


def let_the_broker_retry(payment_id):
    database = shop.connect()
    status, amount = _payment(database, payment_id)
    if status == "paid":
        return
    try:
        shop.gateway.charge(payment_id, amount, idempotency_key=f"pay-{payment_id}")
    except OSError as error:
        raise RuntimeError("the gateway did not answer") from error
    _mark(database, payment_id, "paid")
    database.commit()


def try_three_times(payment_id):
    for _ in range(3):
        try:
            shop.gateway.charge(payment_id, 100)
        except OSError:
            time.sleep(1)
        else:
            break


def try_three_times_behind_a_look_up(payment_id):
    database = shop.connect()
    database.execute("begin immediate")
    if shop.gateway.find(payment_id):
        return
    try_three_times(payment_id)
    database.commit()


def try_three_times_by_key(payment_id):
    for _ in range(3):
        try:
            shop.gateway.charge(payment_id, 100, idempotency_key=f"pay-{payment_id}")
        except OSError:
            time.sleep(1)
        else:
            return
    raise RuntimeError("the gateway is down")


def back_off_and_raise(payment_id):
    error = None
    for attempt in range(2):
        try:
            shop.gateway.charge(payment_id, 100, idempotency_key=f"pay-{payment_id}")
        except OSError as again:
            error = again
            time.sleep(2**attempt)
        else:
            return
    raise error


def refund_after_an_error(payment_id):
    database = shop.connect()
    status, amount = _payment(database, payment_id)
    if status != "pending":
        return
    try:
        shop.gateway.charge(payment_id, amount, idempotency_key=f"pay-{payment_id}")
        _mark(database, payment_id, "paid")
    except TimeoutError:
        refund.perform_later(payment_id)
        _mark(database, payment_id, "refunded")
    database.commit()


def mark_in_any_case(payment_id):
    database = shop.connect()
    status, amount = _payment(database, payment_id)
    if status == "paid":
        return
    try:
        shop.gateway.charge(payment_id, amount, idempotency_key=f"pay-{payment_id}")
    finally:
        _mark(database, payment_id, "paid")
        database.commit()


@job
def refund(payment_id: int):
    raise AssertionError("a follow-up is not performed")
