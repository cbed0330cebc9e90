"""Jobs that use PostgreSQL: by psycopg and by SQLAlchemy, waiting and awaiting, on a real server."""

from __future__ import annotations

import contextlib
import re
from types import ModuleType
from unittest.mock import Mock

import pytest

pytest.importorskip("psycopg")
pytest.importorskip("sqlalchemy")
pytest.importorskip("aiosqlite")

import explored_orm as orm
import explored_sql as plain
import psycopg
from explored_orm_worlds import Gateway, world
from sqlalchemy import (
    Boolean,
    Column,
    Integer,
    MetaData,
    NullPool,
    Sequence,
    Table,
    create_engine,
    event,
    select,
    text,
)
from sqlalchemy.dialects.mysql import MEDIUMTEXT

from pytest_jobs import check_idempotent, fake, sqlalchemy_world
from pytest_jobs.errors import (
    DivergedState,
    DuplicateEffect,
    ExplorationError,
    StuckJob,
)
from pytest_jobs.exploration.histories.explorer import Explorer
from pytest_jobs.harness.records.patches import Patches


@pytest.fixture
def shop(postgresql_url):
    """The world of the jobs that use psycopg, whose schema SQLAlchemy makes."""
    engine = create_engine("postgresql+psycopg://nowhere")

    def shop():
        patches = Patches()
        with (
            sqlalchemy_world(
                orm.Base,
                bind=engine,
                url=postgresql_url,
                rows=[
                    orm.Payment(id=1),
                    orm.Payment(id=2),
                    orm.Account.__table__.insert().values(id=1, balance=0),
                ],
            ) as database,
            fake(plain, "gateway", Gateway(), key="key") as gateway,
        ):
            place = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
            patches.set(plain, "url", place)
            try:
                yield lambda: {**database.snapshot(), "charges": gateway.calls}
            finally:
                patches.restore()

    return shop


@pytest.fixture
def orm_shop(postgresql_url):
    return world((orm, "engine"), postgresql_url)


@pytest.fixture
def async_shop(postgresql_url):
    return world((orm, "async_engine"), postgresql_url)


def check(job, where, histories="all", **options):
    return check_idempotent(job, args=(1,), world=where, histories=histories, **options)


def failing(job, where, history, monkeypatch):
    """Return the points at which a history of a job fails, not only the first."""
    points = []

    def try_all(self, plans, go_on):
        for plan in plans:
            self.exploration.histories += 1
            if self.try_out(plan) is not None:
                points.append(str(plan.point))

    monkeypatch.setattr(Explorer, "_try_all", try_all)
    check(job, where, [history], every_line=True)
    return points


# A pool of a module


@pytest.fixture(params=["waiting", "awaiting"])
def pooled(request, postgresql_url):
    """Return a job that uses a pool which is older than the check, and its world."""
    psycopg_pool = pytest.importorskip("psycopg_pool")
    is_awaited = request.param == "awaiting"
    mark = "update pooled set paid = true where id = %s"
    pool = psycopg_pool.ConnectionPool(postgresql_url, min_size=1, open=True)
    awaited = psycopg_pool.AsyncConnectionPool(postgresql_url, min_size=1, open=False)

    def pay(number, charge):
        with pool.connection() as connection:
            paid = connection.execute("select paid from pooled where id = %s", [number]).fetchone()
        if not paid[0]:
            charge(number)
            with pool.connection() as connection:
                connection.execute(mark, [number])

    async def pay_awaited(number, charge):
        if awaited.closed:
            await awaited.open()
        async with awaited.connection() as connection:
            rows = await connection.execute("select paid from pooled where id = %s", [number])
            (paid,) = await rows.fetchone()
        if not paid:
            charge(number)
            async with awaited.connection() as connection:
                await connection.execute(mark, [number])

    def world():
        with pool.connection() as connection:
            connection.execute("drop table if exists pooled")
            connection.execute("create table pooled (id int primary key, paid bool default false)")
            connection.execute("insert into pooled values (1)")

        def rows():
            with pool.connection() as connection:
                return connection.execute("select * from pooled").fetchall()

        yield lambda: {"pooled": rows(), "charges": list(charges)}

    charges = []
    yield (pay_awaited if is_awaited else pay), world
    pool.close()


def test_each_delivery_has_its_own_connections_in_a_pool_of_a_module(pooled):
    job, world = pooled
    check_idempotent(job, args=(1, Mock(name="ask")), world=world, histories=["twice"])
    with pytest.raises(DuplicateEffect, match="charge"):
        check_idempotent(job, args=(1, Mock(name="charge")), world=world, histories=["crash"])


# psycopg


@pytest.mark.parametrize(
    "job", [plain.look_then_deposit, plain.look_then_deposit_async], ids=["waiting", "awaiting"]
)
def test_the_lost_update_of_read_committed_is_found_and_only_by_overlapping(job, shop):
    check(job, shop, ["twice", "restart", "crash", "effect_fails", "reply_lost", "late"])
    with pytest.raises(DivergedState, match=r"DIVERGED accounts\b.*\[overlap"):
        check(job, shop)


def test_the_lost_update_happens_between_the_look_and_the_first_update(shop, monkeypatch):
    found = failing(plain.look_then_deposit, shop, "overlap", monkeypatch)

    assert [re.sub(r"line \d+", "line n", point) for point in found] == [
        "before line n of look_then_deposit: _mark(db, number)",
        """before line n of _mark: db.execute("update payments set status = 'done' where id = %s", (number,))""",
        "before psycopg: update payments set status = 'done' where id = %s",
    ]


@pytest.mark.parametrize(
    "job",
    [
        plain.lock_then_deposit,
        plain.lock_by_advice_then_deposit,
        plain.deposit_if_unsettled,
        plain.deposit_at_serializable,
        plain.charge_by_key_then_mark,
        plain.number_an_entry,
        plain.copy_entries,
        plain.insert_many,
        plain.read_in_all_ways,
        plain.deposit_in_a_pipeline,
        plain.roll_back,
        plain.deposit_if_unsettled_async,
        plain.copy_and_stream_async,
    ],
)
def test_a_safe_job_is_safe_in_every_history(job, shop):
    explored = check(job, shop, time_limit=60.0)

    assert explored.histories == explored.to_dict()["arguments"][0]["planned"] > 5


@pytest.mark.parametrize(
    "job", [plain.charge_then_mark, plain.charge_then_mark_async], ids=["waiting", "awaiting"]
)
def test_a_guard_that_a_crash_passes_is_found(job, shop):
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE gateway\.charge\b.*\[crash"):
        check(job, shop)


def test_work_that_two_transactions_tear_apart_is_found(shop):
    with pytest.raises(DivergedState, match=r"DIVERGED accounts\b.*\[crash"):
        check(plain.deposit_in_two_transactions, shop)
    with pytest.raises(StuckJob, match=r"STUCK accounts\b.*\[crash"):
        check(plain.deposit_in_autocommit, shop)


def test_an_answer_that_is_lost_reaches_the_branch_of_the_job(shop):
    with pytest.raises(DivergedState, match=r"DIVERGED payments\b.*\[reply_lost"):
        check(plain.take_a_lost_answer_for_a_failure, shop, ["twice", "crash", "reply_lost"])


def test_a_number_that_is_rolled_back_is_another_key(shop):
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE gateway\.charge\b.*\[crash"):
        check(plain.number_an_entry_then_charge, shop)


def test_a_copy_is_an_effect(shop):
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE entries\b.*\[twice"):
        check(plain.copy_entries_each_time, shop)


def test_a_connection_that_is_kept_in_a_module_is_refused(shop):
    with pytest.raises(
        ExplorationError, match=r"a connection to PostgreSQL that was opened before"
    ):
        check(plain.keep_a_connection, shop)


def test_a_connection_that_two_deliveries_would_share_is_refused(shop):
    try:
        with pytest.raises(
            ExplorationError, match=r"a connection to PostgreSQL that was opened before"
        ):
            check(plain.use_a_kept_connection, shop, ["overlap"])
    finally:
        plain.framework.connection = None


def test_each_process_opens_the_connection_that_a_class_keeps_for_it(shop):
    check(plain.use_the_connection_of_the_process, shop, ["overlap", "restart"])

    assert plain.Database.connection is None


def test_a_job_that_only_reads_shows_nothing(shop):
    with pytest.raises(ExplorationError, match="changes nothing that the world shows"):
        check(plain.always_read, shop)


def test_no_session_of_a_delivery_is_left(shop, postgresql_url):
    check(plain.lock_by_advice_then_deposit, shop, ["crash", "overlap"])

    with contextlib.closing(psycopg.connect(postgresql_url, autocommit=True)) as db:
        left = db.execute(
            "select query, state from pg_stat_activity "
            "where backend_type = 'client backend' and state <> 'idle' and pid <> pg_backend_pid()"
        ).fetchall()
    assert left == []


def test_nothing_is_left_behind(shop):
    def state():
        return (
            psycopg.BaseConnection.__init__,
            psycopg.Cursor.execute,
            psycopg.AsyncCursor.copy,
            psycopg.AsyncConnection.wait,
            vars(psycopg.AsyncConnection)["connect"],
            psycopg.Connection.commit,
            psycopg.Transaction.__exit__,
        )

    before = state()
    check(plain.charge_by_key_then_mark, shop, ["twice"])
    with pytest.raises(DuplicateEffect):
        check(plain.charge_then_mark, shop)

    assert state() == before


# SQLAlchemy


def test_the_lost_update_is_found_in_the_orm_and_its_locking_twin_is_safe(orm_shop):
    with pytest.raises(DivergedState, match=r"DIVERGED accounts\b.*\[overlap"):
        check(orm.look_then_deposit, orm_shop)
    check(orm.lock_then_charge, orm_shop)
    check(orm.deposit_in_one_commit, orm_shop)


def test_awaiting_jobs_of_the_orm(async_shop):
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE gateway\.charge\b.*\[crash"):
        check(orm.charge_then_mark_async, async_shop)
    check(orm.deposit_by_core_async, async_shop)


@pytest.mark.parametrize("is_bound", [True, False], ids=["of a world", "of the project"])
def test_the_older_driver_reads_and_writes_as_itself(postgresql_url, is_bound):
    pytest.importorskip("psycopg2", reason="psycopg2 is not installed")
    engine = create_engine(
        postgresql_url.replace("postgresql:", "postgresql+psycopg2:"), poolclass=NullPool
    )
    metadata = MetaData()
    orders = Table(
        "orders",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("paid", Boolean, default=False),
    )
    bank = Gateway()

    def pay(number, key=None):
        with engine.connect() as connection:
            paid = connection.scalar(select(orders.c.paid).where(orders.c.id == number))
        if not paid:
            bank.charge(number, key=key)
            with engine.begin() as connection:
                connection.execute(orders.update().values(paid=True))

    def bound():
        row = orders.insert().values(id=1)
        with sqlalchemy_world(metadata, bind=engine, url=postgresql_url, rows=[row]) as database:
            yield database.snapshot

    def of_project():
        metadata.drop_all(engine)
        metadata.create_all(engine)
        with engine.begin() as connection:
            connection.execute(orders.insert().values(id=1))

        def rows():
            with engine.connect() as connection:
                return connection.execute(select(orders)).fetchall()

        yield lambda: {"orders": rows()}
        metadata.drop_all(engine)

    @contextlib.contextmanager
    def shop():
        with (
            contextlib.contextmanager(bound if is_bound else of_project)() as snapshot,
            fake(bank, "charge", lambda number, key: None, key="key") as charges,
        ):
            yield lambda: {**snapshot(), "charges": charges.calls}

    with pytest.raises(DuplicateEffect, match=r"charge\b.*\[crash"):
        check_idempotent(pay, args=(1,), world=shop, histories=["crash"])
    check_idempotent(pay, args=(1,), kwargs={"key": "1"}, world=shop)


def test_a_driver_without_a_row_is_refused_by_name():
    driver = ModuleType("pg8000")
    driver.paramstyle, driver.__version__ = "format", "1.31"
    engine = create_engine("postgresql+pg8000://nowhere", module=driver)

    def pay(number):
        with engine.begin() as connection:
            connection.execute(text("update orders set paid = true"))

    def world():
        yield lambda: {"answer": 42}

    with pytest.raises(ExplorationError, match=r"used the driver pg8000 of SQLAlchemy"):
        check_idempotent(pay, args=(1,), world=world)


def test_a_row_that_was_rolled_back_leaves_a_gap_which_is_no_difference(orm_shop):
    check(orm.book_once, orm_shop)


def test_a_row_for_each_delivery_is_a_duplicate(orm_shop):
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE entries\b.*\[twice") as found:
        check(orm.book, orm_shop)

    assert "<entries.id 2>" in str(found.value)


def test_a_url_of_another_database_is_refused():
    with pytest.raises(
        ExplorationError, match=r"url=sqlite:///shop\.db is none of PostgreSQL or MySQL"
    ):
        check(orm.book_once, world((orm, "engine"), "sqlite:///shop.db"))


def test_a_table_that_names_its_schema_is_refused(postgresql_url):
    metadata = MetaData()
    Table("orders", metadata, Column("id", Integer, primary_key=True), schema="sales")

    with pytest.raises(ExplorationError, match=r"sales\.orders names the schema that it is in"):
        sqlalchemy_world(metadata, bind=orm.engine, url=postgresql_url).__enter__()


def test_a_table_that_cannot_be_made_is_an_error(postgresql_url):
    metadata = MetaData()
    Table("orders", metadata, Column("note", MEDIUMTEXT))

    with pytest.raises(ExplorationError, match=r"The tables cannot be made in .* can't render"):
        sqlalchemy_world(metadata, bind=orm.engine, url=postgresql_url).__enter__()


def test_what_the_tables_are_made_with_is_there_in_every_history(postgresql_url):
    metadata = MetaData()
    numbers = Sequence("invoice_numbers", metadata=metadata)
    orders = Table("orders", metadata, Column("id", Integer, numbers, primary_key=True))

    @event.listens_for(orders, "after_create")
    def _seed(target, connection, **options):
        connection.execute(orders.insert().values(id=7))

    for _ in range(2):
        with sqlalchemy_world(metadata, bind=orm.engine, url=postgresql_url) as database:
            assert database.snapshot() == {"orders": [(7,)]}
            with orm.engine.begin() as connection:
                connection.execute(orders.insert())
            assert len(database.rows("orders")) == 2
        orm.engine.dispose()


def test_the_schema_of_a_world_is_dropped_with_its_process(postgresql_url, pytester):
    script = pytester.makepyfile(
        f"""
        from sqlalchemy import Column, Integer, MetaData, Table, create_engine, text
        from pytest_jobs import sqlalchemy_world

        metadata = MetaData()
        Table("orders", metadata, Column("id", Integer, primary_key=True))
        engine = create_engine("postgresql+psycopg://nowhere")
        with sqlalchemy_world(metadata, bind=engine, url="{postgresql_url}") as database:
            print(database.connection.scalar(text("select current_schema()")))
        """
    )

    schema = pytester.runpython(script).stdout.str().strip()

    assert schema.startswith("pytest_jobs_")
    with contextlib.closing(psycopg.connect(postgresql_url, autocommit=True)) as db:
        assert db.execute("select to_regnamespace(%s)", (schema,)).fetchone() == (None,)
