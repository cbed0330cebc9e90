"""Models and rows of SQLAlchemy and Django in a state are compared by their columns."""

from __future__ import annotations

import types

import pytest

pytest.importorskip("django", reason="Django is not installed")
pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")

import explored_models
from explored_models import databases  # noqa: F401
from sqlalchemy import ForeignKey, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from pytest_jobs import check_idempotent, django_world, sqlalchemy_world
from pytest_jobs.errors import DivergedState, ExplorationError, NotIdempotent

place = types.SimpleNamespace(engine=None)


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    balance: Mapped[int] = mapped_column("amount", default=0)
    orders: Mapped[list[Order]] = relationship(back_populates="customer")

    def __repr__(self):
        return f"<Customer {self.id}>"


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    customer: Mapped[Customer] = relationship(back_populates="orders")


def _world(show):
    def world():
        with sqlalchemy_world(Base.metadata, bind=(place, "engine")):
            with Session(place.engine) as session:
                session.add(Customer(id=7, orders=[Order(id=1)]))
                session.commit()

            def snapshot():
                with Session(place.engine) as session:
                    return {"shown": show(session)}

            yield snapshot

    place.engine = create_engine("sqlite://")
    return world


def _add(amount):
    with Session(place.engine) as session:
        session.get(Customer, 7).balance += amount
        session.commit()


def _set(amount):
    with Session(place.engine) as session:
        session.get(Customer, 7).balance = amount
        session.commit()


@pytest.mark.parametrize(
    "show",
    [
        lambda session: session.get(Customer, 7),
        lambda session: session.scalars(select(Customer)).all(),
        lambda session: session.execute(select(Customer.id, Customer.balance)).all(),
        lambda session: session.execute(select(Customer.balance)).mappings().all(),
        lambda session: [order.customer for order in session.scalars(select(Order))],
        lambda session: {
            "orders": session.get(Customer, 7).orders,
            "all": session.query(Customer).all(),
        },
    ],
)
def test_models_of_sqlalchemy_are_compared_by_their_columns(show):
    with pytest.raises(NotIdempotent):
        check_idempotent(_add, args=(5,), world=_world(show), histories=["twice"])

    check_idempotent(_set, args=(5,), world=_world(show), histories=["twice"])


def test_a_result_that_is_open_is_refused():
    with pytest.raises(ExplorationError, match=r"an iterator, shown \(a ScalarResult\)"):
        check_idempotent(
            _set, args=(5,), world=_world(lambda session: session.scalars(select(Customer)))
        )


def _rows(show):
    def world():
        with django_world([explored_models.Customer]):
            explored_models.Customer.objects.create(name="Ada")
            explored_models.Customer.objects.create(name="Bob")
            yield lambda: {"shown": show(explored_models.Customer.objects)}

    return world


def _append():
    customer = explored_models.Customer.objects.get(name__startswith="Ada")
    customer.name += "!"
    customer.save()


def _replace():
    explored_models.Customer.objects.filter(name__startswith="Ada").update(name="Ada!")


@pytest.mark.parametrize(
    "show",
    [
        lambda objects: objects.get(name__startswith="Ada"),
        lambda objects: objects,
        lambda objects: objects.all(),
        lambda objects: list(objects.order_by("name")),
        lambda objects: objects.values("name"),
        lambda objects: objects.values_list("name", flat=True),
        lambda objects: objects.raw("select * from explored_models_customer"),
    ],
)
@pytest.mark.usefixtures("databases")
def test_models_of_django_and_their_querysets_are_compared_by_columns_and_rows(show):
    with pytest.raises(DivergedState):
        check_idempotent(_append, world=_rows(show), histories=["twice"])

    check_idempotent(_replace, world=_rows(show), histories=["twice"])


@pytest.mark.usefixtures("databases")
def test_the_rows_of_a_queryset_are_read_anew_each_time():
    def world():
        with django_world([explored_models.Customer]):
            customer = explored_models.Customer.objects.create(name="Ada")
            evaluated = explored_models.Customer.objects.filter(pk=customer.pk)
            assert len(evaluated) == 1
            yield lambda: {"shown": evaluated}

    with pytest.raises(DivergedState):
        check_idempotent(_append, world=world, histories=["twice"])
