"""`check_idempotent` without a world, in tests of SQLAlchemy that use a PostgreSQL server."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")
pytest.importorskip("psycopg", reason="psycopg is not installed")

from servers import postgresql_url  # noqa: F401
from sqlalchemy import ForeignKey, create_engine, delete, func, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from pytest_jobs import check_idempotent
from pytest_jobs.errors import DuplicateEffect, ExplorationError, NotIdempotent


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    balance: Mapped[int] = mapped_column(default=100)
    paid: Mapped[bool] = mapped_column(default=False)
    changes: Mapped[int] = mapped_column(default=0)


class Line(Base):
    __tablename__ = "lines"
    id: Mapped[int] = mapped_column(primary_key=True)
    order: Mapped[int] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"))


#: Counts the changes of an order; a view; and a type and a name that need quotes.
BESIDES = """
create function count_change() returns trigger language plpgsql as
    $$ begin new.changes := old.changes + 1; return new; end $$;
create trigger counted before update on orders for each row execute function count_change();
create view unpaid as select * from orders where not paid;
create type kind as enum ('mail', 'letter');
create table "Sent by" (id smallserial primary key, kind kind default 'mail');
insert into "Sent by" default values;
"""
Maker = sessionmaker()
shop = SimpleNamespace(engine=None, url=None)


def pay_in_one_statement(number):
    with Maker() as session:
        unpaid = update(Order).where(Order.id == number, Order.paid.is_(False))
        if session.execute(unpaid.values(paid=True, balance=Order.balance - 10)).rowcount:
            session.add(Line(order=number))
            session.commit()


def pay_without_a_lock(number):
    with Maker() as session:
        order = session.get_one(Order, number)
        if not order.paid:
            order.paid = True
            order.balance -= 10
            session.add(Line(order=number))
            session.commit()


def pay_in_two_steps(number):
    with Maker() as session:
        if session.execute(text("select 1 from unpaid where id = :id"), {"id": number}).first():
            session.add(Line(order=number))
            session.commit()
            session.get_one(Order, number).paid = True
            session.commit()


def clear(number):
    with Maker() as session:
        session.execute(delete(Order).where(Order.id == number))
        session.execute(text('delete from "Sent by"'))
        session.commit()


def send_twice(number):
    with Maker() as session:
        session.execute(text("insert into \"Sent by\" (kind) values ('letter')"))
        session.commit()


@pytest.fixture(scope="module")
def server(postgresql_url):  # noqa: F811
    """An engine whose database has the tables of a shop."""
    engine = create_engine(postgresql_url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # pytest-xdist may hand the module to one process twice.
        connection.exec_driver_sql("drop database if exists shop with (force)")
        connection.exec_driver_sql("create database shop")
    engine.dispose()
    engine = create_engine(engine.url.set(database="shop"))
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql(BESIDES)
    yield engine
    engine.dispose()


@pytest.fixture
def committed(server):
    with Session(server) as session:
        session.add(Order(id=1))
        session.commit()
    Maker.configure(bind=server)
    yield server
    with server.begin() as connection:
        connection.exec_driver_sql("truncate orders cascade")


@contextmanager
def transaction_of_test(engine):
    """Let sessions be bound to a transaction that is rolled back, as the documentation of SQLAlchemy does it."""
    with engine.connect() as connection:
        transaction = connection.begin()
        Maker.configure(bind=connection, join_transaction_mode="create_savepoint")
        with Maker() as session:
            session.add(Order(id=1))
            session.commit()
        yield connection
        transaction.rollback()
    Maker.kw.pop("join_transaction_mode")


@pytest.fixture
def held(server):
    with transaction_of_test(server) as connection:
        yield connection


def rows(bind):
    with Session(bind) as session:
        orders = session.execute(select(Order.id, Order.balance, Order.paid, Order.changes)).all()
        sent = session.execute(text('select * from "Sent by"')).all()
        return orders, session.scalar(select(func.count()).select_from(Line)), sent


@pytest.fixture
def older(server):
    """An engine with the driver psycopg2, of which the check sees only what SQLAlchemy does by it."""
    pytest.importorskip("psycopg2", reason="psycopg2 is not installed")
    engine = create_engine(server.url.set(drivername="postgresql+psycopg2"))
    yield engine
    engine.dispose()


@pytest.fixture
def committed_by_psycopg2(committed, older):
    Maker.configure(bind=older)
    return older


@pytest.fixture
def held_by_psycopg2(older):
    with transaction_of_test(older) as connection:
        yield connection


WANTED = ([(1, 100, False, 0)], 0, [(1, "mail")])


@pytest.mark.wide
@pytest.mark.parametrize(
    "prepared", ["committed", "held", "committed_by_psycopg2", "held_by_psycopg2"]
)
def test_each_history_has_a_copy_and_the_test_keeps_its_rows(request, prepared):
    bind = request.getfixturevalue(prepared)
    explored = check_idempotent(pay_in_one_statement, args=(1,), histories=["twice", "crash"])
    check_idempotent(clear, args=(1,), histories=["twice"])
    with pytest.raises(NotIdempotent, match="lines"):
        check_idempotent(pay_in_two_steps, args=(1,), histories=["crash"])

    assert "world: here (shop: 3 tables, 2 rows)" in str(explored)
    assert rows(bind) == WANTED


@pytest.mark.usefixtures("committed_by_psycopg2")
def test_an_engine_of_psycopg2_reads_and_fails_as_itself():
    gateway = Mock(spec=["charge"])

    def charge(number):
        with shop.engine.connect() as connection:
            paid = text("select paid from orders where id = :id")
            if connection.execute(paid, {"id": number}).scalar():
                return
        gateway.charge(number)
        with (
            pytest.raises(IntegrityError) as raised,
            shop.engine.begin() as connection,
        ):
            connection.execute(text("insert into orders (id) values (1)"))
        assert type(raised.value.orig).__module__ == "psycopg2.errors"
        with shop.engine.begin() as connection:
            connection.execute(text("update orders set paid = true"))

    shop.engine = Maker.kw["bind"]
    with pytest.raises(DuplicateEffect, match="charge"):
        check_idempotent(charge, args=(1,), histories=["crash"])


@pytest.mark.usefixtures("held")
def test_a_row_that_is_read_without_a_lock_is_overtaken():
    with pytest.raises(NotIdempotent, match=r"\[overlap"):
        check_idempotent(pay_without_a_lock, args=(1,), histories=["overlap"])


@pytest.mark.usefixtures("committed")
def test_a_table_with_a_type_and_a_sequence_of_its_own_is_compared():
    with pytest.raises(NotIdempotent, match="Sent by"):
        check_idempotent(send_twice, args=(1,), histories=["twice"])


def test_nothing_stays_in_the_database(committed):
    check_idempotent(clear, args=(1,), histories=["twice"])

    with committed.connect() as connection:
        found = connection.execute(text("select nspname from pg_namespace"))
        assert not [name for (name,) in found if "pytest" in name]


def test_an_asynchronous_engine(committed):
    asyncio_of = pytest.importorskip("sqlalchemy.ext.asyncio")
    pytest.importorskip("greenlet", reason="greenlet is not installed")
    engine = asyncio_of.create_async_engine(committed.url)
    maker = asyncio_of.async_sessionmaker(engine)

    async def pay(number):
        async with maker() as session:
            if not (await session.get_one(Order, number)).paid:
                session.add(Line(order=number))
                await session.commit()
                (await session.get_one(Order, number)).paid = True
                await session.commit()

    with pytest.raises(NotIdempotent, match="lines"):
        check_idempotent(pay, args=(1,), histories=["crash"])
    asyncio.run(engine.dispose())

    assert rows(committed) == WANTED


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_in_the_transaction_of_an_asynchronous_test(committed, driver):
    asyncio_of = pytest.importorskip("sqlalchemy.ext.asyncio")
    pytest.importorskip("greenlet", reason="greenlet is not installed")
    pytest.importorskip(driver, reason=f"{driver} is not installed")
    url = committed.url.set(drivername=f"postgresql+{driver}")
    engine = asyncio_of.create_async_engine(url)

    async def test():
        async with engine.connect() as connection:
            await connection.begin()
            maker = asyncio_of.async_sessionmaker(
                connection, join_transaction_mode="create_savepoint"
            )

            async def mark(number):
                async with maker() as session:
                    session.add(Line(order=number))
                    await session.commit()

            async with maker() as session:
                session.add(Order(id=2))
                await session.commit()
            with pytest.raises(NotIdempotent, match="lines"):
                check_idempotent(mark, args=(2,), histories=["twice"])
            # The connection of the test is as it was.
            async with maker() as session:
                assert (await session.get_one(Order, 2)).id == 2
        await engine.dispose()

    asyncio.run(test())

    assert rows(committed) == WANTED


# What cannot be copied


def refusal(job):
    with pytest.raises(ExplorationError) as refused:
        check_idempotent(job, args=(1,), histories=["twice"])
    return str(refused.value)


def test_a_table_that_the_test_has_made_in_its_transaction_is_refused(server):
    with transaction_of_test(server) as connection:
        connection.exec_driver_sql("create table drafts (id integer)")

        assert refusal(pay_in_one_statement) == (
            "The table drafts was made in the transaction of the test, in which no worker can see it: make it in "
            "a fixture that commits, before the test begins its transaction."
        )


def test_a_table_that_is_out_of_sight_is_refused(committed):
    with committed.begin() as connection:
        connection.exec_driver_sql("create schema archive create table old (id integer)")

    error = refusal(pay_in_one_statement)
    with committed.begin() as connection:
        connection.exec_driver_sql("drop schema archive cascade")

    assert "The table old of Engine(" in error
    assert (
        "it is in the schema archive, which the search_path leaves out. Build the database" in error
    )


def test_a_connection_with_a_path_of_its_own_is_refused(committed):
    from sqlalchemy import event

    engine = create_engine(committed.url)

    @event.listens_for(engine, "connect")
    def look_elsewhere(connection, record):
        connection.execute("set search_path = public")
        connection.commit()

    Maker.configure(bind=engine)
    error = refusal(pay_in_one_statement)
    engine.dispose()

    assert "The job sets the search_path of its connection to public" in error
    assert rows(committed) == WANTED


@pytest.mark.usefixtures("committed")
def test_a_statement_that_names_the_schema_of_the_test_is_refused():
    def pay_by_name(number):
        with Maker() as session:
            session.execute(text('update "public".orders set paid = true'))
            session.commit()

    assert "A statement of the job names the schema public, so that it would use" in refusal(
        pay_by_name
    )


def test_a_connection_past_the_engine_is_refused(committed):
    import psycopg

    # The engine itself leads to the copy while the job runs.
    place = committed.url.set(drivername="postgresql").render_as_string(hide_password=False)

    def pay_directly(number):
        pay_in_one_statement(number)
        with psycopg.connect(place) as connection:
            connection.execute("update orders set balance = 0 where id = 2")

    assert "(update orders set balance = 0 where id = 2), which the world neither makes" in refusal(
        pay_directly
    )


def test_a_driver_that_nobody_knows_is_refused(committed):
    driver = SimpleNamespace(__version__="1.31", paramstyle="format")
    engine = create_engine(committed.url.set(drivername="postgresql+pg8000"), module=driver)

    def pay(number):
        with engine.begin() as connection:
            connection.execute(text("update orders set paid = true"))

    assert "whose driver pg8000 a check does not know" in refusal(pay)
