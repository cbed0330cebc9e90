"""Drivers of databases in C, for which Python has no audit event: what a job does by them is refused."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from pytest_jobs import check_idempotent, effects, fake
from pytest_jobs.errors import ExplorationError

app = SimpleNamespace(mail=None)


@pytest.fixture
def driver(monkeypatch):
    """Return what puts a module in the place of a driver."""

    def driver(name, **members):
        module = ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
        return module

    return driver


def world():
    with fake(app, "mail", lambda number, key: None, key="key") as mails:
        yield lambda: {"mails": mails.calls}


def checked(job):
    return check_idempotent(job, args=(7,), world=world, histories=["twice"])


def refusal(job):
    with pytest.raises(ExplorationError) as refused:
        checked(job)
    return str(refused.value)


def connecting(module, name="connect"):
    def job(number):
        getattr(module, name)("dbname=shop").execute("insert into sent values (7)")
        app.mail(number, key=number)

    return job


@pytest.mark.parametrize(
    ("library", "name"),
    [
        ("psycopg2", "connect"),
        ("pyodbc", "connect"),
        ("pymssql", "connect"),
        ("oracledb", "create_pool"),
    ],
)
def test_a_connection_is_refused(driver, library, name):
    sent = []
    made = SimpleNamespace(execute=sent.append)
    module = driver(library, **{name: lambda place: made})

    assert f"The job called {library}.{name}, which reaches outside of the world" in refusal(
        connecting(module, name)
    )
    assert sent == []


def test_a_name_that_the_job_has_imported_is_refused(driver, monkeypatch):
    module = driver("psycopg2", connect=lambda place: SimpleNamespace(execute=print))
    monkeypatch.setitem(globals(), "connect", module.connect)

    def job(number):
        connect("dbname=shop").execute("insert into sent values (7)")  # noqa: F821
        app.mail(number, key=number)

    assert "The job called psycopg2.connect, which" in refusal(job)


def test_a_part_of_something_that_is_seen_is_not_refused(driver):
    module = driver("psycopg2", connect=lambda place: SimpleNamespace(execute=len))

    def job(number):
        with effects.looking():
            module.connect("dbname=shop").execute("select 1")
        app.mail(number, key=number)

    checked(job)
