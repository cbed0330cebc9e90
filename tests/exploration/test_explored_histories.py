"""Each history finds what it is for, and leaves alone what is safe."""

import sqlite3

import explored_jobs
import pytest
from explored_worlds import files, shop

from pytest_jobs import check_idempotent
from pytest_jobs.errors import (
    DivergedState,
    DuplicateEffect,
    LostEffect,
    NotIdempotent,
    PoisonJob,
    StuckJob,
)


def check(job, *histories, **options):
    return check_idempotent(
        job, args=(1,), world=options.pop("world", shop), histories=histories, **options
    )


@pytest.mark.parametrize(
    ("job", "history", "verdict"),
    [
        (explored_jobs.charge_always, "twice", DuplicateEffect),
        (explored_jobs.insert_plainly, "twice", PoisonJob),
        (explored_jobs.charge_once_a_process, "restart", DuplicateEffect),
        (explored_jobs.charge_then_mark, "crash", DuplicateEffect),
        (explored_jobs.mark_then_charge, "crash", LostEffect),
        (explored_jobs.claim_and_forget, "crash", DivergedState),
        (explored_jobs.done_in_spite_of_error, "effect_fails", LostEffect),
        (explored_jobs.give_up_on_error, "reply_lost", DivergedState),
        (explored_jobs.look_up_then_charge, "overlap", DuplicateEffect),
        (explored_jobs.charge_under_a_lock, "overlap", DuplicateEffect),
        (explored_jobs.key_of_the_day, "late", DuplicateEffect),
        (explored_jobs.charge_then_mark, "lease_expires", DuplicateEffect),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_history_finds(job, history, verdict):
    with pytest.raises(verdict) as found:
        check(job, history)

    assert found.value.report.history == history
    assert f"[{history}" in str(found.value).splitlines()[0]


@pytest.mark.parametrize(
    ("job", "history"),
    [
        (explored_jobs.charge_once_a_process, "twice"),
        (explored_jobs.charge_then_mark, "twice"),
        (explored_jobs.charge_then_mark, "restart"),
        (explored_jobs.look_up_then_charge, "crash"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_history_is_quiet(job, history):
    assert check(job, history).histories > 0


@pytest.mark.parametrize(
    "job",
    [
        explored_jobs.charge_with_key,
        explored_jobs.overwrite,
        explored_jobs.stamp,
        explored_jobs.remember,
        explored_jobs.spin_for_ever,
    ],
)
def test_a_safe_job_is_safe_in_every_history(job):
    explored = check_idempotent(job, args=(1,), world=shop, histories="all")

    assert explored.histories == explored.to_dict()["arguments"][0]["planned"]


def test_a_job_that_runs_after_another_overwrites_it():
    def cancel():
        db = explored_jobs.connect()
        db.execute("update payments set status = 'cancelled' where id = 1")
        db.commit()
        db.close()

    with pytest.raises(DivergedState, match=r"\[out_of_order\]"):
        check(explored_jobs.overwrite, "out_of_order", others=[cancel])
    check(explored_jobs.claim_and_forget, "out_of_order", others=[cancel])


def test_the_first_that_fails_is_the_simplest():
    with pytest.raises(NotIdempotent) as found:
        check_idempotent(explored_jobs.charge_always, args=(1,), world=shop, histories="all")

    assert "[twice]" in str(found.value)


def test_deliveries_of_one_process_keep_each_other_out_by_its_locks():
    with pytest.raises(DuplicateEffect):
        check(explored_jobs.charge_once_a_process, "restart")
    check(explored_jobs.charge_once_a_process, "restart", same_process=True)


def test_what_may_happen_at_least_once_may_where_a_delivery_was_cut_off():
    check(explored_jobs.charge_then_mark, "crash", at_least_once={"charges", "gateway"})
    with pytest.raises(LostEffect):
        check(explored_jobs.mark_then_charge, "crash", at_least_once={"charges", "gateway"})
    with pytest.raises(DuplicateEffect):
        check(explored_jobs.charge_always, "twice", at_least_once={"charges", "gateway"})


def test_an_error_that_is_accepted_ends_a_delivery():
    check(explored_jobs.insert_plainly, "twice", accept=[sqlite3.IntegrityError])


def test_files():
    with pytest.raises(DivergedState, match=r"report\.txt"):
        check_idempotent(explored_jobs.append_to_file, args=(1,), world=files)
    check_idempotent(explored_jobs.replace_file, args=(1,), world=files, histories="all")


def test_a_job_that_stays_half_done_is_stuck():
    states = []

    def stuck(number):
        if not states:
            states.append("begun")
            explored_jobs.overwrite(number)

    def world():
        states.clear()
        yield from shop()

    with pytest.raises(StuckJob, match="STUCK payments"):
        check_idempotent(stuck, args=(1,), world=world, histories=["crash"])


def test_a_delivery_waits_for_a_lock_of_its_process_that_another_holds():
    with pytest.raises(DuplicateEffect, match=r"\[overlap"):
        check(explored_jobs.look_up_under_a_lock, "overlap")
    check(explored_jobs.look_up_under_a_lock, "overlap", same_process=True)
    check(explored_jobs.look_up_under_a_reentrant_lock, "overlap", same_process=True)


def test_a_generator_that_is_suspended_ends_in_silence(recwarn):
    def each(number):
        try:
            yield number
        finally:
            explored_jobs.gateway.charge(number, key="end")

    def job(number):
        for found in each(number):
            explored_jobs.gateway.charge(found, key="begin")

    check(job, "crash", "overlap")

    assert [warning for warning in recwarn if "Unwound" in str(warning.message)] == []


def test_the_connections_of_the_other_job_close_with_it():
    opened = []

    def cancel():
        opened.append(explored_jobs.connect())

    check(explored_jobs.overwrite, "out_of_order", others=[cancel])

    for connection in opened:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("select 1")


def test_a_statement_in_which_a_worker_was_killed_holds_no_lock():
    check_idempotent(explored_jobs.charge_while_reading, args=(1,), world=shop, histories=["crash"])
