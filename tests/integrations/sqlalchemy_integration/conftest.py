"""A database in a file, sessions of it, and a harness that watches them."""

from __future__ import annotations

import pytest

pytest.importorskip("sqlalchemy")

from sessions import Base
from sqlalchemy import create_engine, event
from sqlalchemy.orm import Session

from pytest_jobs import TestAdapter, configure
from pytest_jobs.bridges.core.bridge import ReferenceBridge
from pytest_jobs.bridges.opening import transactions_in_use
from pytest_jobs.harness.jobs import Jobs


def _let_sqlalchemy_begin(engine):
    """Keep the driver of sqlite from deciding itself where a transaction begins."""

    @event.listens_for(engine, "connect")
    def connect(connection, record):
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin(connection):
        connection.exec_driver_sql("BEGIN")


@pytest.fixture
def make_engine(tmp_path):
    engines = []

    def make_engine(name):
        engine = create_engine(f"sqlite:///{tmp_path / name}")
        _let_sqlalchemy_begin(engine)
        Base.metadata.create_all(engine)
        engines.append(engine)
        return engine

    yield make_engine
    for engine in engines:
        engine.dispose()


@pytest.fixture
def engine(make_engine):
    return make_engine("shop.db")


@pytest.fixture
def session(engine):
    with Session(engine) as session:
        yield session


@pytest.fixture
def adapter():
    adapter = TestAdapter()
    with configure(adapter=adapter):
        yield adapter


@pytest.fixture
def open_harness():
    """Return what makes a harness that watches what is in use."""

    def make(**options):
        return Jobs([ReferenceBridge()], transactions=transactions_in_use(), **options)

    return make


@pytest.fixture
def jobs(open_harness):
    with open_harness() as jobs:
        yield jobs
