"""A child that is a row in the session of its parent comes with the commit of the parent, and dies with it."""

import sys

import pytest

pytest.importorskip("oban")
pytest.importorskip("aiosqlite")

from oban import job, worker
from sqlalchemy import update
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from pytest_jobs import check_idempotent, fake, open_jobs, sqlalchemy_world
from pytest_jobs.errors import DuplicateEffect


class Base(DeclarativeBase): ...


class Payment(Base):
    __tablename__ = "payments"

    id: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(default="open")


class Gateway:
    def charge(self, number): ...


engine = create_async_engine("sqlite+aiosqlite:///nowhere/shop.db")
Session = async_sessionmaker(engine)
gateway = None


def shop():
    this = sys.modules[__name__]
    with (
        sqlalchemy_world(Base, bind=(this, "engine"), rows=[Payment(id=1)]) as database,
        fake(this, "gateway", Gateway()) as made,
    ):
        yield lambda: {**database.snapshot(), "charges": made.calls}


@pytest.fixture
def pay(oban):
    """Return a job that pays and enqueues another, in its session or alone."""

    @worker()
    class Tell:
        async def process(self, job):
            gateway.charge(job.args["number"])

    @job()
    async def pay(number, alone=False):
        paid = (
            update(Payment)
            .where(Payment.id == number, Payment.status == "open")
            .values(status="paid")
        )
        async with Session() as session:
            if (await session.execute(paid)).rowcount:
                await oban.enqueue(Tell.new({"number": number}), conn=None if alone else session)
            await session.commit()

    with open_jobs():
        yield pay


def test_a_child_in_the_session_of_its_parent_comes_once(pay):
    histories = ["crash", "late", "effect_fails", "reply_lost"]
    explored = check_idempotent(pay, args=(1,), world=shop, histories=histories)

    assert explored.histories > 8


def test_a_child_outside_of_it_comes_twice(pay):
    with pytest.raises(DuplicateEffect, match=r"\[crash"):
        check_idempotent(pay, args=(1, True), world=shop)
