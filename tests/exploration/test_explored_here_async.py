"""`check_idempotent` without a world, in tests that asynchronous engines of SQLAlchemy have prepared."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")
pytest.importorskip("greenlet", reason="greenlet is not installed")
pytest.importorskip("aiosqlite", reason="aiosqlite is not installed")

from sqlalchemy import types, update
from sqlalchemy.ext.asyncio import (
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from test_explored_here_sqlalchemy import Base, Line, Order, rows

from pytest_jobs import check_idempotent
from pytest_jobs.errors import NotIdempotent

Maker = async_sessionmaker(expire_on_commit=False)
Scoped = async_scoped_session(Maker, scopefunc=asyncio.current_task)


async def pay(number):
    async with Maker() as session:
        unpaid = update(Order).where(Order.id == number, Order.paid.is_(False))
        if (await session.execute(unpaid.values(paid=True))).rowcount:
            session.add(Line(order=number))
            await session.commit()


async def pay_in_two_steps(number):
    async with Maker() as session:
        if not (await session.get_one(Order, number)).paid:
            session.add(Line(order=number))
            await session.commit()
            (await session.get_one(Order, number)).paid = True
            await session.commit()


class Cents(types.TypeDecorator):
    impl = types.Integer
    cache_ok = True

    def process_bind_param(self, value, dialect):
        return value


class OtherBase(DeclarativeBase):
    pass


class Bill(OtherBase):
    __tablename__ = "bills"
    id: Mapped[int] = mapped_column(primary_key=True)
    cents: Mapped[int] = mapped_column(Cents)


async def bill(number):
    async with Maker() as session:
        session.add(Bill(cents=number))
        await session.commit()


async def add_in_scope(number):
    Scoped.add(Line(order=number))
    await Scoped.commit()
    await Scoped.remove()


@pytest.fixture(params=["memory", pytest.param("file", marks=pytest.mark.wide)])
def engine(request, tmp_path):
    """An engine with tables, in memory or in a file."""
    place = "" if request.param == "memory" else f"/{tmp_path / 'shop.db'}"
    engine = create_async_engine(f"sqlite+aiosqlite://{place}")

    async def prepare():
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        async with AsyncSession(engine) as session:
            session.add(Order(id=1))
            await session.commit()

    asyncio.run(prepare())
    Maker.configure(bind=engine)
    yield engine
    Maker.configure(bind=None)
    asyncio.run(engine.dispose())


async def rows_of(bind):
    async with AsyncSession(bind) as session:
        return await session.run_sync(lambda inner: rows(inner.get_bind()))


def test_an_effect_lies_in_the_line_that_awaits_it_and_not_in_a_type(engine):
    async def prepare():
        async with engine.begin() as connection:
            await connection.run_sync(OtherBase.metadata.create_all)

    asyncio.run(prepare())
    with pytest.raises(NotIdempotent) as found:
        check_idempotent(bill, args=(1,), histories=["twice"])

    inserted = [line for line in str(found.value).splitlines() if "INSERT INTO bills" in line]
    assert inserted
    assert all("await session.commit()" in line for line in inserted)


def test_each_history_has_a_copy_and_the_test_keeps_its_rows(engine):
    explored = check_idempotent(pay, args=(1,), histories=["twice", "late", "overlap"])
    with pytest.raises(NotIdempotent, match="lines"):
        check_idempotent(pay_in_two_steps, args=(1,), histories=["crash"])

    assert "2 tables, 1 row)" in str(explored)
    assert asyncio.run(rows_of(engine)) == ([(1, False)], [])


@pytest.mark.parametrize("engine", ["memory"], indirect=True)
@pytest.mark.usefixtures("engine")
def test_each_delivery_has_a_session_of_an_asynchronous_scope():
    with pytest.raises(NotIdempotent, match="lines"):
        check_idempotent(add_in_scope, args=(1,), histories=["twice"])


@pytest.mark.wide
def test_in_a_coroutine_with_rows_that_are_not_committed(engine):
    async def test():
        async with engine.connect() as connection:
            await connection.begin()
            Maker.configure(bind=connection, join_transaction_mode="create_savepoint")
            async with Maker() as session:
                session.add(Order(id=2))
                await session.commit()
            check_idempotent(pay, args=(2,), histories=["twice"])
            with pytest.raises(NotIdempotent, match="lines"):
                check_idempotent(pay_in_two_steps, args=(2,), histories=["crash"])
            return await rows_of(connection)

    found = asyncio.run(test())
    Maker.kw.pop("join_transaction_mode")

    assert found == ([(1, False), (2, False)], [])
