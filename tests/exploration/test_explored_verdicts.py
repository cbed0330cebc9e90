"""The verdict says what the reader cares about."""

import sqlite3
from contextlib import contextmanager

import explored_jobs
import pytest
from celery import Celery
from explored_worlds import shop

from pytest_jobs import Job, check_idempotent, discard_on, effects, retry_on
from pytest_jobs.errors import (
    DivergedState,
    DuplicateEffect,
    LostEffect,
    NotIdempotent,
    PoisonJob,
    StuckJob,
)

state = {}


def memory():
    state.clear()
    state.update(lock=None, locks=[], paid=[], users={"ann": {"mails": ["welcome"]}})
    yield lambda: dict(state)


def failure(job, verdict, world=memory, **options):
    with pytest.raises(NotIdempotent) as found:
        check_idempotent(job, args=(1,), world=world, **options)

    assert type(found.value) is verdict
    return found.value


def headline(error):
    return str(error).splitlines()[0].partition("twice: ")[2]


class Busy(Exception):
    pass


def test_work_for_which_the_library_retries_in_vain_is_stuck():
    app = Celery("shop", broker="memory://")

    @app.task(bind=True, name="shop.pay_under_a_lock", acks_late=True, max_retries=9)
    def pay(self, number):
        if state["lock"]:
            raise self.retry(countdown=1)
        state["lock"] = "mine"
        state["paid"].append(number)
        state["lock"] = None

    error = failure(pay, StuckJob, histories=["crash"])

    assert headline(error).startswith("STUCK paid [crash")


@pytest.mark.parametrize("attempts", [None, 3, 20])
def test_work_for_which_a_job_of_the_core_retries_in_vain_is_stuck_used_up_or_not(attempts):
    @retry_on(Busy, wait=5, attempts=attempts)
    class Pay(Job):
        def perform(self, number):
            if state["lock"]:
                raise Busy
            state["lock"] = "mine"
            state["paid"].append(number)
            state["lock"] = None

    error = failure(Pay, StuckJob, histories=["crash"])

    assert headline(error).startswith("STUCK paid [crash")
    assert (", failed: Busy (no attempts left)\n" in str(error)) == (attempts == 3)


def test_work_that_differs_when_the_library_retries_in_vain_is_stuck():
    @retry_on(Busy, wait=5, attempts=None)
    class Pay(Job):
        def perform(self, number):
            if state["lock"] == "mine":
                raise Busy
            state["lock"] = "mine"
            state["paid"].append(number)
            state["lock"] = "done"

    def lock():
        with contextmanager(memory)() as snapshot:
            yield lambda: {"lock": snapshot()["lock"]}

    assert headline(failure(Pay, StuckJob, lock, histories=["crash"])).startswith("STUCK lock [")


@pytest.mark.parametrize("attempts", [3, None])
def test_work_that_is_done_and_retried_in_vain_is_poison(attempts):
    @retry_on(Busy, wait=5, attempts=attempts)
    class PayOnce(Job):
        def perform(self, number):
            if state["paid"]:
                raise Busy("paid already")
            state["paid"].append(number)

    assert headline(failure(PayOnce, PoisonJob)).startswith("POISON Busy [twice] at line ")


def test_retries_that_are_used_up_may_be_accepted():
    @retry_on(Busy, wait=5, attempts=3)
    class PayOnce(Job):
        def perform(self, number):
            if state["paid"]:
                raise Busy("paid already")
            state["paid"].append(number)

    check_idempotent(PayOnce, args=(1,), world=memory, histories=["twice"], accept=[Busy])


def test_a_job_that_is_discarded_is_not_shown_as_accepted():
    @discard_on(Busy)
    class Pay(Job):
        def perform(self, number):
            if state["lock"]:
                raise Busy
            state["lock"] = "mine"
            state["paid"].append(number)
            state["lock"] = None

    assert ", failed: Busy (discarded)\n" in str(failure(Pay, LostEffect, histories=["crash"]))


def test_work_that_is_never_done_by_a_job_that_only_fails_is_poison():
    def pay(number):
        if state["lock"]:
            raise Busy("come back later")
        state["lock"] = "mine"
        state["paid"].append(number)
        state["lock"] = None

    error = failure(pay, PoisonJob, histories=["crash"])

    assert headline(error).startswith("POISON Busy [crash")


def test_a_half_done_job_that_a_library_lets_fail_ever_after_is_poison():
    def insert_two(number):
        db = explored_jobs.connect()
        for table in ("ledger (id)", "payments (id)"):
            db.execute(f"insert into {table} values (?)", (number + 6,))
            db.commit()

    error = failure(insert_two, PoisonJob, shop, histories=["crash"])

    assert headline(error).startswith("POISON IntegrityError [crash, ")


def test_an_error_names_where_it_was_raised():
    error = failure(explored_jobs.insert_plainly, PoisonJob, shop)
    report = error.report

    line = next(text for text in str(error).splitlines() if "insert into" in text).split()[0]
    assert headline(error) == f"POISON IntegrityError [twice] at line {line} of insert_plainly"
    assert (
        "the last delivery failed: IntegrityError: UNIQUE constraint failed: ledger.id, at line "
        f"{line} of insert_plainly\nthe state is as after one clean run.\n" in str(error)
    )
    assert report.effect == "IntegrityError"
    assert isinstance(error.__cause__, sqlite3.IntegrityError)


def test_more_of_the_same_in_a_list_inside_of_the_state_is_a_duplicate():
    def greet(number):
        state["users"]["ann"]["mails"].append("hello")

    assert headline(failure(greet, DuplicateEffect)) == "DUPLICATE users [twice]"


@pytest.mark.parametrize(("old", "verdict"), [(["b"], StuckJob), (["a", "b"], DivergedState)])
def test_what_is_still_there_since_nothing_has_taken_it_away_is_no_duplicate(old, verdict):
    def world():
        for _ in memory():
            state["locks"] += old
            yield lambda: dict(state)

    def clean_up(number):
        if state["lock"]:
            return
        if "a" in state["locks"]:
            state["locks"].remove("a")
        state["lock"] = "mine"
        state["locks"].remove("b")

    error = failure(clean_up, verdict, world, histories=["crash"])

    assert headline(error).startswith(f"{error.report.verdict} locks [crash")


def test_another_order_of_the_same_items_is_neither():
    def turn(number):
        state["locks"] = [2, 1] if state["locks"] == [1, 2] else [1, 2]

    failure(turn, DivergedState)


def test_a_list_beside_a_value_that_differs_is_no_duplicate():
    def greet(number):
        state["users"]["ann"]["mails"].append("hello")
        state["users"]["ann"]["count"] = state["users"]["ann"].get("count", 0) + 1

    failure(greet, DivergedState)


class Mailer:
    def send(self, number):
        pass


mailer = Mailer()


def office():
    with effects.wrap(mailer, "send"):
        yield from memory()


def test_an_effect_that_is_lost_comes_before_a_mark_that_is_made_twice():
    def send(number):
        state["paid"].append(number)
        if len(state["paid"]) == 1:
            mailer.send(number)

    error = failure(send, LostEffect, office, histories=["crash"])

    assert headline(error).startswith("LOST Mailer.send [crash")


def test_work_that_is_lost_comes_before_the_lock_that_is_left_over():
    def pay(number):
        if state["locks"]:
            return
        state["locks"].append(number)
        state["paid"].append(number)
        state["locks"].clear()

    error = failure(pay, LostEffect, histories=["crash"])

    assert headline(error).startswith("LOST paid [crash")
