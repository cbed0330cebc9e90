"""SQLAlchemy on a real MariaDB server: locks of rows, lost answers, numbers that the server gives."""

import sys
from datetime import datetime
from types import SimpleNamespace

import pytest

pytest.importorskip("pymysql")
pytest.importorskip("sqlalchemy")

from sqlalchemy import (
    Column,
    ForeignKey,
    Integer,
    MetaData,
    NullPool,
    String,
    Table,
    create_engine,
    event,
    func,
    update,
)
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

from pytest_jobs import check_idempotent, fake, sqlalchemy_world
from pytest_jobs.errors import DivergedState, DuplicateEffect, ExplorationError, NotIdempotent
from pytest_jobs.exploration.worlds.base import store

app = SimpleNamespace(gateway=None)


class Base(DeclarativeBase):
    pass


class Payment(Base):
    __tablename__ = "payments"
    id: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(String(9), default="open")


class Entry(Base):
    __tablename__ = "entries"
    id: Mapped[int] = mapped_column(primary_key=True)
    payment_id: Mapped[int] = mapped_column(ForeignKey("payments.id"))
    booked_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Account(Base):
    __tablename__ = "accounts"
    id: Mapped[int] = mapped_column(primary_key=True)
    balance: Mapped[int] = mapped_column(default=0)


Session = sessionmaker()
LaterSession = async_sessionmaker()


class Gateway:
    def charge(self, number, key=None):
        pass


@pytest.fixture(params=["mysql+mysqldb", "mysql+mysqlconnector", "sqlite"])
def any_shop(request, mysql_url):
    """A world on the server, for an application whose engine has another driver than the world."""
    modules = {"mysql+mysqldb": "MySQLdb", "mysql+mysqlconnector": "mysql.connector"}
    pytest.importorskip(modules.get(request.param, "pymysql"))
    Session.configure(bind=create_engine(f"{request.param}://"))
    return world_at(mysql_url)


@pytest.fixture
def url(mysql_url):
    # Without a context of TLS for each connection of PyMySQL, whose certificates take time.
    return f"{mysql_url}&ssl_disabled=true"


@pytest.fixture
def shop(url):
    Session.configure(bind=create_engine("mysql+pymysql://"))
    return world_at(url)


def world_at(url, bind=Session):
    def world():
        rows = [Payment(), Payment(id=7), Account(id=1, balance=0)]
        with (
            sqlalchemy_world(Base, bind=bind, url=url, rows=rows) as database,
            fake(app, "gateway", Gateway(), key="key") as gateway,
        ):
            yield lambda: {**database.snapshot(), "charges": gateway.calls}

    return world


def check(job, world, histories=None, **options):
    chosen = {"histories": histories} if histories else {}
    return check_idempotent(job, args=(1,), world=world, **chosen, **options)


def charge_then_mark(number):
    with Session.begin() as session:
        payment = session.get(Payment, number)
        if payment.status == "open":
            app.gateway.charge(number)
            payment.status = "paid"


def lock_then_charge_by_key(number):
    with Session.begin() as session:
        payment = session.get(Payment, number, with_for_update=True)
        if payment.status == "open":
            app.gateway.charge(number, key=number)
            payment.status = "paid"
            session.add(Entry(payment_id=number))


def look_then_deposit(number):
    with Session.begin() as session:
        payment = session.get(Payment, number)
        if payment.status == "open":
            payment.status = "paid"
            session.execute(update(Account).values(balance=Account.balance + 100))


def book(number):
    with Session.begin() as session:
        session.add(Entry(payment_id=number))


def deposit_at_once(number):
    autocommit = Session.kw["bind"].execution_options(isolation_level="AUTOCOMMIT")
    with autocommit.connect() as connection:
        paid = update(Payment).where(Payment.id == number, Payment.status == "open")
        try:
            connection.execute(paid.values(status="paid"))
        except DBAPIError:
            app.gateway.charge(-number, key=number)


async def charge_then_mark_later(number):
    async with LaterSession.begin() as session:
        payment = await session.get(Payment, number)
        if payment.status == "open":
            app.gateway.charge(number)
            payment.status = "paid"


async def lock_then_charge_by_key_later(number):
    async with LaterSession.begin() as session:
        payment = await session.get(Payment, number, with_for_update=True)
        if payment.status == "open":
            app.gateway.charge(number, key=number)
            payment.status = "paid"
            session.add(Entry(payment_id=number))


async def deposit_in_time(number):
    autocommit = LaterSession.kw["bind"].execution_options(isolation_level="AUTOCOMMIT")
    async with autocommit.connect() as connection:
        paid = update(Payment).where(Payment.id == number, Payment.status == "open")
        try:
            await connection.execute(paid.values(status="paid"))
        except DBAPIError:
            app.gateway.charge(-number, key=number)


def test_a_charge_before_the_commit_is_doubled_by_a_crash(any_shop):
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE gateway\.charge .*\[crash"):
        check(charge_then_mark, any_shop, ["crash"])


def test_a_locked_row_and_a_key_make_it_safe(shop):
    check(lock_then_charge_by_key, shop)


def test_the_lost_update_is_found(shop):
    with pytest.raises(DivergedState, match=r"DIVERGED accounts .*\[overlap"):
        check(look_then_deposit, shop)


def test_a_row_for_each_delivery_is_a_duplicate(shop):
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE entries\b.*\[twice") as found:
        check(book, shop)

    assert "<entries.id 2>" in str(found.value)


def test_the_answer_of_a_statement_that_commits_itself_may_be_lost(shop):
    with pytest.raises(NotIdempotent, match=r"\[reply_lost"):
        check(deposit_at_once, shop, ["twice", "reply_lost"])


def test_the_world_empties_the_tables_and_begins_counting_anew(url):
    engine = create_engine("mysql+pymysql://")
    for _ in range(2):
        with sqlalchemy_world(Base, bind=engine, url=url, rows=[Payment(), Payment()]) as database:
            assert database.rows("payments") == [(1, "open"), (2, "open")]
            with engine.begin() as connection:
                connection.execute(Payment.__table__.insert().values(status="new"))
            assert database.rows("payments")[2][0] > 2_000_000_000


def test_what_the_tables_are_made_with_is_there_in_every_history(url):
    metadata = MetaData()
    orders = Table("orders", metadata, Column("id", Integer, primary_key=True))

    @event.listens_for(orders, "after_create")
    def _seed(target, connection, **options):
        connection.execute(orders.insert().values(id=7))

    engine = create_engine("mysql+pymysql://")
    for _ in range(2):
        with sqlalchemy_world(metadata, bind=engine, url=url) as database:
            assert database.snapshot() == {"orders": [(7,)]}
            with engine.begin() as connection:
                connection.execute(orders.delete())


def test_a_table_that_names_its_database_is_refused(url):
    metadata = MetaData()
    Table("orders", metadata, Column("id", Integer, primary_key=True), schema="sales")

    with pytest.raises(ExplorationError, match=r"sales\.orders names the database that it is in"):
        sqlalchemy_world(metadata, bind=create_engine("sqlite://"), url=url).__enter__()


def test_a_table_that_cannot_be_made_is_an_error(url):
    metadata = MetaData()
    Table("orders", metadata, Column("name", String))

    with pytest.raises(ExplorationError, match=r"The tables cannot be made in .* VARCHAR requires"):
        sqlalchemy_world(metadata, bind=create_engine("sqlite://"), url=url).__enter__()


@pytest.fixture(params=["aiomysql", "asyncmy"])
def later_shop(request, mysql_url):
    """A world for an application with an asynchronous engine."""
    pytest.importorskip(request.param)
    url = mysql_url.replace("pymysql", request.param)
    LaterSession.configure(bind=create_async_engine(f"mysql+{request.param}://"))
    return world_at(url, LaterSession)


@pytest.mark.parametrize(
    ("job", "histories"), [(charge_then_mark_later, "crash"), (deposit_in_time, "reply_lost")]
)
def test_an_asynchronous_session_is_interrupted(later_shop, job, histories):
    with pytest.raises(NotIdempotent, match=rf"\[{histories}"):
        check(job, later_shop, [histories])


def test_an_asynchronous_session_with_a_locked_row_and_a_key_is_safe(later_shop):
    check(lock_then_charge_by_key_later, later_shop, ["twice", "crash", "overlap"])


def test_a_world_with_an_asynchronous_driver_needs_a_blocking_one(monkeypatch):
    monkeypatch.setitem(sys.modules, "pymysql", None)
    world = sqlalchemy_world(MetaData(), bind=LaterSession, url="mysql+asyncmy://localhost/")

    with pytest.raises(
        ExplorationError, match="for asyncmy that is PyMySQL, which is not installed"
    ):
        world.__enter__()


def test_an_asynchronous_engine_of_another_database_gets_a_driver_that_is_there(url, monkeypatch):
    engine = create_async_engine("sqlite+aiosqlite://")
    with sqlalchemy_world(Base, bind=engine, url=url):
        assert engine.dialect.driver in ("aiomysql", "asyncmy")

    for driver in ("aiomysql", "asyncmy"):
        monkeypatch.setitem(sys.modules, driver, None)
    with pytest.raises(ExplorationError, match="pip install aiomysql"):
        sqlalchemy_world(Base, bind=engine, url=url).__enter__()


def test_a_table_that_a_transaction_keeps_is_an_error_of_the_next_history(url, monkeypatch):
    monkeypatch.setattr(store, "PATIENCE", 1)
    keepers = []

    def shop():
        with sqlalchemy_world(Base, bind=Session, url=url, rows=[Payment()]) as database:
            if not keepers:
                keepers.append(Session())
                keepers[0].get(Payment, 1)
            yield database.snapshot

    Session.configure(bind=create_engine("mysql+pymysql://", poolclass=NullPool))
    with pytest.raises(OperationalError, match="Lock wait timeout exceeded"):
        check(lambda number: None, shop)
