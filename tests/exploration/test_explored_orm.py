"""Jobs that use Django's ORM: its statements are effects, its connections die with their worker."""

from __future__ import annotations

import pytest

pytest.importorskip("django", reason="Django is not installed")

import explored_models
from django.db import connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from explored_models import databases, gateway_only, shop  # noqa: F401

from pytest_jobs import check_idempotent, open_jobs
from pytest_jobs.errors import (
    DuplicateEffect,
    ExplorationError,
    LostEffect,
    NotIdempotent,
)


def points(explored):
    return [str(point) for point in explored.explorations[0].points]


@pytest.mark.parametrize(
    ("job", "error", "what"),
    [
        (explored_models.charge_then_mark, DuplicateEffect, r"gateway\.charge .*\[crash"),
        (explored_models.book_in_two_transactions, NotIdempotent, r"Payment .*\[crash"),
        (explored_models.look_up_without_a_lock, DuplicateEffect, r"gateway\.charge .*\[overlap"),
        # A callback after the commit, and a job that waits for it.
        (explored_models.enqueue_on_commit, LostEffect, r"enqueue .*send_receipt.*\[crash"),
        (explored_models.enqueue_after_commit, LostEffect, r"enqueue .*send_invoice.*\[crash"),
    ],
)
def test_what_may_not_be_delivered_twice_is_found(job, error, what):
    histories = ["overlap" if "overlap" in what else "crash"]
    with pytest.raises(error, match=what):
        check_idempotent(job, args=(1,), world=shop, histories=histories)


@pytest.mark.parametrize(
    "job",
    [
        explored_models.charge_with_key,
        explored_models.book_in_one_transaction,
        # A delivery that finds a lock held comes again.
        explored_models.look_up_under_the_lock_of_a_row,
        explored_models.leave_a_transaction_open,
        explored_models.enqueue_on_commit_always,
    ],
)
def test_a_safe_job_is_safe_in_every_history(job):
    explored = check_idempotent(job, args=(1,), world=shop, histories="all")

    assert explored.histories > 8


def test_statements_and_commits_are_effects_and_reads_and_savepoints_are_none():
    explored = check_idempotent(
        explored_models.book_in_one_transaction, args=(1,), world=shop, histories=["twice"]
    )

    assert [point[:43].strip() for point in points(explored) if "django" in point] == [
        "before django: INSERT INTO explored_models_",
        "after django: INSERT INTO explored_models_e",
        "before django: UPDATE explored_models_payme",
        "after django: UPDATE explored_models_paymen",
        "before django: COMMIT",
        "after django: COMMIT",
    ]


def test_raw_statements_are_told_apart_by_what_they_do():
    explored = check_idempotent(
        explored_models.write_raw_statements, args=(1,), world=shop, histories=["twice"]
    )

    assert [point for point in points(explored) if point.startswith("before django")] == [
        "before django: update explored_models_payment set status = %s where id = %s",
        "before django: with one as (select 1) delete from explored_models_entry",
    ]


def test_an_error_of_the_database_reaches_the_job():
    explored_models.reached.errors.clear()

    check_idempotent(
        explored_models.note_errors_of_the_database,
        args=(1,),
        world=shop,
        histories=["effect_fails"],
    )

    # The statement and the commit.
    assert explored_models.reached.errors == ["disk I/O error"] * 2


def test_callbacks_of_deliveries_are_none_of_the_test():
    with open_jobs() as jobs:
        check_idempotent(explored_models.enqueue_on_commit_always, args=(1,), world=shop)

        assert len(jobs.waiting_for_commit) == 0
        assert len(jobs.dropped_by_rollback) == 0


def test_nothing_stays_patched_and_no_connection_stays_open():
    places = [
        (BaseDatabaseWrapper, "ensure_connection"),
        (BaseDatabaseWrapper, "_commit"),
        (BaseDatabaseWrapper, "on_commit"),
        (CursorWrapper, "execute"),
        (CursorWrapper, "executemany"),
        (CursorWrapper, "callproc"),
    ]
    before = [vars(owner)[name] for owner, name in places]
    wrapper, settings = connections["default"], connections.settings["default"]
    connection_before = wrapper.connection

    with pytest.raises(DuplicateEffect):
        check_idempotent(explored_models.charge_then_mark, args=(1,), world=shop)

    assert [vars(owner)[name] for owner, name in places] == before
    assert connections["default"] is wrapper
    assert connections.settings["default"] is settings
    assert wrapper.connection is connection_before


def test_the_database_in_memory_of_the_test_is_refused():
    with pytest.raises(ExplorationError, match=r"'default', which is in memory.*django_world\("):
        check_idempotent(explored_models.charge_then_mark, args=(1,), world=gateway_only)


def test_so_it_is_where_the_job_would_catch_it():
    def job(number):
        try:
            explored_models.charge_then_mark(number)
        except BaseException:
            explored_models.gateway.charge(number, key=number)

    with pytest.raises(ExplorationError, match="which is in memory"):
        check_idempotent(job, args=(1,), world=gateway_only)


@pytest.fixture
def file_database(tmp_path):
    """Have a database in a file, as an application may have that builds its world by itself."""
    before = connections.settings["default"], connections["default"]
    connections.settings["default"] = {**before[0], "NAME": str(tmp_path / "db.sqlite3")}
    connections["default"] = connections.create_connection("default")
    with connection.schema_editor() as editor:
        for model in (explored_models.Customer, explored_models.Payment, explored_models.Entry):
            editor.create_model(model)
    yield
    connection.close()
    connections.settings["default"], connections["default"] = before


def world_in_file():
    explored_models.Payment.objects.all().delete()
    explored_models.Payment.objects.create(pk=1)
    with gateway_only() as calls:
        yield lambda: {
            "payments": list(explored_models.Payment.objects.values_list()),
            "charges": calls(),
        }


@pytest.mark.wide
@pytest.mark.usefixtures("file_database")
def test_a_connection_that_the_world_opened_dies_with_the_first_delivery():
    check_idempotent(
        explored_models.charge_with_key, args=(1,), world=world_in_file, histories="all"
    )
    with pytest.raises(DuplicateEffect):
        check_idempotent(explored_models.charge_then_mark, args=(1,), world=world_in_file)


@pytest.mark.usefixtures("file_database")
def test_the_transaction_of_a_test_is_refused():
    with (
        transaction.atomic(),
        pytest.raises(ExplorationError, match=r"test holds a transaction.*django_world\("),
    ):
        check_idempotent(explored_models.charge_then_mark, args=(1,), world=world_in_file)


def use_one_connection(number):
    """Use the connection of the first delivery, as no two processes can."""
    wrapper = explored_models.reached.wrapper = (
        explored_models.reached.wrapper or connections["default"]
    )
    wrapper.inc_thread_sharing()
    connections["default"] = wrapper
    explored_models.charge_with_key(number)


def shop_with_one_connection():
    explored_models.reached.wrapper = None
    with shop() as snapshot:
        yield snapshot


def test_one_connection_for_two_deliveries_is_refused():
    with pytest.raises(ExplorationError, match="Two deliveries would use one connection"):
        check_idempotent(
            use_one_connection, args=(1,), world=shop_with_one_connection, histories=["overlap"]
        )


@pytest.mark.slow
def test_a_job_that_imports_django_itself_is_heard(pytester):
    pytester.makepyfile(
        jobs="""
        def record(number):
            from django.conf import settings

            if not settings.configured:
                settings.configure(
                    DATABASES={
                        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "jobs.sqlite3"}
                    }
                )
            from django.db import connection

            with connection.cursor() as cursor:
                cursor.execute("insert into numbers values (%s)", [number])
        """,
        test_it="""
        import sqlite3
        import sys
        from contextlib import closing

        import jobs
        import pytest
        from pytest_jobs import check_idempotent

        def world():
            with closing(sqlite3.connect("jobs.sqlite3", isolation_level=None)) as db:
                db.execute("drop table if exists numbers")
                db.execute("create table numbers (number)")
                yield lambda: {"numbers": list(db.execute("select * from numbers"))}

        def test_it():
            assert "django.db" not in sys.modules
            check_idempotent(jobs.record, args=(1,), world=world)
        """,
    )

    result = pytester.runpytest_subprocess("-p", "no:randomly", "-p", "no:django")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*DUPLICATE numbers*", "*django: insert into numbers*"])
