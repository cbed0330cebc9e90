"""A job that is deferred in a transaction of the application goes with a rollback, as its row does."""

import asyncio
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

pytest.importorskip("procrastinate")

import procrastinate
import psycopg
from blocks_of_psycopg import compared
from psycopg.conninfo import conninfo_to_dict
from servers import own_database

TESTS = Path(__file__).parents[2]

DJANGO = """
import django
from django.conf import settings

DATABASE = {{"ENGINE": "django.db.backends.postgresql", "NAME": {dbname!r}, "USER": {user!r}, "HOST": {host!r}}}
settings.configure(DATABASES={{"default": DATABASE}}, SECRET_KEY="tests", USE_TZ=True)
django.setup()

import procrastinate
from blocks_of_django import compared
from django.db import connection
from procrastinate.contrib.django.django_connector import DjangoConnector

app = procrastinate.App(connector=DjangoConnector())

@app.task(name="work")
def work(number): ...

def rows():
    with connection.cursor() as cursor:
        cursor.execute("SELECT (args->>'number')::int FROM procrastinate_jobs ORDER BY id")
        found = [number for number, in cursor.fetchall()]
        cursor.execute("DELETE FROM procrastinate_jobs")
    return found

for name, (real, shown) in compared(lambda number: work.defer(number=number), rows).items():
    print(name, real, shown)
    assert real == shown, name
"""


@pytest.fixture(scope="module")
def database(postgresql_url):
    """Return the URL of a database with the tables of Procrastinate."""
    url = own_database(postgresql_url, "procrastinate_rolled_back")
    app = procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo=url))
    with app.open():
        app.schema_manager.apply_schema()
    return url


def rows(database):
    with psycopg.connect(database) as conn:
        gone = conn.execute("DELETE FROM procrastinate_jobs RETURNING id, args").fetchall()
    return [args["number"] for _, args in sorted(gone)]


def test_a_job_is_a_row_on_the_connection_that_it_is_given(database, open_over):
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=database))

    @app.task(name="work")
    def work(number): ...

    async def connect():
        conn = await psycopg.AsyncConnection.connect(database)

        async def send(number):
            await work.configure(connection=conn).defer_async(number=number)

        return conn, conn.transaction, send

    async def emptied():
        return rows(database)

    async def all_of_it():
        async with app.open_async():
            return await compared(connect, emptied, lambda: open_over(app))

    for name, (real, shown) in asyncio.run(all_of_it()).items():
        assert shown == real, name


def test_a_synchronous_connection_does_the_same(database, open_over):
    app = procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo=database))

    @app.task(name="work")
    def work(number): ...

    def tell():
        with psycopg.connect(database) as conn, conn.transaction():
            send = work.configure(connection=conn).defer
            send(number=1)
            with conn.transaction():
                send(number=2)
                raise psycopg.Rollback
            send(number=3)
        with suppress(psycopg.errors.DivisionByZero), psycopg.connect(database) as conn:
            work.configure(connection=conn).defer(number=4)
            conn.execute("SELECT 1 / 0")
        with psycopg.connect(database) as conn:
            work.configure(connection=conn).defer(number=5)
            with suppress(psycopg.errors.DivisionByZero):
                conn.execute("SELECT 1 / 0")
        with psycopg.connect(database, autocommit=True) as conn:
            work.configure(connection=conn).defer(number=6)
            conn.rollback()

    tell()
    real = rows(database)

    with open_over(app) as jobs:
        tell()
        assert [record.kwargs["number"] for record in jobs.enqueued] == real == [1, 3, 6]


def test_a_lock_is_free_again_after_the_rollback(database, jobs, app):
    @app.task(name="work")
    def work(number): ...

    with psycopg.connect(database) as conn:
        first = work.configure(queueing_lock="one", connection=conn).defer(number=1)
        conn.rollback()
    again = work.configure(queueing_lock="one").defer(number=2)

    assert [record.kwargs for record in jobs.enqueued] == [{"number": 2}]
    assert jobs.kept_out == []
    assert first != again


def test_a_connector_of_django_writes_on_the_connection_of_the_application(database, tmp_path):
    pytest.importorskip("django")
    places = {"dbname": "", "user": "", "host": "", **conninfo_to_dict(database)}
    (tmp_path / "project.py").write_text(DJANGO.format(**places))
    path = {"PYTHONPATH": f"{TESTS}:{TESTS.parent}", "PATH": ""}

    subprocess.run(
        [sys.executable, "-W", "error", "project.py"], cwd=tmp_path, env=path, check=True
    )
