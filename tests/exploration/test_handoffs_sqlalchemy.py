"""Functions that commit by SQLAlchemy and then hand off: a listener fails, the answer of the commit is lost."""

from __future__ import annotations

import sys

import pytest

pytest.importorskip("sqlalchemy")

from sqlalchemy import create_engine, event, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from pytest_jobs import Job, check_handoff, fake, sqlalchemy_world
from pytest_jobs.errors import ExplorationError, LostEffect

engine = create_engine("sqlite://")


class Base(DeclarativeBase): ...


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(default="NEW")


class Audit(Base):
    __tablename__ = "audits"

    id: Mapped[int] = mapped_column(primary_key=True)


class Mailer:
    def send(self, order): ...


class Audited(Session):
    """Its commits are noted."""


mailer = Mailer()


@event.listens_for(Audited, "after_commit")
def write_audit(session):
    with Session(engine) as another:
        another.add(Audit())
        another.commit()


class Confirm(Job):
    def perform(self, number):
        with Session(engine) as session:
            order = session.get_one(Order, number)
            if order.status == "NEW":
                mailer.send(number)
                order.status = "SENT"
                session.commit()


def place(number, session_class=Session):
    with session_class(engine) as session:
        session.add(Order(id=number))
        session.commit()
    Confirm.perform_later(number)


def place_audited(number):
    place(number, Audited)


def sweep():
    with Session(engine) as session:
        for number in session.scalars(select(Order.id).where(Order.status == "NEW")):
            Confirm.perform_later(number)


def shop_at(url):
    def shop():
        with (
            sqlalchemy_world(Base, bind=engine, url=url) as database,
            fake(sys.modules[__name__], "mailer", Mailer()) as mails,
        ):
            yield lambda: {"orders": database.snapshot()["orders"], "mails": mails.calls}

    return shop


def test_a_listener_of_the_commit_that_fails_keeps_its_caller_from_handing_off():
    options = {"args": (7,), "world": shop_at(None), "histories": ["callback_fails"]}

    with pytest.raises(LostEffect, match=r"LOST mail.* .callback_fails, 1 failing point") as found:
        check_handoff(place_audited, **options)
    assert "a callback raises here, before line " in str(found.value)
    check_handoff(place_audited, recover=sweep, **options)
    with pytest.raises(ExplorationError, match="or after_commit listener that does more than"):
        check_handoff(place, **options)


def test_a_commit_lands_whose_answer_is_lost(postgresql_url):
    pytest.importorskip("psycopg")
    options = {"args": (7,), "world": shop_at(postgresql_url), "histories": ["commit_unknown"]}

    with pytest.raises(LostEffect, match=r"LOST mail.* .commit_unknown, 1 failing point"):
        check_handoff(place, **options)
    assert check_handoff(place, recover=sweep, **options).histories > 0
