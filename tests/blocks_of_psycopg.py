"""Transactions of a connection of the application, in which jobs 1, 2 and so on are enqueued.

`conn` is a connection of psycopg, or a connection or session of SQLAlchemy; `block` begins a savepoint on it.
"""

from contextlib import suppress

STORIES = {}


def story(function):
    STORIES[function.__name__] = function
    return function


class No(Exception):
    """Rolls a block back."""


async def refused(block, enqueue):
    with suppress(No):
        async with block():
            await enqueue()
            raise No


@story
async def committed(conn, block, send):
    await send(1)
    await conn.commit()


@story
async def rolled_back(conn, block, send):
    await send(1)
    await send(2)
    await conn.rollback()


@story
async def one_after_the_other(conn, block, send):
    await send(1)
    await conn.commit()
    await send(2)
    await conn.rollback()
    await send(3)
    await conn.commit()


@story
async def a_savepoint_inside(conn, block, send):
    await send(1)
    await refused(block, lambda: send(2))
    async with block():
        await send(3)
    await refused(block, lambda: send(4))
    await conn.commit()


@story
async def a_savepoint_that_was_released(conn, block, send):
    await send(1)

    async def inner():
        async with block():
            await send(2)
        await send(3)

    await refused(block, inner)
    await conn.commit()


@story
async def a_transaction_around_a_savepoint(conn, block, send):
    await send(1)
    async with block():
        await send(2)
    await conn.rollback()


@story
async def closed_before_the_commit(conn, block, send):
    await send(1)
    await conn.close()


async def compared(connect, rows, open_harness):
    """Return what a table has after each story, and what a harness shows after the same.

    Args:
        connect: returns a connection, the function that begins a savepoint on it, and one that enqueues a number.
        rows: returns the numbers that are in the table, and empties it.
        open_harness: opens a harness.
    """
    found = {}
    for name, tell in STORIES.items():
        conn, *rest = await connect()
        await tell(conn, *rest)
        await conn.close()
        real = await rows()
        with open_harness() as jobs:
            conn, *rest = await connect()
            await tell(conn, *rest)
            await conn.close()
            found[name] = real, [record.kwargs["number"] for record in jobs.enqueued]
        assert await rows() == []
    return found
