"""A task is explored through its real path."""

import time
from contextlib import suppress
from datetime import timedelta
from unittest.mock import patch

import pytest
from booked import Shop, books
from celery.schedules import crontab
from celery.signals import task_postrun, task_prerun
from rendered import Videos, render, render_at_once, videos

from pytest_jobs import check_idempotent, job
from pytest_jobs.errors import (
    DivergedState,
    DuplicateEffect,
    ExplorationError,
    HalfDone,
    NotIdempotent,
)


@pytest.mark.parametrize("method", ["delay", "apply_async", "app.send_task"])
def test_a_task_whose_enqueueing_the_test_has_mocked_is_explored_and_the_mock_stays(
    jobs, app, method
):
    @app.task
    def book(number):
        Shop.ledger.book(number)

    owner, name = (app, "send_task") if "." in method else (book, method)
    with patch.object(owner, name) as mocked:
        with pytest.raises(DuplicateEffect, match=r"DUPLICATE ledger\.book \[twice\]"):
            check_idempotent(book, args=(7,), world=books)

        assert getattr(owner, name) is mocked
        assert not mocked.called


def test_what_a_task_enqueues_is_performed(jobs, app):
    @app.task
    def tell(number):
        Shop.ledger.book(number)

    @app.task
    def book(number):
        Shop.ledger.book(number, key=f"book-{number}")
        tell.delay(number)

    with pytest.raises(DuplicateEffect, match=r"DUPLICATE ledger\.book \[twice"):
        check_idempotent(book, args=(7,), world=books)


def mark_and_book(number):
    Shop.ledger.book(number, key=f"book-{number}")
    Shop.ledger.book(-number, key=f"mark-{number}")


def test_by_default_a_task_whose_process_is_killed_is_abandoned(jobs, app):
    task = app.task(mark_and_book)

    explored = check_idempotent(task, args=(7,), world=books, histories="all")

    assert "abandoned: half done at 1 point, where each value is as before" in str(explored)
    with pytest.raises(
        ExplorationError, match=r"that has begun is not delivered again.* such as abandoned"
    ):
        check_idempotent(
            task, args=(7,), world=books, histories=["crash"], delivery="as configured"
        )


def test_a_status_of_a_task_that_is_never_delivered_again_stays(jobs, app):
    bug, mend = app.task(name="bug")(render), app.task(name="mend")(render_at_once)

    check_idempotent(bug, args=(7,), world=videos)
    with pytest.raises(HalfDone, match=r"HALF_DONE video\.id=7\.status \[abandoned, 1 failing"):
        check_idempotent(bug, args=(7,), world=videos, delivery="as configured")
    check_idempotent(mend, args=(7,), world=videos, histories=["abandoned"])


def test_a_late_acknowledgement_lets_a_task_be_delivered_again(jobs, app):
    late = app.task(name="late", acks_late=True, reject_on_worker_lost=True)(render)

    with pytest.raises(ExplorationError, match="names abandoned, and there is nothing to try"):
        check_idempotent(late, args=(7,), world=videos, histories=["abandoned"])


def check_rendering(jobs, app):
    task = app.task(name="render")(render)
    check_idempotent(task, args=(7,), world=videos, histories=["abandoned"])


def test_what_the_schedule_of_the_application_takes_up_is_not_half_done(jobs, app):
    @app.task(name="sweep")
    def sweep():
        for number in Videos.waiting("processing"):
            render_at_once(number)

    app.conf.beat_schedule = {"sweep": {"task": "sweep", "schedule": crontab(minute="*/15")}}

    check_rendering(jobs, app)


def test_what_the_schedule_notes_as_failed_is_not_half_done(jobs, app):
    @app.task(name="sweep")
    def sweep():
        for number in Videos.waiting("processing"):
            Videos.mark(number, "failed")

    app.conf.beat_schedule = {"sweep": {"task": "sweep", "schedule": crontab(minute="*/15")}}

    check_rendering(jobs, app)


@pytest.mark.parametrize("outcome", ["does nothing", "fails"])
def test_a_schedule_that_takes_up_nothing_repairs_nothing(jobs, app, outcome):
    @app.task(name="sweep")
    def sweep():
        if outcome == "fails":
            raise ValueError

    app.conf.beat_schedule = {"sweep": {"task": "sweep", "schedule": crontab(minute="*/15")}}

    with pytest.raises(HalfDone):
        check_rendering(jobs, app)


def all_open():
    """Book each video that is open. An error of the ledger is swallowed: the next run finds the video again."""
    for number in Videos.waiting("open"):
        with suppress(ConnectionError):
            Shop.ledger.book(number, key=f"book-{number}")
            render_at_once(number)


def with_a_lock():
    """Do the same unless another run holds the lock, which ends after a quarter of an hour."""
    free = Videos.database.execute("delete from run where began < ?", (time.time() - 900,))
    if free.rowcount or not Videos.database.execute("select * from run").fetchall():
        Videos.database.execute("insert into run values ('lock', ?, 0)", (time.time(),))
        Videos.database.commit()
        all_open()
        Videos.database.execute("delete from run")
    Videos.database.commit()


def marked_first():
    """Mark each video as done, and book it then."""
    for number in Videos.waiting("open"):
        render_at_once(number)
        Shop.ledger.book(number, key=f"book-{number}")


def ledger_and_videos():
    for _ in books():
        yield from runs()


QUARTERLY = crontab(minute="*/15")


@pytest.mark.parametrize(
    ("body", "history", "schedule", "word"),
    [
        (all_open, "effect_fails", QUARTERLY, None),
        (all_open, "effect_fails", crontab(minute=0, hour=3), None),
        (all_open, "effect_fails", timedelta(days=2), "LOST"),
        (with_a_lock, "crash", QUARTERLY, None),
        (marked_first, "crash", QUARTERLY, "LOST"),
        (marked_first, "effect_fails", QUARTERLY, "LOST"),
    ],
)
@pytest.mark.parametrize("args", [(), (7,)], ids=["this job", "the job with other arguments"])
def test_what_the_schedule_of_the_application_does_again_is_not_lost(
    jobs, app, body, history, schedule, word, args
):
    @app.task(name="book", **LATE)
    def book(number=None):
        body()

    def check():
        return check_idempotent(book, world=ledger_and_videos, histories=[history])

    with pytest.raises(NotIdempotent, match=r"LOST ledger\.book|DUPLICATE run"):
        check()
    app.conf.beat_schedule = {"book": {"task": "book", "schedule": schedule, "args": args}}
    if word or args:
        with pytest.raises(NotIdempotent):
            check()
    else:
        assert f"note: {history}: the work was done at some points only when" in str(check())


def test_a_job_of_another_library_asks_no_application_for_its_schedule(jobs, app):
    @job
    def book():
        marked_first()

    with pytest.raises(NotIdempotent):
        check_idempotent(book, world=ledger_and_videos, histories=["crash"])

    assert not app.configured


@pytest.fixture
def noted_by_signals():
    """Note of each run when it began, and how long it took, as the handlers of some projects do."""

    def began(task_id, **_):
        with Videos.database as database:
            database.execute("insert or ignore into run values (?, ?, null)", ("run", time.time()))

    def ended(task_id, **_):
        with Videos.database as database:
            database.execute("update run set seconds = ? - began", (time.time(),))

    task_prerun.connect(began)
    task_postrun.connect(ended)
    yield
    task_prerun.disconnect(began)
    task_postrun.disconnect(ended)


def runs():
    for shown in videos():
        Videos.database.execute("create table run (id text primary key, began real, seconds real)")

        def both(shown=shown):
            rows = Videos.database.execute("select id, seconds from run")
            return {**shown(), "run": list(map(dict, rows))}

        yield both


LATE = {"acks_late": True, "reject_on_worker_lost": True}


def test_what_any_later_delivery_leaves_differently_is_no_finding(jobs, app, noted_by_signals):
    task = app.task(name="render", **LATE)(render_at_once)

    check_idempotent(task, args=(7,), world=runs, histories=["twice", "crash"])


def test_and_hides_no_finding(jobs, app, noted_by_signals):
    @app.task(name="render", **LATE)
    def stuck(number):
        if number in Videos.waiting("processing"):
            return
        render(number)

    with pytest.raises(DivergedState, match=r"DIVERGED video \[crash, 1 failing point\]"):
        check_idempotent(stuck, args=(7,), world=runs, histories=["twice", "crash"])


def test_by_default_a_task_is_never_delivered_twice(jobs, app):
    @app.task
    def book(number):
        Shop.ledger.book(number)

    with pytest.raises(ExplorationError, match=r"that has begun is not delivered again"):
        check_idempotent(
            book, args=(7,), world=books, histories=["twice"], delivery="as configured"
        )


def test_a_task_that_is_acknowledged_late_is_abandoned_with_its_process_alone(jobs, app):
    task = app.task(name="late", acks_late=True)(render)
    safe = app.task(
        name="safe", acks_late=True, reject_on_worker_lost=True, acks_on_failure_or_timeout=False
    )(mark_and_book)

    with pytest.raises(HalfDone, match=r"\[abandoned"):
        check_idempotent(task, args=(7,), world=videos, delivery="as configured")
    check_idempotent(
        safe,
        args=(7,),
        world=books,
        histories=["twice", "crash", "overlap"],
        delivery="as configured",
    )
