"""The ways in which a checker of this kind could lie."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from sqlite3 import dbapi2

import explored_jobs
import pytest
import time_machine
from explored_project import service, tasks
from explored_worlds import Gateway, shop
from tables import each_row

from pytest_jobs import Job, check_idempotent, fake, hookimpl, hooks, sqlite_world
from pytest_jobs.errors import DuplicateEffect, ExplorationError, LostEffect, NotIdempotent


def in_memory():
    service.charges.clear()
    service.sent.clear()
    tasks.ledger.clear()
    yield lambda: {
        "charges": list(service.charges),
        "sent": list(service.sent),
        "ledger": list(tasks.ledger),
    }


def gateway():
    with fake(explored_jobs, "gateway", Gateway(), key="key") as made:
        yield lambda: {"charges": made.calls}


def test_a_list_in_the_module_of_the_job_belongs_to_the_world_that_shows_it():
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE ledger .*\[restart"):
        check_idempotent(
            tasks.charge_into_own_list_always, args=(1,), world=in_memory, histories=["restart"]
        )
    check_idempotent(tasks.charge_into_own_list, args=(1,), world=in_memory, histories=["restart"])


@pytest.mark.parametrize("job", [tasks.charge_by_service, tasks.charge_by_helper])
def test_lines_count_in_other_modules_of_the_project_and_in_helpers(job):
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE charges .*\[crash"):
        check_idempotent(job, args=(1,), world=in_memory)


def test_a_date_of_today_is_no_difference_whenever_it_is_written():
    def write_the_date(number):
        db = explored_jobs.connect()
        db.execute("update payments set status = ?", (datetime.now(UTC).date().isoformat(),))
        db.commit()

    check_idempotent(write_the_date, args=(1,), world=shop, histories="all")


def test_another_date_is_a_difference():
    days = [date(2020, 1, 1), date(2020, 1, 2)]

    def write_a_date(number):
        db = explored_jobs.connect()
        used = db.execute("select count(*) from ledger").fetchone()[0]
        db.execute("insert into ledger values (?)", (used,))
        db.execute("update payments set status = ?", (days[min(used, 1)].isoformat(),))
        db.commit()

    with pytest.raises(NotIdempotent):
        check_idempotent(write_a_date, args=(1,), world=shop, histories=["twice"])


#: Around midnight, where a late delivery comes on the next day, and where clocks are put forward.
@each_row("hour", [0, 1, 2, 12, 19, 20, 21, 22, 23])
def test_the_hour_at_which_tests_run_decides_nothing(hour):
    def due_in_a_month(number):
        db = explored_jobs.connect()
        due = datetime.now(UTC).date() + timedelta(days=30)
        db.execute("update payments set status = ?", (due.isoformat(),))
        db.commit()

    with time_machine.travel(datetime(2026, 3, 29, hour, 30, tzinfo=UTC), tick=True):
        check_idempotent(due_in_a_month, args=(1,), world=shop)


def test_a_generator_that_is_closed_after_its_delivery_was_killed_does_nothing_that_is_seen():
    check_idempotent(
        tasks.charge_from_a_generator, args=(1,), world=in_memory, histories=["crash", "late"]
    )


def test_what_a_killed_delivery_would_have_told_a_lifecycle_plugin_is_never_told():
    performed = []

    class Counting:
        @hookimpl
        def job_finished(self, job):
            performed.append(job)

    class Quiet(Job):
        def perform(self, number):
            explored_jobs.gateway.charge(number, key=number)

    def counted():
        performed.clear()
        with fake(explored_jobs, "gateway", Gateway(), key="key") as made:
            yield lambda: {"charges": made.calls, "performed": len(performed)}

    hooks.register(plugin := Counting())
    try:
        check_idempotent(Quiet, args=(1,), world=counted, histories=["crash"])
    finally:
        hooks.unregister(plugin)


def test_fakes_have_no_lines_so_that_a_key_is_looked_up_and_used_in_one_step():
    class Keyed:
        def __init__(self):
            self.answers = {}

        def charge(self, number, key=None):
            if key in self.answers:
                return self.answers[key]
            self.answers[key] = number
            return number

    def keyed():
        with fake(explored_jobs, "gateway", Keyed(), key="key") as made:
            yield lambda: {"charges": made.calls}

    explored = check_idempotent(
        explored_jobs.charge_with_key_in_a_coroutine, args=(1,), world=keyed, histories="all"
    )

    assert "answers" not in str([str(point) for point in explored.explorations[0].points])


def test_a_failed_delivery_leaves_no_connection_and_no_lock_behind():
    def fail_with_an_open_transaction(number):
        db = explored_jobs.connect()
        db.execute("update payments set status = 'done' where id = ?", (number,))
        explored_jobs.gateway.charge(number, key=number)
        db.commit()

    check_idempotent(
        fail_with_an_open_transaction, args=(1,), world=shop, histories=["effect_fails"]
    )


def test_connections_by_dbapi2_are_closed_with_their_worker_too(tmp_path):
    path = tmp_path / "ledger.db"

    def world():
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as keeper:
            keeper.execute("create table ledger (id)")
            yield lambda: {"ledger": keeper.execute("select * from ledger").fetchall()}

    def replace_the_ledger(number):
        db = dbapi2.connect(path)
        db.execute("delete from ledger")
        db.execute("insert into ledger values (?)", (number,))
        db.commit()

    check_idempotent(replace_the_ledger, args=(1,), world=world, histories=["crash", "overlap"])


def test_several_statements_in_one_line_are_points_of_their_own():
    def in_one_line(number):
        db = explored_jobs.connect()
        explored_jobs.gateway.charge(number); explored_jobs.mark(db, number)  # fmt: skip  # noqa: E702

    with pytest.raises(DuplicateEffect, match=r"\[crash"):
        check_idempotent(
            in_one_line, args=(1,), world=shop, histories=["crash"], atomic=[explored_jobs.mark]
        )


def test_a_loop_that_waits_for_a_dead_lease_goes_on_by_the_clock():
    check_idempotent(explored_jobs.spin_on_a_lease, args=(1,), world=leases, histories="all")


def leases():
    with (
        sqlite_world(
            "create table leases (until); create table ledger (id integer unique);",
            bind=(explored_jobs, "connect"),
        ) as rows,
        fake(explored_jobs, "gateway", Gateway(), key="key") as made,
    ):
        yield lambda: {"charges": made.calls, "leases": rows("leases")}


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="a debugger takes no one's place there")
def test_a_debugger_that_takes_the_tracer_is_an_error():
    def debugged(number):
        sys.settrace(lambda *_: None)
        explored_jobs.gateway.charge(number, key=number)

    with pytest.raises(ExplorationError, match=r"A debugger"):
        check_idempotent(debugged, args=(1,), world=gateway)


def test_what_a_killed_delivery_has_in_finally_is_not_seen_by_the_next():
    def mark_in_the_end(number):
        try:
            explored_jobs.gateway.charge(number, key=number)
        finally:
            service.sent.append(number)

    def world():
        service.sent.clear()
        with fake(explored_jobs, "gateway", Gateway(), key="key") as made:
            yield lambda: {"charges": made.calls, "sent": sorted(set(service.sent))}

    check_idempotent(mark_in_the_end, args=(1,), world=world, histories=["crash"])


def test_a_job_that_loses_work_when_its_marker_comes_first_is_found():
    with pytest.raises(LostEffect):
        check_idempotent(explored_jobs.mark_then_charge, args=(1,), world=shop)


def test_a_date_object_of_today_is_no_difference_either():
    def write_the_date(number):
        service.sent[:] = [datetime.now(UTC).date()]
        explored_jobs.gateway.charge(number, key=number)

    def world():
        service.sent.clear()
        with fake(explored_jobs, "gateway", Gateway(), key="key") as made:
            yield lambda: {"charges": made.calls, "sent": list(service.sent)}

    check_idempotent(write_the_date, args=(1,), world=world, histories="all")


def test_a_dead_delivery_that_swallows_everything_ends_all_the_same():
    def never_give_up(number):
        while True:
            try:
                explored_jobs.gateway.charge(number, key=number)
                break
            except BaseException:
                continue

    check_idempotent(never_give_up, args=(1,), world=gateway, histories=["crash", "overlap"])
