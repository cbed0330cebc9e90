"""Jobs that take models of SQLAlchemy and Django, in databases that are new for each history."""

from __future__ import annotations

import pytest

pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")
pytest.importorskip("django", reason="Django is not installed")

from explored_models import Payment as Account, databases  # noqa: F401
from sqlalchemy import create_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    make_transient_to_detached,
    mapped_column,
    sessionmaker,
)

from pytest_jobs import check_idempotent, configure, django_world, job, later, sqlalchemy_world
from pytest_jobs.errors import DivergedState, NotIdempotent


class Base(DeclarativeBase):
    pass


class Payment(Base):
    __tablename__ = "payments"

    id: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(default="open")
    balance: Mapped[int] = mapped_column(default=100)

    def book(self) -> None:
        self.balance -= 10

    book_later = later(book)

    def book_once(self) -> None:
        if self.status == "open":
            self.status = "booked"
            self.balance -= 10

    book_once_later = later(book_once)

    async def abook(self) -> None:
        self.book()

    abook_later = later(abook)

    async def abook_once(self) -> None:
        self.book_once()

    abook_once_later = later(abook_once)


Session = sessionmaker(create_engine("sqlite://"))


def shop():
    with sqlalchemy_world(Base, bind=Session, rows=[Payment(id=1)]) as database:
        yield database.snapshot


@pytest.fixture
def payment():
    payment = Payment(id=1)
    make_transient_to_detached(payment)
    with configure(adapter=None, session=Session):
        yield payment


@pytest.mark.parametrize(
    "twin",
    [Payment.book_later, pytest.param(Payment.abook_later, marks=pytest.mark.wide)],
    ids=["sync", "async"],
)
def test_what_changes_a_record_each_time_is_caught(payment, twin):
    with pytest.raises(DivergedState) as raised:
        check_idempotent(twin, args=[payment], world=shop)

    assert raised.value.report.history.startswith("twice")


@pytest.mark.parametrize(
    "twin",
    [Payment.book_once_later, pytest.param(Payment.abook_once_later, marks=pytest.mark.wide)],
    ids=["sync", "async"],
)
def test_what_changes_it_once_is_quiet_wherever_it_is_killed(payment, twin):
    explored = check_idempotent(
        twin, args=[payment], world=shop, histories=["twice", "restart", "crash"]
    )

    # Twice, after a restart, and killed before the commit and after it.
    assert explored.histories == 4


@job
def book(account):
    account.balance -= 10
    account.save()


@job
def book_once(account):
    if Account.objects.filter(pk=account.pk, status="open").update(status="booked", balance=90):
        account.refresh_from_db()


def accounts():
    with django_world([Account], rows=[Account(pk=1)]) as database:
        yield database.snapshot


def test_a_model_of_django_that_is_changed_each_time_is_caught():
    with pytest.raises(NotIdempotent):
        check_idempotent(book, args=[Account.from_db("default", ["id"], [1])], world=accounts)


def test_a_model_of_django_that_is_changed_once_is_quiet():
    check_idempotent(book_once, args=[Account.from_db("default", ["id"], [1])], world=accounts)
