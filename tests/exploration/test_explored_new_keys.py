"""Keys that sqlite gives to rows are compared by their order: rows that are made anew are the same rows."""

import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from types import SimpleNamespace

import pytest

pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")

import explored_models as models
from django.db import transaction
from explored_models import databases  # noqa: F401 - a fixture that is used by all tests
from sqlalchemy import ForeignKey, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, sessionmaker

from pytest_jobs import check_idempotent, django_world, sqlalchemy_world, sqlite_world
from pytest_jobs.errors import DivergedState

SCHEMA = """
create table orders (id integer primary key, total);
create table lines (id integer primary key autoincrement, order_id references orders, sku);
create table taxes (line_id references LINES (id), cents);
create table marks (order_id integer primary key);
insert into orders values (7, 0);
insert into lines values (1, 7, 'old');
insert into taxes values (1, 100);
"""
app = SimpleNamespace(connect=lambda: sqlite3.connect("shop.db"), calls=0)


def world(*tables):
    @contextmanager
    def shop():
        app.calls = 0
        with sqlite_world(SCHEMA, bind=(app, "connect")) as rows:
            yield lambda: {table: rows(table) for table in tables}

    return shop


def price(order):
    """Make the lines of an order and their taxes anew."""
    with closing(app.connect()) as db, db:
        db.execute("begin immediate")
        db.execute("delete from taxes")
        db.execute("delete from lines where order_id = ?", (order,))
        for sku in "ab":
            line = db.execute("insert into lines (order_id, sku) values (?, ?)", (order, sku))
            db.execute("insert into taxes values (?, 20)", (line.lastrowid,))


@pytest.mark.parametrize("tables", [("orders",), ("orders", "lines", "taxes"), ("taxes",)])
def test_rows_that_are_deleted_and_made_anew_are_the_same_whether_they_are_shown_or_not(tables):
    assert check_idempotent(price, args=(7,), world=world(*tables))


def test_so_are_rows_that_another_process_makes_anew():
    make = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as db:
    db.execute("delete from lines")
    db.execute("insert into lines (order_id, sku) values (7, 'a')")
db.close()
"""

    def price_in_a_process(order):
        with closing(app.connect()) as db:
            (_, _, path), *_ = db.execute("pragma database_list")
        subprocess.run([sys.executable, "-c", make, path], check=True)

    check_idempotent(
        price_in_a_process, args=(7,), world=world("lines"), repeatable={"subprocess *"}
    )


def test_rows_of_a_database_in_a_temporary_folder_are_the_same_when_they_are_made_anew(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(app, "connect", lambda: sqlite3.connect(tmp_path / "shop.db"))
    with closing(app.connect()) as db:
        db.executescript(SCHEMA)

    assert check_idempotent(price, args=(7,))


def reprice(order):
    """Make the lines anew, and let the tax refer to another one of them each time."""
    price(order)
    with closing(app.connect()) as db, db:
        app.calls += 1
        db.execute("delete from taxes where line_id = (select min(line_id) from taxes)")
        order = "desc" if app.calls > 1 else "asc"
        db.execute(f"update taxes set line_id = (select id from lines order by id {order} limit 1)")


@pytest.mark.parametrize("tables", [("orders",), ("taxes",)])
def test_a_row_that_refers_to_another_new_row_than_before_is_a_difference(tables):
    with pytest.raises(DivergedState, match="taxes"):
        check_idempotent(reprice, args=(7,), world=world(*tables), same_process=True)


def mark(order):
    """Write another number of the application each time."""
    app.calls += 1
    with closing(app.connect()) as db, db:
        db.execute("delete from marks")
        db.execute("insert into marks values (?)", (order + app.calls,))


@pytest.mark.parametrize("tables", [("orders",), ("marks",)])
def test_an_integer_key_that_the_job_itself_gives_is_compared_as_it_is(tables):
    with pytest.raises(DivergedState, match="marks") as found:
        check_idempotent(mark, args=(40,), world=world(*tables), same_process=True)

    assert "41" in str(found.value)


class Base(DeclarativeBase):
    pass


class Line(Base):
    __tablename__ = "lines"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    sku: Mapped[str]


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    total: Mapped[int] = mapped_column(default=0)
    lines: Mapped[list[Line]] = relationship(cascade="all, delete-orphan")


Session = sessionmaker(create_engine("sqlite:///nowhere/shop.db"))


def price_by_orm(number):
    with Session.begin() as session:
        session.query(Order).update({"total": Order.total})
        session.get(Order, number).lines = [Line(sku=sku) for sku in "ab"]


def orm_shop():
    with sqlalchemy_world(Base, bind=Session, rows=[Order(id=7)]) as database:
        yield database.snapshot


def test_children_that_an_orm_replaces_are_the_same_in_a_world():
    assert check_idempotent(price_by_orm, args=(7,), world=orm_shop)


def test_children_that_an_orm_replaces_are_the_same_in_a_copy_of_the_database_of_the_test(
    tmp_path, monkeypatch
):
    engine = create_engine(f"sqlite:///{tmp_path}/shop.db")
    Base.metadata.create_all(engine)
    monkeypatch.setitem(Session.kw, "bind", engine)
    with Session.begin() as session:
        session.add(Order(id=7, lines=[Line(sku="old")]))

    assert check_idempotent(price_by_orm, args=(7,))
    engine.dispose()


@transaction.atomic
def replace_the_customer(number):
    payment = models.Payment.objects.filter(pk=number)
    payment.update(customer=None)
    models.Customer.objects.all().delete()
    payment.update(customer=models.Customer.objects.create(name="ann"))


def django_shop():
    customer = models.Customer(pk=3, name="bob")
    rows = [customer, models.Payment(pk=1, customer=customer)]
    with django_world([models.Payment, models.Customer], rows=rows) as database:
        yield database.snapshot


def test_rows_of_django_that_are_made_anew_are_the_same():
    assert check_idempotent(replace_the_customer, args=(1,), world=django_shop)


def address_again(number):
    """Make a row anew that has its address from its key."""
    models.Customer.objects.all().delete()
    customer = models.Customer.objects.create(name="new")
    models.Customer.objects.filter(pk=customer.pk).update(name=f"/who/{customer.pk}/as?a={number}")


@contextmanager
def customers():
    with django_world([models.Customer], rows=[models.Customer(pk=3, name="/who/3")]) as database:
        yield lambda: {"customers": database.rows(models.Customer)}


def test_the_address_of_a_row_that_is_made_anew_is_the_same_too():
    check_idempotent(address_again, args=(4,), world=customers, histories=["twice", "crash"])
