"""Jobs that use aiosqlite."""

from __future__ import annotations

import asyncio

import aiosqlite

path = ""
gateway = None
kept: list = []


async def _status(db, number):
    async with db.execute("select status from payments where id = ?", (number,)) as cursor:
        return (await cursor.fetchone())[0]


async def _mark(db, number):
    await db.execute("update payments set status = 'done' where id = ?", (number,))
    await db.commit()


async def charge_then_mark(number):
    async with aiosqlite.connect(path) as db:
        if await _status(db, number) != "done":
            gateway.charge(number)
            await _mark(db, number)


async def charge_by_key_then_mark(number):
    async with aiosqlite.connect(path) as db:
        if await _status(db, number) != "done":
            gateway.charge(number, key=number)
            await _mark(db, number)


async def deposit_in_two_commits(number):
    async with aiosqlite.connect(path) as db:
        if await _status(db, number) == "done":
            return
        await db.execute("update accounts set balance = balance + 100")
        await db.commit()
        await _mark(db, number)


async def deposit_in_one_commit(number):
    async with aiosqlite.connect(path, isolation_level=None) as db:
        await db.execute("begin immediate")
        if await _status(db, number) != "done":
            cursor = await db.cursor()
            await cursor.executemany("update accounts set balance = balance + ?", [(50,), (50,)])
            await _mark(db, number)


async def read_row_by_row(number):
    """Is at a line of its own while a query is half read."""
    async with aiosqlite.connect(path) as db:
        seen = 0
        async with db.execute("select id from payments") as cursor:
            async for row in cursor:
                seen += row[0]
        status = f"seen {seen}"
        await db.execute("update payments set status = ? where id = ?", (status, number))
        await db.commit()


async def insert_in_all_ways(number):
    async with aiosqlite.connect(path) as db:
        await db.execute_insert("insert into entries values (?)", (number,))
        await db.executescript("select 1; insert into entries values (7)")
        await db.execute_fetchall("select * from entries")
        await db.commit()


async def fail_over_errors(number):
    async with aiosqlite.connect(path) as db:
        try:
            await _mark(db, number)
        except aiosqlite.OperationalError:
            gateway.charge(number)
            raise


async def gather_effects(number):
    async def one(amount):
        async with aiosqlite.connect(path) as db:
            await db.execute("insert into entries values (?)", (amount,))
            await db.commit()

    await asyncio.gather(one(1))


async def use_a_kept_connection(number):
    if not kept:
        kept.append(await aiosqlite.connect(path))
    await _mark(kept[0], number)
