"""Jobs that use SQLAlchemy on sqlite: its core, its ORM, and its sessions of all kinds."""

from __future__ import annotations

import pytest

pytest.importorskip("sqlalchemy")
pytest.importorskip("aiosqlite")

import explored_orm as orm
from explored_orm_worlds import async_shop, shop, world
from sqlalchemy import StaticPool, create_engine, event
from sqlalchemy.engine import Dialect, Engine
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import sessionmaker
from sqlalchemy.util import ThreadLocalRegistry

from pytest_jobs import check_idempotent
from pytest_jobs.errors import (
    DivergedState,
    DuplicateEffect,
    ExplorationError,
    StuckJob,
)


def check(job, where=shop, histories="all", **options):
    return check_idempotent(job, args=(1,), world=where, histories=histories, **options)


def points(job, where=shop):
    return [str(point) for point in check(job, where, ["twice"]).explorations[0].points]


@pytest.mark.parametrize(
    ("job", "where", "error", "what"),
    [
        (orm.charge_then_mark, shop, DuplicateEffect, r"gateway\.charge\b.*\[crash"),
        (orm.charge_then_mark_async, async_shop, DuplicateEffect, r"gateway\.charge\b.*\[crash"),
        (orm.deposit_in_two_commits, shop, DivergedState, r"accounts\b.*\[crash"),
        (orm.deposit_in_two_commits_async, async_shop, DivergedState, r"accounts\b.*\[crash"),
        (orm.book, shop, DuplicateEffect, r"entries\b.*\[twice"),
        # What sqlite reads before it begins a transaction is stale.
        (orm.look_then_book, shop, DuplicateEffect, r"entries\b.*\[overlap"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_may_not_be_delivered_twice_is_found(job, where, error, what):
    with pytest.raises(error, match=rf"(DUPLICATE|DIVERGED) {what}"):
        check(job, where)


@pytest.mark.parametrize(
    ("job", "error", "what"),
    [
        (orm.mail_before_the_commit, DuplicateEffect, r"DUPLICATE mailer\.send"),
        (orm.fail_over_errors, DuplicateEffect, r"DUPLICATE gateway\.charge"),
        (orm.swallow_all_errors, StuckJob, "STUCK payments"),
    ],
)
def test_the_branch_for_a_database_that_fails_is_reached(job, error, what):
    with pytest.raises(error, match=rf"{what}\b.*\[effect_fails"):
        check(job, histories=["effect_fails"])


@pytest.mark.parametrize(
    ("job", "where"),
    [
        (orm.charge_by_key_then_mark, shop),
        (orm.charge_by_core, shop),
        (orm.deposit_in_one_commit, shop),
        (orm.deposit_by_savepoint, shop),
        (orm.deposit_by_savepoint_async, async_shop),
        (orm.book_once, shop),
        (orm.mark_by_scoped_session, shop),
        (orm.mark_by_scoped_session, world((orm, "Scoped"))),
        (orm.charge_by_key_then_mark, world([orm.Session])),
        (orm.mark_by_unbound_session, world((orm, "unbound"))),
        (orm.read_row_by_row, shop),
        (orm.mail_by_outbox, shop),
        (orm.stamp, shop),
        (orm.charge_by_key_then_mark_async, async_shop),
        (orm.charge_by_key_then_mark_async, world((orm, "AsyncSessions"))),
        (orm.deposit_by_core_async, async_shop),
    ],
)
def test_a_safe_job_is_safe_in_every_history(job, where):
    explored = check(job, where)

    assert explored.histories == explored.to_dict()["arguments"][0]["planned"] > 8


def test_a_statement_is_one_act_of_sqlalchemy_and_so_is_a_commit():
    found = [point for point in points(orm.deposit_in_one_commit) if "line" not in point]

    assert [point.split(":")[0] for point in found] == [
        "before sqlalchemy",
        "after sqlalchemy",
        "before sqlalchemy",
        "after sqlalchemy",
        "before sqlalchemy",
        "after sqlalchemy",
    ]
    assert found[-1] == "after sqlalchemy: commit"


def test_awaiting_the_same_statements_gives_the_same_acts():
    waiting = [p for p in points(orm.deposit_in_one_commit) if "sqlalchemy" in p]
    awaiting = [p for p in points(orm.deposit_by_core_async, async_shop) if "sqlalchemy" in p]

    assert awaiting == waiting


def test_a_session_that_is_kept_in_a_module_is_one_of_its_process():
    assert check(orm.keep_a_session).histories > 8


def test_a_session_that_two_deliveries_would_share_is_refused():
    try:
        with pytest.raises(
            ExplorationError, match=r"was begun before it was delivered|is in the mid"
        ):
            check(orm.use_a_kept_session, histories=["crash", "overlap"])
    finally:
        orm.framework.session = None


@pytest.mark.parametrize("pool", [None, StaticPool], ids=["a thread's own", "static"])
def test_a_database_in_memory_of_one_connection_is_refused(pool, monkeypatch):
    engine = create_engine("sqlite://", **({} if pool is None else {"poolclass": pool}))
    monkeypatch.setattr(orm, "Session", sessionmaker(engine))

    def in_memory():
        orm.Base.metadata.drop_all(engine)
        orm.Base.metadata.create_all(engine)
        with orm.Session.begin() as session:
            session.add(orm.Payment(id=1))
        yield lambda: session.connection

    with pytest.raises(
        ExplorationError, match=r"a sqlite database in memory that lives in a single"
    ):
        check(orm.book_once, in_memory)
    engine.dispose()


@pytest.mark.wide
def test_a_static_pool_of_a_database_in_a_file_is_one_for_each_delivery(monkeypatch):
    engine = create_engine("sqlite:///nowhere/static.db", poolclass=StaticPool)
    monkeypatch.setattr(orm, "Session", sessionmaker(engine))

    check(orm.charge_by_key_then_mark, world((orm, "Session")))
    with pytest.raises(DuplicateEffect, match=r"\[crash"):
        check(orm.charge_then_mark, world((orm, "Session")))


def test_what_an_application_does_to_its_connections_holds_for_those_of_the_world(monkeypatch):
    engine = create_engine("sqlite:///nowhere/pragmas.db")
    asked = []
    event.listen(engine, "connect", orm.be_patient(asked))
    monkeypatch.setattr(orm, "Session", sessionmaker(engine))
    check(orm.charge_by_key_then_mark, world((orm, "Session")), ["twice", "overlap"])

    assert set(asked) == {(0,)}


def test_a_job_that_only_reads_shows_nothing():
    with pytest.raises(ExplorationError, match="changes nothing that the world shows"):
        check(orm.do_nothing_but_read)


def test_an_asynchronous_driver_that_cannot_be_ended_is_refused(monkeypatch):
    engine = create_async_engine("sqlite+aiosqlite:///nowhere/other.db")
    monkeypatch.setattr(engine.sync_engine.dialect, "driver", "other")
    monkeypatch.setattr(orm, "async_engine", engine)

    def somewhere():
        yield dict

    with pytest.raises(ExplorationError, match=r"used the asynchronous driver other of SQLAlchemy"):
        check(orm.deposit_by_core_async, somewhere)


@pytest.mark.slow
def test_deliveries_of_depth_two_are_explored():
    explored = check(orm.deposit_in_one_commit, histories=["crash", "overlap"], depth=2)

    assert explored.histories > 20


@pytest.mark.slow
def test_the_source_is_found_when_the_job_imports_the_library(pytester):
    pytester.makepyfile(
        app="""
        def pay(path):
            from sqlalchemy import create_engine, text

            engine = create_engine(f"sqlite:///{path}")
            with engine.begin() as connection:
                connection.execute(text("insert into payments values (1)"))
            engine.dispose()
        """,
        test_lazily="""
        import sqlite3, sys
        import app
        from pytest_jobs import check_idempotent

        def world():
            import tempfile, pathlib, contextlib
            with tempfile.TemporaryDirectory() as folder:
                path = str(pathlib.Path("shop.db"))
                pathlib.Path(path).unlink(missing_ok=True)
                with contextlib.closing(sqlite3.connect(path)) as made:
                    made.execute("create table payments (id)")
                    yield lambda: made.execute("select * from payments").fetchall()

        def test_it():
            assert "sqlalchemy" not in sys.modules
            check_idempotent(app.pay, args=("shop.db",), world=world)
        """,
    )

    result = pytester.runpytest_subprocess("-p", "no:randomly")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*DUPLICATE state*[[]twice*", "*sqlalchemy: insert into payments*"]
    )


def test_nothing_is_left_behind():
    def state():
        return (
            Engine.raw_connection,
            DefaultDialect.do_commit,
            Dialect._has_events,
            orm.engine.url,
            orm.engine.pool,
            list(orm.engine.dialect.dispatch.do_connect),
            list(orm.engine.dialect.dispatch.do_execute),
            ThreadLocalRegistry.__call__,
            orm.async_engine.sync_engine.pool,
            orm.unbound.kw.get("bind"),
        )

    before = state()
    check(orm.charge_by_key_then_mark, histories=["twice"])
    with pytest.raises(DuplicateEffect):
        check(orm.charge_then_mark)
    check(orm.deposit_by_core_async, async_shop, ["twice"])
    check(orm.mark_by_unbound_session, world((orm, "unbound")), ["twice"])

    assert state() == before
