"""Jobs that use aiosqlite."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
import threading
from pathlib import Path

import pytest

pytest.importorskip("aiosqlite")

import aiosqlite
import explored_aiosqlite as jobs
from explored_worlds import Gateway

from pytest_jobs import check_idempotent, fake
from pytest_jobs.errors import DivergedState, DuplicateEffect, ExplorationError
from pytest_jobs.harness.records.patches import Patches

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
        fake(jobs, "gateway", Gateway(), key="key") as gateway,
    ):
        database.executescript(SCHEMA)
        patches.set(jobs, "path", str(Path(folder, "shop.db")))
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


@pytest.mark.wide
def test_a_guard_that_a_crash_passes_is_found():
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE gateway\.charge\b.*\[crash"):
        check(jobs.charge_then_mark)


@pytest.mark.wide
def test_work_that_two_commits_tear_apart_is_found():
    with pytest.raises(DivergedState, match=r"DIVERGED accounts\b.*\[crash"):
        check(jobs.deposit_in_two_commits)


@pytest.mark.parametrize(
    "job",
    [jobs.charge_by_key_then_mark, jobs.deposit_in_one_commit, jobs.read_row_by_row],
)
def test_a_safe_job_is_safe_in_every_history(job):
    explored = check(job)

    assert explored.histories == explored.to_dict()["arguments"][0]["planned"] > 8


def test_what_is_awaited_within_a_statement_is_one_step():
    points = check(jobs.charge_by_key_then_mark, ["twice"]).explorations[0].points

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
        check(jobs.insert_in_all_ways)

    assert "sqlite: insert into entries values (?)" in str(found.value)
    assert "sqlite: select 1; insert into entries values (7)" in str(found.value)
    assert "sqlite: select * from entries" not in str(found.value)


def test_the_branch_for_a_database_that_fails_is_reached():
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE gateway\.charge\b.*\[effect_fails"):
        check(jobs.fail_over_errors, ["effect_fails"])


def test_what_a_task_of_the_job_does_is_found():
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE entries\b.*\[twice"):
        check(jobs.gather_effects)


def test_a_connection_that_is_kept_in_a_module_is_refused():
    with pytest.raises(ExplorationError, match=r"a connection of aiosqlite that was opened before"):
        check(jobs.use_a_kept_connection)


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
    check(jobs.charge_by_key_then_mark, ["twice", "crash", "overlap"])
    with pytest.raises(DuplicateEffect):
        check(jobs.charge_then_mark)

    assert state() == before
