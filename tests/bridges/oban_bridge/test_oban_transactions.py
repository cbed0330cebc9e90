"""A job that is enqueued with `conn=` goes with a rollback of the transaction, as its row does."""

import asyncio
from contextlib import asynccontextmanager

import pytest

pytest.importorskip("oban")
pytest.importorskip("aiosqlite")

import psycopg
from blocks_of_psycopg import compared
from oban import Oban, schema, worker
from psycopg_pool import AsyncConnectionPool
from servers import own_database
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from pytest_jobs import open_jobs


@pytest.fixture(scope="module")
def database(postgresql_url):
    """Return the URL of a database with the tables of Oban."""
    url = own_database(postgresql_url, "oban_rolled_back")

    async def install():
        async with AsyncConnectionPool(url, min_size=1, open=False) as pool:
            await schema.install(pool)

    asyncio.run(install())
    return url


@asynccontextmanager
async def of_psycopg(url):
    async def connect():
        conn = await psycopg.AsyncConnection.connect(url)
        return conn, conn.transaction

    yield connect


@asynccontextmanager
async def of_a_cursor(url):
    async def connect():
        conn = await psycopg.AsyncConnection.connect(url)
        return conn, conn.transaction, conn.cursor()

    yield connect


@asynccontextmanager
async def engine_of(url):
    engine = create_async_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    yield engine
    await engine.dispose()


@asynccontextmanager
async def of_a_session(url):
    async with engine_of(url) as engine:

        async def connect():
            session = AsyncSession(engine)
            return session, session.begin_nested

        yield connect


@asynccontextmanager
async def of_an_engine(url):
    async with engine_of(url) as engine:

        async def connect():
            conn = await engine.connect()
            await conn.exec_driver_sql("SELECT 1")
            return conn, conn.begin_nested

        yield connect


@pytest.mark.parametrize("kind", [of_psycopg, of_a_cursor, of_a_session, of_an_engine])
def test_the_harness_shows_what_the_table_has(database, kind):
    @worker()
    class Work:
        async def process(self, job): ...

    async def rows():
        async with await psycopg.AsyncConnection.connect(database) as conn:
            gone = await conn.execute("DELETE FROM oban_jobs RETURNING id, args")
            return [args["number"] for _, args in sorted(await gone.fetchall())]

    async def all_of_it():
        async with (
            AsyncConnectionPool(database, min_size=1, open=False) as pool,
            kind(database) as connect,
        ):
            oban = Oban(pool=pool)

            async def connected():
                conn, block, *other = await connect()

                async def send(number):
                    await oban.enqueue(
                        Work.new({"number": number}), conn=other[0] if other else conn
                    )

                return conn, block, send

            return await compared(connected, rows, open_jobs)

    for name, (real, shown) in asyncio.run(all_of_it()).items():
        assert shown == real, name


def test_a_job_that_was_taken_back_is_not_found(run, oban):
    @worker()
    class Work:
        async def process(self, job): ...

    async def tell(jobs):
        engine = create_async_engine("sqlite+aiosqlite://")
        async with AsyncSession(engine) as session:
            job = await oban.enqueue(Work.new({"number": 1}), conn=session)
            assert [record.kwargs for record in jobs.enqueued] == [{"number": 1}]
            assert (await oban.get_job(job.id)).args == {"number": 1}
            await session.rollback()
        await engine.dispose()
        return await oban.get_job(job.id)

    with open_jobs() as jobs:
        assert run(tell(jobs)) is None
        assert (len(jobs.enqueued), len(jobs.dropped_by_rollback)) == (0, 1)


def test_a_connection_of_another_kind_has_the_job_at_once(run, jobs, oban):
    @worker()
    class Work:
        async def process(self, job): ...

    run(oban.enqueue(Work.new({"number": 1}), conn=object()))

    assert len(jobs.enqueued) == 1
