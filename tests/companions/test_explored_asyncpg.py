"""Jobs that use PostgreSQL by asyncpg, on a real server."""

import io
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

pytest.importorskip("asyncpg")
pytest.importorskip("psycopg")

import asyncpg
import psycopg

from pytest_jobs import check_idempotent, fake
from pytest_jobs.errors import DivergedState, DuplicateEffect, ExplorationError, NotIdempotent

app = SimpleNamespace(url="", gateway=None, kept=None)

SCHEMA = """
drop table if exists payments, ledger, receipts;
create table payments (id integer primary key, status text, balance integer default 0);
create table ledger (number serial primary key, payment integer);
create table receipts (payment integer primary key);
insert into payments values (1, 'open', 0);
"""


class Gateway:
    async def charge(self, number, key=None):
        pass


@pytest.fixture(autouse=True)
def server(postgresql_url):
    app.url = postgresql_url
    yield
    with psycopg.connect(app.url, autocommit=True) as db:
        db.execute("drop table if exists payments, ledger, receipts")


@contextmanager
def shop():
    with (
        psycopg.connect(app.url, autocommit=True) as db,
        fake(app, "gateway", Gateway(), key="key") as gateway,
    ):
        db.execute(SCHEMA)
        yield lambda: {
            "payments": db.execute("select * from payments").fetchall(),
            "charges": gateway.calls,
        }


def check(job, **options):
    return check_idempotent(job, args=(1,), world=shop, **options)


async def is_done(db, number, locking=""):
    query = f"select status from payments where id = $1 {locking}"
    return await db.fetchval(query, number) == "done"


async def mark(db, number):
    query = "update payments set status = 'done', balance = balance + 1 where id = $1"
    await db.execute(query, number)


async def charge_then_mark(number):
    db = await asyncpg.connect(app.url)
    try:
        if not await is_done(db, number):
            await app.gateway.charge(number)
            await mark(db, number)
    finally:
        await db.close()


async def lock_then_charge_by_key(number):
    async with (
        asyncpg.create_pool(app.url, min_size=1, max_size=2) as pool,
        pool.acquire() as db,
        db.transaction(),
    ):
        if not await is_done(db, number, "for update"):
            await app.gateway.charge(number, key=number)
            await mark(db, number)


async def look_then_mark(number):
    async with (
        asyncpg.create_pool(app.url, min_size=1, max_size=1) as pool,
        pool.acquire() as db,
        db.transaction(),
    ):
        if not await is_done(db, number):
            await mark(db, number)


async def mark_in_turn(number):
    db = await asyncpg.connect(app.url)
    try:
        await db.execute("select pg_advisory_lock(7)")
        if not await is_done(db, number):
            await mark(db, number)
        await db.execute("select pg_advisory_unlock(7)")
    finally:
        await db.close()


async def book(number):
    db = await asyncpg.connect(app.url)
    async with db.transaction():
        insert = await db.prepare("insert into ledger (payment) values ($1)")
        await insert.fetch(number)
    await db.close()


async def copy(number):
    db = await asyncpg.connect(app.url)
    await db.copy_to_table("ledger", source=io.BytesIO(b"7\n"), columns=["payment"])
    await db.copy_records_to_table("ledger", records=[(8,)], columns=["payment"])
    await db.close()


async def write_in_all_ways_once(number):
    db = await asyncpg.connect(app.url)
    async with db.transaction():
        insert = "insert into receipts values ($1) on conflict do nothing"
        await db.executemany(insert, [(1,), (2,)])
        async with db.transaction():
            await db.execute(insert, 3)
        statement = await db.prepare(insert)
        await statement.executemany([(4,), (5,)])
        rows = [row["payment"] async for row in db.cursor("select payment from receipts")]
        await db.fetchrow(insert, 6 if rows else 7)
        cursor = await db.cursor(
            "insert into receipts values (9) on conflict do nothing returning 1"
        )
        await cursor.fetch(1)
        await db.copy_from_query("select 1", output=io.BytesIO(), format="csv")
    await db.close()


async def take_a_lost_answer_for_a_failure(number):
    db = await asyncpg.connect(app.url)
    if await is_done(db, number):
        await db.close()
        return
    try:
        async with db.transaction():
            await mark(db, number)
    except asyncpg.PostgresError:
        await app.gateway.charge(-number, key=number)
    await db.close()


async def use_a_kept_connection(number):
    if app.kept is None:
        app.kept = await asyncpg.connect(app.url)
    await mark(app.kept, number)


def test_a_charge_before_the_update_is_doubled_by_a_crash():
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE gateway\.charge .*\[crash"):
        check(charge_then_mark)


def test_the_lost_update_is_found():
    with pytest.raises(DivergedState, match=r"DIVERGED payments .*\[overlap"):
        check(look_then_mark)


@pytest.mark.parametrize("job", [lock_then_charge_by_key, mark_in_turn])
def test_a_safe_job_is_safe_in_every_history(job):
    explored = check(job)

    assert explored.histories > 10


def test_all_ways_to_write_belong_to_their_transaction():
    explored = check(write_in_all_ways_once, histories=["twice", "crash", "effect_fails"])

    assert "Compared unasked: table receipts" in str(explored)


@pytest.mark.parametrize("job", [book, copy])
def test_a_table_that_the_world_does_not_show_is_compared(job):
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE table ledger \(not shown\) \[twice"):
        check(job, histories=["twice"])


def test_an_answer_that_is_lost_reaches_the_branch_of_the_job():
    with pytest.raises(NotIdempotent, match=r"\[reply_lost"):
        check(take_a_lost_answer_for_a_failure, histories=["twice", "reply_lost"])


def test_a_connection_that_an_earlier_delivery_has_opened_is_refused():
    try:
        with pytest.raises(
            ExplorationError, match="a connection of asyncpg that was opened before"
        ):
            check(use_a_kept_connection, histories=["overlap"])
    finally:
        app.kept = None


def sessions():
    with psycopg.connect(app.url, autocommit=True) as db:
        return db.execute(
            "select pid, application_name from pg_stat_activity "
            "where backend_type = 'client backend' and pid <> pg_backend_pid() order by pid"
        ).fetchall()


def test_no_session_of_a_delivery_is_left():
    # The worlds of other tests keep theirs.
    known = sessions()

    check(mark_in_turn, histories=["crash", "overlap"])

    assert sessions() == known


def test_nothing_is_left_behind():
    def state():
        return [
            *map(vars(asyncpg.Connection).get, ("execute", "fetch", "close", "_copy_in")),
            asyncpg.connect_utils._connect,
        ]

    before = state()
    check(lock_then_charge_by_key, histories=["twice"])

    assert state() == before


async def connect_elsewhere(number):
    await asyncpg.connect("postgresql://db.example.com/shop")


def test_a_server_elsewhere_is_refused_before_its_name_is_looked_up():
    with pytest.raises(ExplorationError, match=r"a connection of asyncpg to the real db\.example"):
        check(connect_elsewhere)
