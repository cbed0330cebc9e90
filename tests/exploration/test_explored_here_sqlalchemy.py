"""`check_idempotent` without a world, in tests that SQLAlchemy's engines and sessions have prepared."""

from __future__ import annotations

from types import SimpleNamespace
from unittest.mock import patch

import pytest

pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")

from sqlalchemy import ForeignKey, StaticPool, create_engine, select, update
from sqlalchemy.event import listen
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    scoped_session,
    sessionmaker,
)

from pytest_jobs import check_idempotent, here
from pytest_jobs.errors import ExplorationError, NotIdempotent
from pytest_jobs.exploration.worlds.sqlalchemy import stores as source


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    paid: Mapped[bool] = mapped_column(default=False)

    def __repr__(self) -> str:
        return "an order"


class Line(Base):
    __tablename__ = "lines"
    id: Mapped[int] = mapped_column(primary_key=True)
    order: Mapped[int] = mapped_column(ForeignKey("orders.id"))


Maker = sessionmaker()
Scoped = scoped_session(sessionmaker())
#: The session or engine of a test, for jobs that take it from there.
shop = SimpleNamespace(session=None, engine=None, tell=None)


def is_new(session, number):
    """Take the lock of the database, and return whether the order was not paid before."""
    unpaid = update(Order).where(Order.id == number, Order.paid.is_(False))
    return session.execute(unpaid.values(paid=True)).rowcount


def pay(number):
    with Maker() as session:
        if is_new(session, number):
            session.add(Line(order=number))
            session.commit()


def pay_by_savepoint(number):
    with Maker.begin() as session:
        try:
            with session.begin_nested():
                session.add(Line(id=number, order=number))
        except IntegrityError:
            return
        session.get_one(Order, number).paid = True


def pay_in_two_steps(number):
    with Maker() as session:
        if not session.get_one(Order, number).paid:
            session.add(Line(order=number))
            session.commit()
            session.get_one(Order, number).paid = True
            session.commit()


def pay_in_scope(number):
    if is_new(Scoped, number):
        Scoped.add(Line(order=number))
    Scoped.commit()


def add_in_scope(number):
    Scoped.add(Line(order=number))
    Scoped.commit()


def pay_with_session_of_test(number):
    shop.session.get_one(Order, number).paid = True
    shop.session.commit()


def pay_in_two_steps_with_session_of_test(number):
    if not shop.session.get_one(Order, number).paid:
        shop.session.add(Line(order=number))
        shop.session.commit()
        shop.session.get_one(Order, number).paid = True
        shop.session.commit()


def pay_with_engine(number):
    with Session(shop.engine) as session:
        session.get_one(Order, number).paid = True
        session.commit()


@pytest.fixture(params=["memory", pytest.param("file", marks=pytest.mark.wide)])
def engine(request, tmp_path):
    """An engine with tables, in memory or in a file."""
    if request.param == "memory":
        engine = create_engine("sqlite://", poolclass=StaticPool)
    else:
        engine = create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    Base.metadata.create_all(engine)
    Maker.configure(bind=engine)
    Scoped.configure(bind=engine)
    yield engine
    Scoped.remove()
    Maker.configure(bind=None)
    Scoped.session_factory.configure(bind=None)
    engine.dispose()


@pytest.fixture
def committed(engine):
    with Session(engine) as session:
        session.add(Order(id=1))
        session.commit()
    return engine


@pytest.fixture
def held(engine):
    """Let a transaction of the test be rolled back at its end, as the documentation of SQLAlchemy does it."""
    with engine.connect() as connection:
        transaction = connection.begin()
        options = {"bind": connection, "join_transaction_mode": "create_savepoint"}
        Maker.configure(**options)
        Scoped.configure(**options)
        with Maker() as session:
            session.add(Order(id=1))
            session.commit()
        yield connection
        transaction.rollback()
    for name in options:
        Maker.kw.pop(name, None)
        Scoped.session_factory.kw.pop(name, None)


@pytest.fixture(params=["committed", "held"])
def prepared(request, engine):
    """The test's rows, committed or in a transaction of the test."""
    return request.getfixturevalue(request.param)


def rows(bind):
    with Session(bind) as session:
        return session.execute(select(Order.id, Order.paid)).all(), session.scalars(
            select(Line)
        ).all()


def test_each_history_has_a_copy_and_the_test_keeps_its_rows(prepared):
    explored = check_idempotent(pay, args=(1,), histories="all")
    check_idempotent(pay_by_savepoint, args=(1,), histories=["crash"])
    with pytest.raises(NotIdempotent, match="lines"):
        check_idempotent(pay_in_two_steps, args=(1,), histories=["crash"])

    assert "2 tables, 1 row)" in str(explored)
    assert rows(prepared) == ([(1, False)], [])


def test_a_database_with_a_log_of_what_is_written_ahead(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA journal_mode=WAL"))
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Order(id=1))
        session.commit()

    def pay_order():
        with Session(engine) as session:
            session.get_one(Order, 1).paid = True
            session.commit()

    def add_line():
        with Session(engine) as session:
            session.add(Line(order=1))
            session.commit()

    check_idempotent(pay_order)
    with pytest.raises(NotIdempotent, match="lines"):
        check_idempotent(add_line)
    engine.dispose()


@pytest.mark.wide
@pytest.mark.usefixtures("prepared")
def test_each_delivery_has_a_scope_and_the_test_keeps_its_session():
    order = Scoped.get_one(Order, 1)

    check_idempotent(pay_in_scope, args=(1,))
    with pytest.raises(NotIdempotent, match="lines"):
        check_idempotent(add_in_scope, args=(1,))

    assert Scoped.get_one(Order, 1) is order
    assert not order.paid


def test_the_session_of_the_test_is_one_of_its_own_in_each_delivery(prepared):
    with Session(prepared) as shop.session:
        order = shop.session.get_one(Order, 1)
        transaction = shop.session.get_transaction()

        check_idempotent(pay_with_session_of_test, args=(1,), histories="all")
        with pytest.raises(NotIdempotent, match=r"lines.*\[crash"):
            check_idempotent(pay_in_two_steps_with_session_of_test, args=(1,), histories=["crash"])

        assert shop.session.get_one(Order, 1) is order
        assert shop.session.get_transaction() is transaction
        assert rows(prepared) == ([(1, False)], [])
        order.paid = True
        shop.session.commit()
    assert rows(prepared) == ([(1, True)], [])


def test_what_was_not_flushed_is_refused(committed):
    with Session(committed) as session:
        session.add(Line(order=1))

        with pytest.raises(
            ExplorationError, match=r"has not flushed, such as Line.*session\.flush"
        ):
            check_idempotent(pay, args=(1,))


@pytest.mark.wide
def test_tables_that_are_left_out(committed):
    check_idempotent(pay_in_two_steps, args=(1,), world=here(ignore="lin*"))


def test_an_engine_of_another_server_is_refused(committed, monkeypatch):
    monkeypatch.setattr(committed.dialect, "name", "mysql")

    with pytest.raises(
        ExplorationError,
        match=r"no copy.*only databases in sqlite and PostgreSQL.*sqlalchemy_world",
    ):
        check_idempotent(pay, args=(1,))


def test_an_engine_of_a_server_that_does_not_answer_is_refused():
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    shop.engine = create_engine("postgresql+psycopg://nobody@localhost:1/nothing")

    with pytest.raises(
        ExplorationError, match=r"could not be copied: connection.*sqlalchemy_world"
    ):
        check_idempotent(pay_with_engine, args=(1,))


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (True, "2 x ('tell', Order(id=1, paid=True))"),
        (False, "('tell', Order(id=1, paid=True)); 2 in all"),
    ],
)
def test_a_model_that_a_call_gets_is_compared_as_it_was_then(committed, before, now):
    def tell(number):
        with Maker() as session:
            order = session.get_one(Order, number)
            order.paid = order.paid or before
            shop.tell(order)
            order.paid = True
            # From now on its columns are read when they are asked for, which fails behind the block.
            session.commit()

    with patch.object(shop, "tell"), pytest.raises(NotIdempotent) as raised:
        check_idempotent(tell, args=(1,), histories=["twice"])

    assert f"now:  {now}" in str(raised.value)


def test_a_table_that_nobody_writes_is_read_once(engine, monkeypatch):
    read = []
    genuine = source.rows_in
    monkeypatch.setattr(
        source, "rows_in", lambda own, name: read.append(name) or genuine(own, name)
    )
    with Session(engine) as session:
        session.add(Order(id=1))
        session.commit()

    with pytest.raises(NotIdempotent, match="lines"):
        check_idempotent(add_in_scope, args=(1,))

    assert read.count("orders") == 1
    assert read.count("lines") > 2
