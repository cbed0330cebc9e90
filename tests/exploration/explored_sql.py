"""Jobs that use psycopg, waiting and awaiting, whose world is a schema of PostgreSQL."""

from __future__ import annotations

from types import SimpleNamespace

import psycopg
from psycopg import sql

url = ""
gateway = None
kept: list = []


#: Belongs to no class or module of the project, as the connection of a framework may.
framework = SimpleNamespace(connection=None)


class Database:
    """Keeps a connection for the process."""

    connection = None


def connect(**options):
    return psycopg.connect(url, **options)


async def connect_async(**options):
    return await psycopg.AsyncConnection.connect(url, **options)


def _status(db, number, locking=""):
    query = f"select status from payments where id = %s {locking}"
    return db.execute(query, (number,)).fetchone()[0]


def _mark(db, number):
    db.execute("update payments set status = 'done' where id = %s", (number,))


def _deposit(db):
    db.execute("update accounts set balance = balance + 100")


def charge_then_mark(number):
    with connect() as db:
        if _status(db, number) != "done":
            gateway.charge(number)
            _mark(db, number)


def charge_by_key_then_mark(number):
    with connect() as db:
        if _status(db, number) != "done":
            gateway.charge(number, key=number)
            _mark(db, number)


def look_then_deposit(number):
    """B58: a guard and an update in one transaction, at READ COMMITTED."""
    with connect() as db:
        if _status(db, number) != "done":
            _mark(db, number)
            _deposit(db)


def lock_then_deposit(number):
    """S46: the row is locked before it is looked at."""
    with connect() as db:
        if _status(db, number, "for update") != "done":
            _mark(db, number)
            _deposit(db)


def lock_by_advice_then_deposit(number):
    """S46 once more: by a lock of the session, which ends with it."""
    with connect(autocommit=True) as db:
        db.execute("select pg_advisory_lock(%s)", (number,))
        with db.transaction():
            if _status(db, number) != "done":
                _mark(db, number)
                _deposit(db)
        db.execute("select pg_advisory_unlock(%s)", (number,))


def deposit_if_unsettled(number):
    """S47: the guard is in the update."""
    with connect() as db:
        settled = db.execute(
            "update payments set status = 'done' where id = %s and status <> 'done'", (number,)
        )
        if settled.rowcount:
            _deposit(db)


def deposit_at_serializable(number):
    with connect() as db:
        db.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
        if _status(db, number) != "done":
            _mark(db, number)
            _deposit(db)


def deposit_in_two_transactions(number):
    with connect(autocommit=True) as db:
        if _status(db, number) == "done":
            return
        with db.transaction():
            _deposit(db)
        with db.transaction(), db.transaction():
            _mark(db, number)


def deposit_in_autocommit(number):
    with connect(autocommit=True) as db:
        if _status(db, number) != "done":
            _mark(db, number)
            _deposit(db)


def take_a_lost_answer_for_a_failure(number):
    db = connect(autocommit=True)
    try:
        if _status(db, number) == "open":
            _mark(db, number)
    except psycopg.OperationalError:
        with connect() as other:
            other.execute("update payments set status = 'failed' where id = %s", (number,))
    finally:
        db.close()


def number_an_entry_then_charge(number):
    """Charges by the number of a row that is not committed yet."""
    with connect() as db:
        if _status(db, number) != "done":
            entry = db.execute(
                "insert into entries (payment_id) values (%s) returning id", (number,)
            ).fetchone()[0]
            gateway.charge(number, key=f"entry-{entry}")
            _mark(db, number)


def number_an_entry(number):
    """Sends the number of a row that is committed: a gap after a rollback is not a difference."""
    with connect() as db:
        if _status(db, number, "for update") != "done":
            db.execute("insert into entries (payment_id) values (%s)", (number,))
            _mark(db, number)
    with connect() as db:
        entry = db.execute("select id from entries where payment_id = %s", (number,)).fetchone()[0]
    gateway.charge(f"entry-{entry}", key=number)


def copy_entries(number):
    with connect() as db:
        if _status(db, number, "for update") == "done":
            return
        db.execute("delete from entries")
        with db.cursor() as cursor, cursor.copy("copy entries (payment_id) from stdin") as copy:
            for _ in range(2):
                copy.write_row((number,))
        _mark(db, number)


def copy_entries_each_time(number):
    with connect() as db, db.cursor() as cursor:
        with cursor.copy("copy (select id from payments) to stdout") as copy:
            assert len(list(copy.rows())) == 2
        with cursor.copy("copy entries (payment_id) from stdin") as copy:
            copy.write_row((number,))


def insert_many(number):
    with connect() as db, db.cursor() as cursor:
        if _status(db, number, "for update") != "done":
            cursor.executemany("insert into entries (payment_id) values (%s)", [(1,), (2,)])
            _mark(db, number)


def read_in_all_ways(number):
    with connect() as db:
        with db.cursor("on the server") as cursor:
            cursor.execute("select id from payments order by id")
            seen = sum(row[0] for row in cursor)
        with db.cursor() as streaming:
            for row in streaming.stream("select id from payments order by id"):
                seen += row[0]
        query = sql.SQL("update payments set status = {} where id = %s").format(str(seen))
        db.execute(query, (number,))


def deposit_in_a_pipeline(number):
    with connect() as db, db.pipeline():
        status = db.execute("select status from payments where id = %s for update", (number,))
        if status.fetchone()[0] == "done":
            return
        _mark(db, number)
        _deposit(db)


def keep_a_connection(number):
    if not kept:
        kept.append(connect(autocommit=True))
    _mark(kept[0], number)


def use_a_kept_connection(number):
    if framework.connection is None:
        framework.connection = connect(autocommit=True)
    _mark(framework.connection, number)


def use_the_connection_of_the_process(number):
    if Database.connection is None:
        Database.connection = connect(autocommit=True)
    _mark(Database.connection, number)


def roll_back(number):
    with connect() as db:
        _deposit(db)
        with db.transaction(force_rollback=True):
            _deposit(db)
        db.rollback()
        _mark(db, number)


def always_read(number):
    with connect() as db:
        _status(db, number)


async def charge_then_mark_async(number):
    async with await connect_async() as db:
        cursor = await db.execute("select status from payments where id = %s", (number,))
        if (await cursor.fetchone())[0] != "done":
            gateway.charge(number)
            await db.execute("update payments set status = 'done' where id = %s", (number,))


async def look_then_deposit_async(number):
    async with await connect_async() as db:
        cursor = await db.execute("select status from payments where id = %s", (number,))
        if (await cursor.fetchone())[0] != "done":
            await db.execute("update payments set status = 'done' where id = %s", (number,))
            await db.execute("update accounts set balance = balance + 100")


async def deposit_if_unsettled_async(number):
    async with await connect_async(autocommit=True) as db, db.transaction():
        settled = await db.execute(
            "update payments set status = 'done' where id = %s and status <> 'done'", (number,)
        )
        if settled.rowcount:
            async with db.cursor() as cursor:
                await cursor.executemany(
                    "update accounts set balance = balance + %s", [(50,), (50,)]
                )


async def copy_and_stream_async(number):
    async with await connect_async() as db, db.cursor() as cursor:
        await cursor.execute("lock table payments in exclusive mode")
        await cursor.execute("delete from entries")
        async with cursor.copy("copy entries (payment_id) from stdin") as copy:
            await copy.write_row((number,))
        seen = [row async for row in cursor.stream("select payment_id from entries")]
        await cursor.execute("update payments set status = %s where id = %s", (str(seen), number))
