"""Jobs that use MySQL by aiomysql and asyncmy, on a real MariaDB server."""

import asyncio
from contextlib import asynccontextmanager, closing, contextmanager
from types import SimpleNamespace

import pytest

from pytest_jobs import check_idempotent, fake
from pytest_jobs.errors import DivergedState, DuplicateEffect, ExplorationError, NotIdempotent

pymysql = pytest.importorskip("pymysql")
url_of = pytest.importorskip("sqlalchemy").make_url

app = SimpleNamespace(driver=None, place={}, gateway=None, kept=None, seen=[])

TABLES = """
payments (id int primary key, status varchar(9), balance int default 0)
ledger (number int auto_increment primary key, payment int)
receipts (payment int primary key)
"""


class Gateway:
    async def charge(self, number, key=None):
        pass


@pytest.fixture
def place(mysql_url):
    """Use aiomysql, with a database of our own."""
    app.driver = pytest.importorskip("aiomysql")
    app.place = {"unix_socket": url_of(mysql_url).query["unix_socket"]}
    with blocking(database=None) as db:
        run(db, "drop database if exists shop")
        run(db, "create database shop")
        for table in TABLES.strip().splitlines():
            run(db, f"create table shop.{table}")
    app.place["user"] = "jobs"
    app.kept, app.seen = None, []


@pytest.fixture(params=["aiomysql", "asyncmy"])
def each_driver(request, place):
    app.driver = pytest.importorskip(request.param)


def blocking(database="shop"):
    # Without a context of TLS for each connection, whose certificates take time.
    options = {"database": database, "ssl_disabled": True, "autocommit": True}
    return closing(pymysql.connect(**app.place, **options))


def run(db, sql, *args):
    with closing(db.cursor()) as cursor:
        cursor.execute(sql, args)
        return cursor.fetchall() if cursor.description else ()


@contextmanager
def shop():
    with blocking() as db, fake(app, "gateway", Gateway(), key="key") as gateway:
        for table in ("payments", "ledger", "receipts"):
            run(db, f"delete from {table}")
        run(db, "insert into payments (id, status) values (1, 'open')")
        yield lambda: {
            "payments": run(db, "select * from payments"),
            "charges": gateway.calls,
        }


@contextmanager
def shop_on_loops():
    """A world that uses the driver of the job, on loops of its own."""

    async def rows():
        async with connected() as db:
            return await ask(db, "select * from payments")

    async def fill():
        async with connected(autocommit=True) as db:
            await ask(db, "replace into payments values (1, 'open', 0)")

    asyncio.run(fill())
    yield lambda: {"payments": asyncio.run(rows())}


def check(job, world=shop, **options):
    return check_idempotent(job, args=(1,), world=world, **options)


@asynccontextmanager
async def connected(**options):
    db = await app.driver.connect(**app.place, db="shop", **options)
    try:
        yield db
    finally:
        db.close()


@asynccontextmanager
async def pooled():
    pool = await app.driver.create_pool(minsize=1, maxsize=2, db="shop", **app.place)
    try:
        async with pool.acquire() as db:
            yield db
    finally:
        pool.close()
        await pool.wait_closed()


async def ask(db, sql, *args, kind=None):
    async with db.cursor(*[kind] if kind else []) as cursor:
        await cursor.execute(sql, args)
        return await cursor.fetchall() if cursor.description else cursor.rowcount


async def is_done(db, number, locking=""):
    [[status]] = await ask(db, f"select status from payments where id = %s {locking}", number)
    return status == "done"


async def mark(db, number):
    sql = "update payments set status = 'done', balance = balance + 1 where id = %s"
    return await ask(db, sql, number)


async def charge_then_mark(number):
    async with connected() as db:
        if not await is_done(db, number):
            await app.gateway.charge(number)
            await mark(db, number)
            await db.commit()


async def lock_then_charge_by_key(number):
    async with pooled() as db:
        await db.begin()
        if not await is_done(db, number, "for update"):
            await app.gateway.charge(number, key=number)
            await mark(db, number)
        await db.commit()


async def look_then_mark(number):
    async with pooled() as db:
        if not await is_done(db, number):
            await mark(db, number)
            await db.commit()


async def mark_in_turn(number):
    async with connected() as turn:
        [[has_turn]] = await ask(turn, "select get_lock(concat('turn ', %s), 10)", number)
        if not has_turn:
            raise TimeoutError
        await look_then_mark(number)


async def book(number):
    async with connected() as db, db.cursor() as cursor:
        await cursor.executemany("insert into ledger (payment) values (%s)", [(number,)])
        await db.autocommit(True)


async def write_in_all_ways_once(number):
    cursors = app.driver.cursors
    async with connected() as db:
        await ask(db, "insert into ledger (payment) values (%s)", number)
        await db.rollback()
        for kind in (cursors.DictCursor, cursors.SSCursor, cursors.SSDictCursor):
            app.seen = await ask(db, "select id from payments", kind=kind)
            await ask(db, "replace into receipts values (%s)", 7, kind=kind)
        async with db.cursor() as cursor:
            await cursor.executemany("replace into receipts values (%s)", [(8,), (9,)])
            await cursor.executemany("delete from receipts where payment = %s", [(5,), (6,)])
        await db.commit()


async def take_a_lost_answer_for_a_failure(number):
    async with connected(autocommit=True) as db:
        if await is_done(db, number):
            return
        try:
            await mark(db, number)
        except app.driver.OperationalError as error:
            app.seen.append(error.args[0])
            await app.gateway.charge(-number, key=number)


async def use_a_kept_connection(number):
    if app.kept is None:
        app.kept = await app.driver.connect(**app.place, db="shop")
    await mark(app.kept, number)


async def prepare_a_booking(number):
    async with connected() as db:
        statement = await db.prepare("insert into ledger (payment) values (?)")
        await statement.execute((number,))
        await statement.close()
        await db.commit()


async def replace_by_cached_statements(number):
    async with connected(stmt_cache_size=4) as db:
        for sql in ["replace into receipts values (%s)"] * 2:
            await ask(db, sql, number)
        await db.commit()


async def mark_each_time(number):
    async with connected(autocommit=True) as db:
        await mark(db, number)


async def connect_elsewhere(number):
    await app.driver.connect(host="db.example.com", user="jobs")


@pytest.mark.usefixtures("each_driver")
def test_a_charge_before_the_commit_is_doubled_by_a_crash():
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE gateway\.charge .*\[crash"):
        check(charge_then_mark, histories=["crash"])


@pytest.mark.usefixtures("each_driver")
def test_a_locked_row_and_a_key_make_it_safe():
    explored = check(lock_then_charge_by_key)

    assert explored.histories > 10


@pytest.mark.usefixtures("each_driver")
def test_all_ways_to_write_belong_to_their_transaction():
    explored = check(write_in_all_ways_once, histories=["twice", "crash"])

    assert "Compared unasked: table ledger, table receipts" in str(explored)
    assert app.seen == [{"id": 1}]


@pytest.mark.usefixtures("each_driver")
def test_a_table_that_the_world_does_not_show_is_compared():
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE table ledger \(not shown\) \[twice"):
        check(book, histories=["twice"])


@pytest.mark.usefixtures("each_driver")
def test_an_answer_that_is_lost_reaches_the_branch_of_the_job():
    with pytest.raises(NotIdempotent, match=r"\[reply_lost"):
        check(take_a_lost_answer_for_a_failure, histories=["twice", "reply_lost"])

    assert set(app.seen) == {2013}


@pytest.mark.usefixtures("each_driver")
def test_a_connection_that_an_earlier_delivery_has_opened_is_refused():
    with pytest.raises(ExplorationError, match=r"`async with (aiomysql|asyncmy)\.create_pool"):
        check(use_a_kept_connection, histories=["twice"])


@pytest.mark.usefixtures("each_driver")
def test_a_server_elsewhere_is_refused_before_its_name_is_looked_up():
    with pytest.raises(ExplorationError, match=r"a connection of \w+ to the real db\.example"):
        check(connect_elsewhere)


def sessions(db):
    return run(db, "select id from information_schema.processlist where user = 'jobs' order by id")


@pytest.mark.usefixtures("each_driver")
def test_nothing_is_left_behind():
    connection, pool = app.driver.Connection, app.driver.Pool

    def state():
        names = ("__init__", "query", "commit", "cursor", "close", "ensure_closed", "ping")
        return [vars(connection)[name] for name in names] + [vars(pool)["_acquire"]]

    with blocking() as db:
        known = state(), sessions(db)
        check(lock_then_charge_by_key, histories=["twice"])

        assert (state(), sessions(db)) == known


def test_the_lost_update_is_found(place):
    with pytest.raises(DivergedState, match=r"DIVERGED payments .*\[overlap"):
        check(look_then_mark, histories=["overlap"])


def test_a_lock_with_a_name_keeps_deliveries_apart(place):
    check(mark_in_turn, histories=["overlap", "crash"])


def test_a_world_may_use_the_driver_itself(place):
    with pytest.raises(DivergedState, match=r"DIVERGED payments \[twice"):
        check(mark_each_time, shop_on_loops, histories=["twice"])


def test_statements_that_are_prepared_are_effects(place):
    app.driver = pytest.importorskip("asyncmy")

    with pytest.raises(DuplicateEffect, match=r"DUPLICATE table ledger .*\[twice"):
        check(prepare_a_booking, histories=["twice"])
    check(replace_by_cached_statements, histories=["twice"])
