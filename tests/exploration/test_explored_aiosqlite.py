"""Jobs that use aiosqlite."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import tempfile
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("aiosqlite")

import aiosqlite
from explored_worlds import Gateway

from pytest_jobs import check_idempotent, fake
from pytest_jobs.errors import DivergedState, DuplicateEffect, ExplorationError
from pytest_jobs.harness.records.patches import Patches

app = SimpleNamespace(path="", gateway=None, kept=[])

SCHEMA = """
create table payments (id integer primary key, status);
insert into payments values (1, 'open'), (2, 'open');
create table accounts (balance);
insert into accounts values (0);
create table entries (amount);
"""


def shop():
    patches = Patches()
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.closing(sqlite3.connect(Path(folder, "shop.db"))) as database,
        fake(app, "gateway", Gateway(), key="key") as gateway,
    ):
        database.executescript(SCHEMA)
        patches.set(app, "path", str(Path(folder, "shop.db")))
        try:
            yield lambda: {
                **{
                    table: database.execute(f"select * from {table}").fetchall()
                    for table in ("payments", "accounts", "entries")
                },
                "charges": gateway.calls,
            }
        finally:
            patches.restore()


def check(job, histories="all", **options):
    return check_idempotent(job, args=(1,), world=shop, histories=histories, **options)


async def _status(db, number):
    async with db.execute("select status from payments where id = ?", (number,)) as cursor:
        return (await cursor.fetchone())[0]


async def _mark(db, number):
    await db.execute("update payments set status = 'done' where id = ?", (number,))
    await db.commit()


async def charge_then_mark(number):
    async with aiosqlite.connect(app.path) as db:
        if await _status(db, number) != "done":
            app.gateway.charge(number)
            await _mark(db, number)


async def charge_by_key_then_mark(number):
    async with aiosqlite.connect(app.path) as db:
        if await _status(db, number) != "done":
            app.gateway.charge(number, key=number)
            await _mark(db, number)


async def deposit_in_two_commits(number):
    async with aiosqlite.connect(app.path) as db:
        if await _status(db, number) == "done":
            return
        await db.execute("update accounts set balance = balance + 100")
        await db.commit()
        await _mark(db, number)


async def deposit_in_one_commit(number):
    async with aiosqlite.connect(app.path, isolation_level=None) as db:
        await db.execute("begin immediate")
        if await _status(db, number) != "done":
            cursor = await db.cursor()
            await cursor.executemany("update accounts set balance = balance + ?", [(50,), (50,)])
            await _mark(db, number)


async def read_row_by_row(number):
    """Is at a line of its own while a query is half read."""
    async with aiosqlite.connect(app.path) as db:
        seen = 0
        async with db.execute("select id from payments") as cursor:
            async for row in cursor:
                seen += row[0]
        status = f"seen {seen}"
        await db.execute("update payments set status = ? where id = ?", (status, number))
        await db.commit()


async def insert_in_all_ways(number):
    async with aiosqlite.connect(app.path) as db:
        await db.execute_insert("insert into entries values (?)", (number,))
        await db.executescript("select 1; insert into entries values (7)")
        await db.execute_fetchall("select * from entries")
        await db.commit()


async def fail_over_errors(number):
    async with aiosqlite.connect(app.path) as db:
        try:
            await _mark(db, number)
        except aiosqlite.OperationalError:
            app.gateway.charge(number)
            raise


async def gather_effects(number):
    async def one(amount):
        async with aiosqlite.connect(app.path) as db:
            await db.execute("insert into entries values (?)", (amount,))
            await db.commit()

    await asyncio.gather(one(1))


async def use_a_kept_connection(number):
    if not app.kept:
        app.kept.append(await aiosqlite.connect(app.path))
    await _mark(app.kept[0], number)


@pytest.mark.wide
def test_a_guard_that_a_crash_passes_is_found():
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE gateway\.charge\b.*\[crash"):
        check(charge_then_mark)


@pytest.mark.wide
def test_work_that_two_commits_tear_apart_is_found():
    with pytest.raises(DivergedState, match=r"DIVERGED accounts\b.*\[crash"):
        check(deposit_in_two_commits)


@pytest.mark.parametrize(
    "job",
    [charge_by_key_then_mark, deposit_in_one_commit, read_row_by_row],
)
def test_a_safe_job_is_safe_in_every_history(job):
    explored = check(job)

    assert explored.histories == explored.to_dict()["arguments"][0]["planned"] > 8


def test_what_is_awaited_within_a_statement_is_one_step():
    points = check(charge_by_key_then_mark, ["twice"]).explorations[0].points

    assert [str(point) for point in points if point.kind in ("before", "after")] == [
        "before gateway: charge(1, key=1)",
        "after gateway: charge(1, key=1)",
        "before sqlite: update payments set status = 'done' where id = ?",
        "after sqlite: update payments set status = 'done' where id = ?",
        "before sqlite: commit",
        "after sqlite: commit",
    ]


def test_every_way_to_change_something_is_an_effect():
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE entries\b.*\[twice") as found:
        check(insert_in_all_ways)

    assert "sqlite: insert into entries values (?)" in str(found.value)
    assert "sqlite: select 1; insert into entries values (7)" in str(found.value)
    assert "sqlite: select * from entries" not in str(found.value)


def test_the_branch_for_a_database_that_fails_is_reached():
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE gateway\.charge\b.*\[effect_fails"):
        check(fail_over_errors, ["effect_fails"])


def test_what_a_task_of_the_job_does_is_found():
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE entries\b.*\[twice"):
        check(gather_effects)


def test_a_connection_that_is_kept_in_a_module_is_refused():
    with pytest.raises(ExplorationError, match=r"a connection of aiosqlite that was opened before"):
        check(use_a_kept_connection)


@pytest.mark.wide
def test_nothing_is_left_behind():
    def state():
        return (
            aiosqlite.Connection._connect,
            aiosqlite.Connection._execute,
            aiosqlite.Connection.close,
            threading.active_count(),
        )

    before = state()
    check(charge_by_key_then_mark, ["twice", "crash", "overlap"])
    with pytest.raises(DuplicateEffect):
        check(charge_then_mark)

    assert state() == before
