"""Jobs that write to the database, and their safe twins."""

from __future__ import annotations

import sqlite3

import corpus_shop as shop

from pytest_jobs import job


def _is_booked(database, reference):
    query = "select 1 from entries where reference = ?"
    return database.execute(query, (reference,)).fetchone() is not None


def _book(database, reference, amount=100):
    database.execute("insert into entries values (?, ?)", (reference, amount))


def _deposit(database, amount=100):
    database.execute("update accounts set balance = balance + ?", (amount,))


# Balances


@job
def deposit_in_two_commits(reference: int):
    database = shop.connect()
    if _is_booked(database, reference):
        return
    _deposit(database)
    database.commit()
    _book(database, reference)
    database.commit()


@job
def deposit_in_one_commit(reference: int):
    database = shop.connect()
    if _is_booked(database, reference):
        return
    _book(database, reference)
    _deposit(database)
    database.commit()


def deposit_in_a_with_block(reference):
    with shop.connect() as database:
        if not _is_booked(database, reference):
            _book(database, reference)
            _deposit(database)


def deposit_and_commit_in_any_case(reference):
    database = shop.connect()
    if _is_booked(database, reference):
        return
    try:
        _book(database, reference)
        _deposit(database)
    finally:
        database.commit()


def deposit_behind_a_unique_entry(reference):
    database = shop.connect()
    try:
        _book(database, reference)
    except sqlite3.IntegrityError:
        return
    _deposit(database)
    database.commit()


def book_and_fail_when_booked(reference):
    database = shop.connect()
    _book(database, reference)
    database.commit()


def read_and_write_the_balance(reference):
    database = shop.connect()
    database.isolation_level = None
    if _is_booked(database, reference):
        return
    (balance,) = database.execute("select balance from accounts").fetchone()
    database.execute("insert or ignore into entries values (?, 100)", (reference,))
    database.execute("update accounts set balance = ?", (balance + 100,))


def set_the_balance(balance):
    database = shop.connect()
    database.execute("update accounts set balance = ?", (balance,))
    database.commit()


def settle_if_unchanged(payment_id):
    database = shop.connect()
    query = "select status, version from payments where id = ?"
    status, version = database.execute(query, (payment_id,)).fetchone()
    if status == "settled":
        return
    settled = database.execute(
        "update payments set status = 'settled', version = version + 1 where id = ? and version = ?",
        (payment_id, version),
    )
    if settled.rowcount == 1:
        database.execute("insert into outbox values (?, 'settled')", (payment_id,))
    database.commit()


def book_by_upsert(reference):
    database = shop.connect()
    database.execute(
        "insert into entries values (?, 1) on conflict (reference) do update set amount = excluded.amount",
        (reference,),
    )
    database.commit()


# Rows


def publish_unless_published(payment_id):
    database = shop.connect()
    query = "select count(*) from feed where body = ?"
    (published,) = database.execute(query, (f"paid {payment_id}",)).fetchone()
    if published:
        return
    database.execute("insert into feed values (?)", (f"paid {payment_id}",))
    database.commit()


def publish_or_ignore(payment_id):
    database = shop.connect()
    database.execute("insert or ignore into outbox values (?, 'paid')", (payment_id,))
    database.commit()


def toggle_status(payment_id):
    database = shop.connect()
    database.execute(
        "update payments set status = case status when 'pending' then 'held' else 'pending' end where id = ?",
        (payment_id,),
    )
    database.commit()


def archive_by_deleting_first(payment_id):
    database = shop.connect()
    query = "select amount from payments where id = ?"
    found = database.execute(query, (payment_id,)).fetchone()
    if found is None:
        return
    database.execute("delete from payments where id = ?", (payment_id,))
    database.commit()
    shop.redis.set(f"archive:{payment_id}", found[0])


def archive_by_deleting_last(payment_id):
    database = shop.connect()
    query = "select amount from payments where id = ?"
    found = database.execute(query, (payment_id,)).fetchone()
    if found is None:
        return
    shop.redis.set(f"archive:{payment_id}", found[0])
    database.execute("delete from payments where id = ?", (payment_id,))
    database.commit()


def forget_payment(payment_id):
    database = shop.connect()
    database.execute("delete from payments where id = ?", (payment_id,))
    database.commit()


def read_payment(payment_id):
    database = shop.connect()
    return database.execute("select * from payments where id = ?", (payment_id,)).fetchone()


def do_nothing(payment_id):
    return


# Numbers


def count_progress(reference):
    database = shop.connect()
    database.execute("insert or ignore into entries values (?, 1)", (reference,))
    _deposit(database, 1)
    database.commit()


def compute_progress(reference):
    database = shop.connect()
    database.execute("insert or ignore into entries values (?, 1)", (reference,))
    database.execute("update accounts set balance = (select count(*) from entries)")
    database.commit()


def use_up_the_quota(payment_id):
    database = shop.connect()
    database.execute("update payments set amount = amount - 1 where id = ?", (payment_id,))
    database.commit()
    shop.redis.set(f"tried:{payment_id}", 1)


def number_in_a_commit_of_its_own(reference):
    database = shop.connect()
    if _is_booked(database, reference):
        return
    _deposit(database, 1)
    database.commit()
    (number,) = database.execute("select balance from accounts").fetchone()
    database.execute("insert or ignore into entries values (?, ?)", (reference, number))
    database.commit()


def number_in_the_same_commit(reference):
    database = shop.connect()
    database.execute("begin immediate")
    if not _is_booked(database, reference):
        _deposit(database, 1)
        database.execute("insert into entries select ?, balance from accounts", (reference,))
    database.commit()


# What comes too late


def write_the_old_status(payment_id):
    database = shop.connect()
    database.execute("update payments set status = 'old' where id = ?", (payment_id,))
    database.commit()


def write_the_new_status():
    database = shop.connect()
    database.execute("update payments set status = 'new' where id = 1")
    database.commit()


def write_version_five(payment_id):
    database = shop.connect()
    database.execute(
        "update payments set status = 'five', version = 5 where id = ? and version < 5",
        (payment_id,),
    )
    database.commit()


def write_version_six():
    database = shop.connect()
    database.execute("update payments set status = 'six', version = 6 where id = 1 and version < 6")
    database.commit()


def sync_payment(payment_id):
    database = shop.connect()
    database.execute("insert or replace into payments values (?, 'synced', 1, 0)", (payment_id,))
    database.commit()


def delete_payment():
    database = shop.connect()
    database.execute("delete from payments where id = 1")
    database.commit()


def sync_unless_deleted(reference):
    database = shop.connect()
    database.execute(
        "insert or ignore into entries select ?, 1 "
        "where not exists (select 1 from outbox where reference = ?)",
        (reference, f"deleted {reference}"),
    )
    database.commit()


def delete_with_a_tombstone():
    database = shop.connect()
    database.execute("insert or ignore into outbox values ('deleted 1', '')")
    database.execute("delete from entries where reference = 1")
    database.commit()
