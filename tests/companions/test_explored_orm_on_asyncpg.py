"""Asynchronous engines of SQLAlchemy that connect by asyncpg, on a real PostgreSQL server."""

from types import SimpleNamespace

import pytest

pytest.importorskip("asyncpg")
pytest.importorskip("psycopg")
pytest.importorskip("sqlalchemy")

from sqlalchemy import create_engine, make_url, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from pytest_jobs import check_idempotent, fake, sqlalchemy_world
from pytest_jobs.errors import NotIdempotent

app = SimpleNamespace(gateway=None)
Session = async_sessionmaker()


class Base(DeclarativeBase):
    pass


class Payment(Base):
    __tablename__ = "payments"
    id: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(default="open")


class Entry(Base):
    __tablename__ = "entries"
    id: Mapped[int] = mapped_column(primary_key=True)
    payment: Mapped[int]


class Gateway:
    def charge(self, number, key=None):
        pass


@pytest.fixture
def url(postgresql_url):
    """Bind the sessions to an engine of asyncpg, which leads nowhere."""
    settings = {"application_name": "shop", "search_path": "elsewhere"}
    options = {"server_settings": settings}
    Session.configure(
        bind=create_async_engine("postgresql+asyncpg://nowhere", connect_args=options)
    )
    return postgresql_url


@pytest.fixture
def shop(url):
    def world():
        rows = [Payment(id=1)]
        with (
            sqlalchemy_world(Base, bind=Session, url=url, rows=rows) as database,
            fake(app, "gateway", Gateway(), key="key") as gateway,
        ):
            yield lambda: {**database.snapshot(), "charges": gateway.calls}

    return world


def check(job, world, *histories):
    return check_idempotent(job, args=(1,), world=world, histories=histories)


async def charge_then_mark(number):
    async with Session.begin() as session:
        payment = await session.get(Payment, number)
        if payment.status == "open":
            app.gateway.charge(number)
            payment.status = "paid"


async def lock_then_charge_by_key(number):
    async with Session.begin() as session:
        payment = await session.get(Payment, number, with_for_update=True)
        if payment.status == "open":
            app.gateway.charge(number, key=number)
            payment.status = "paid"
            session.add(Entry(payment=number))


async def look_then_book(number):
    async with Session.begin() as session:
        payment = await session.get(Payment, number)
        if payment.status == "open":
            payment.status = "paid"
            session.add(Entry(payment=number))


async def mark_at_once(number):
    autocommit = Session.kw["bind"].execution_options(isolation_level="AUTOCOMMIT")
    async with autocommit.connect() as connection:
        paid = update(Payment).where(Payment.id == number, Payment.status == "open")
        try:
            await connection.execute(paid.values(status="paid"))
        except DBAPIError as error:
            if error.connection_invalidated:
                app.gateway.charge(-number, key=number)


@pytest.mark.parametrize(
    ("job", "history"),
    [(charge_then_mark, "crash"), (look_then_book, "overlap"), (mark_at_once, "reply_lost")],
)
def test_a_session_is_interrupted(shop, job, history):
    with pytest.raises(NotIdempotent, match=rf"\[{history}"):
        check(job, shop, history)


def test_a_locked_row_and_a_key_make_it_safe(shop):
    explored = check(lock_then_charge_by_key, shop, "twice", "crash", "effect_fails", "overlap")

    assert explored.histories > 10


async def book(number):
    async with Session.begin() as session:
        session.add(Entry(payment=number))


def test_the_tables_of_a_test_without_a_world_are_copied(url):
    blocking = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    Base.metadata.create_all(blocking)
    try:
        with blocking.begin() as connection:
            connection.execute(Payment.__table__.insert().values(id=1, status="open"))
        awaited = make_url(url).set(drivername="postgresql+asyncpg")
        Session.configure(bind=create_async_engine(awaited))
        with pytest.raises(NotIdempotent, match="entries"):
            check_idempotent(book, args=(1,), histories=["twice"])
    finally:
        Base.metadata.drop_all(blocking)
        blocking.dispose()
