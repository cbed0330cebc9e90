"""The seed's pattern *Lock-Based Idempotency* as it is written: a lock of one row, on a PostgreSQL server."""

from __future__ import annotations

import sys

import pytest

pytest.importorskip("psycopg", reason="psycopg is not installed")
pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")

from servers import postgresql_url  # noqa: F401 - a fixture
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

from pytest_jobs import Job, check_idempotent, fake, sqlalchemy_world
from pytest_jobs.errors import DuplicateEffect


class Base(DeclarativeBase):
    pass


class Import(Base):
    __tablename__ = "imports"
    id: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(default="open")


class Customer(Base):
    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Partner:
    def confirm(self, import_id): ...


partner = Partner()
engine = create_engine("postgresql+psycopg://nowhere")
Session = sessionmaker(engine)


class ImportData(Job):
    """`import.with_lock do ... end` of the seed."""

    def perform(self, import_id: int) -> None:
        with Session.begin() as session:
            record = session.get_one(Import, import_id, with_for_update=True)
            if record.status == "completed":
                return
            session.add(Customer(name="Ann"))
            record.status = "completed"


class ImportDataUnlocked(Job):
    def perform(self, import_id: int) -> None:
        with Session.begin() as session:
            record = session.get_one(Import, import_id)
            if record.status == "completed":
                return
            session.add(Customer(name="Ann"))
            record.status = "completed"


class ImportDataAndConfirm(Job):
    def perform(self, import_id: int) -> None:
        with Session.begin() as session:
            record = session.get_one(Import, import_id, with_for_update=True)
            if record.status == "completed":
                return
            partner.confirm(import_id)
            session.add(Customer(name="Ann"))
            record.status = "completed"


@pytest.fixture
def office(postgresql_url):  # noqa: F811
    """Return a world on the server."""

    def office():
        with (
            sqlalchemy_world(
                Base, bind=engine, url=postgresql_url, rows=[Import(id=7)]
            ) as database,
            fake(sys.modules[__name__], "partner", Partner()) as confirmed,
        ):
            yield lambda: {**database.snapshot(), "confirmations": confirmed.calls}

    return office


def report_of(job, office, **options):
    with pytest.raises(DuplicateEffect) as caught:
        check_idempotent(job, args=(7,), world=office, **options)
    return caught.value.report


def test_without_the_lock_two_deliveries_that_overlap_import_twice(office):
    report = report_of(ImportDataUnlocked, office)

    assert (report.verdict, report.effect, report.history) == ("DUPLICATE", "customers", "overlap")


def test_the_lock_of_the_row_closes_it(office):
    check_idempotent(ImportData, args=(7,), world=office, histories="all")


def test_what_leaves_the_database_under_it_happens_twice_when_the_worker_is_killed(office):
    report = report_of(ImportDataAndConfirm, office)

    assert (report.verdict, report.effect, report.history) == (
        "DUPLICATE",
        "partner.confirm",
        "crash",
    )
    check_idempotent(ImportDataAndConfirm, args=(7,), world=office, histories=["twice", "overlap"])
