"""An application that uses SQLAlchemy, waiting and awaiting, whose jobs the tests deliver."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

from sqlalchemy import ForeignKey, create_engine, func, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    mapped_column,
    scoped_session,
    sessionmaker,
)


class Base(DeclarativeBase):
    pass


class Payment(Base):
    __tablename__ = "payments"
    id: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(default="open")
    amount: Mapped[int] = mapped_column(default=100)


class Account(Base):
    __tablename__ = "accounts"
    id: Mapped[int] = mapped_column(primary_key=True)
    balance: Mapped[int]


class Entry(Base):
    __tablename__ = "entries"
    id: Mapped[int] = mapped_column(primary_key=True)
    payment_id: Mapped[int] = mapped_column(ForeignKey("payments.id"))
    booked_at: Mapped[datetime] = mapped_column(server_default=func.now())


engine = create_engine("sqlite:///nowhere/shop.db")
Session = sessionmaker(engine)
Scoped = scoped_session(Session)
async_engine = create_async_engine("sqlite+aiosqlite:///nowhere/shop.db")
AsyncSessions = async_sessionmaker(async_engine)
unbound = sessionmaker()
gateway = None
mailer = None
kept: list = []


def be_patient(asked):
    """Return a listener such as applications have."""

    def patient(connection, record):
        connection.execute("pragma foreign_keys = on")
        connection.execute("pragma busy_timeout = 30000")
        asked.append(connection.execute("pragma busy_timeout").fetchone())

    return patient


def charge_then_mark(number):
    with Session() as session:
        payment = session.get(Payment, number)
        if payment.status == "done":
            return
        gateway.charge(number)
        payment.status = "done"
        session.commit()


def deposit_by_savepoint(number):
    with Session.begin() as session:
        try:
            with session.begin_nested():
                session.add(Entry(id=number, payment_id=number))
        except IntegrityError:
            return
        session.get_one(Account, 1).balance += 5


async def deposit_by_savepoint_async(number):
    async with AsyncSessions.begin() as session:
        try:
            async with session.begin_nested():
                session.add(Entry(id=number, payment_id=number))
        except IntegrityError:
            return
        (await session.get_one(Account, 1)).balance += 5


def charge_by_key_then_mark(number):
    with Session() as session:
        payment = session.get(Payment, number)
        if payment.status == "done":
            return
        gateway.charge(number, key=f"payment-{number}")
        payment.status = "done"
        session.commit()


def charge_by_core(number):
    with engine.begin() as connection:
        status = connection.scalar(select(Payment.status).where(Payment.id == number))
        if status == "done":
            return
        gateway.charge(number, key=number)
        connection.execute(update(Payment).where(Payment.id == number).values(status="done"))


def deposit_in_two_commits(number):
    with Session() as session:
        if session.get(Payment, number).status == "done":
            return
        session.execute(update(Account).values(balance=Account.balance + 100))
        session.commit()
        session.get(Payment, number).status = "done"
        session.commit()


def deposit_in_one_commit(number):
    with Session.begin() as session:
        if _settle(session, number):
            session.execute(update(Account).values(balance=Account.balance + 100))


def book(number):
    with Session.begin() as session:
        session.add(Entry(payment_id=number))


def _settle(session, number):
    """Mark a payment as done; say whether it was not. The database has it locked from then on."""
    changed = (
        update(Payment).where(Payment.id == number, Payment.status != "done").values(status="done")
    )
    return session.execute(changed).rowcount == 1


def book_once(number):
    with Session.begin() as session:
        if _settle(session, number):
            session.add(Entry(payment_id=number))


def look_then_book(number):
    with Session.begin() as session:
        payment = session.get(Payment, number)
        if payment.status != "done":
            payment.status = "done"
            session.add(Entry(payment_id=number))


def mark_by_scoped_session(number):
    payment = Scoped.get(Payment, number)
    if payment.status == "done":
        return
    gateway.charge(number, key=number)
    payment.status = "done"
    Scoped.commit()


def mark_by_unbound_session(number):
    with unbound.begin() as session:
        session.get(Payment, number).status = "done"


def read_row_by_row(number):
    """Is at a line of its own while a query is half read."""
    with Session() as session:
        seen = 0
        for payment in session.execute(text("select id from payments")):
            seen += payment.id
        session.get(Payment, number).status = f"seen {seen}"
        session.commit()


def fail_over_errors(number):
    """Has an except branch for a database that fails."""
    with Session() as session:
        payment = session.get(Payment, number)
        if payment.status != "open":
            return
        payment.status = "done"
        try:
            session.commit()
        except OperationalError:
            session.rollback()
            gateway.charge(number)
            raise


def mail_before_the_commit(number):
    """B57: mails inside a transaction whose commit may fail."""
    with Session.begin() as session:
        payment = session.get(Payment, number)
        if payment.status != "done":
            payment.status = "done"
            mailer.send(number)


def mail_by_outbox(number):
    """The safe twin of B57."""
    book_once(number)


def swallow_all_errors(number):
    try:
        charge_by_key_then_mark(number)
    except DBAPIError:
        return


def keep_a_session(number):
    if not kept:
        kept.append(Session())
    kept[0].get(Payment, number).status = "done"
    kept[0].commit()


#: Belongs to no class or module of the project, as the session of a framework may.
framework = SimpleNamespace(session=None)


def use_a_kept_session(number):
    if framework.session is None:
        framework.session = Session()
    payment = framework.session.get(Payment, number)
    payment.status = "done"
    framework.session.commit()


def do_nothing_but_read(number):
    with Session.begin() as session:
        session.get(Payment, number)


def stamp(number):
    with Session.begin() as session:
        session.get(Payment, number).status = datetime.now(UTC).isoformat()


async def charge_then_mark_async(number):
    async with AsyncSessions() as session:
        payment = await session.get(Payment, number)
        if payment.status == "done":
            return
        gateway.charge(number)
        payment.status = "done"
        await session.commit()


async def charge_by_key_then_mark_async(number):
    async with AsyncSessions() as session:
        payment = await session.get(Payment, number)
        if payment.status == "done":
            return
        gateway.charge(number, key=number)
        payment.status = "done"
        await session.commit()


async def deposit_in_two_commits_async(number):
    async with AsyncSession(async_engine) as session:
        if (await session.get(Payment, number)).status == "done":
            return
        await session.execute(update(Account).values(balance=Account.balance + 100))
        await session.commit()
        (await session.get(Payment, number)).status = "done"
        await session.commit()


async def deposit_by_core_async(number):
    async with async_engine.begin() as connection:
        settled = await connection.execute(
            update(Payment)
            .where(Payment.id == number, Payment.status != "done")
            .values(status="done")
        )
        if settled.rowcount:
            await connection.execute(update(Account).values(balance=Account.balance + 100))


def lock_then_charge(number):
    """S46: the row is locked before it is looked at."""
    with Session.begin() as session:
        payment = session.get(Payment, number, with_for_update=True)
        if payment.status != "done":
            payment.status = "done"
            session.execute(update(Account).values(balance=Account.balance + 100))


def look_then_deposit(number):
    """B58: looked at and updated in one transaction, at READ COMMITTED."""
    with Session.begin() as session:
        payment = session.get(Payment, number)
        if payment.status != "done":
            payment.status = "done"
            session.execute(update(Account).values(balance=Account.balance + 100))
