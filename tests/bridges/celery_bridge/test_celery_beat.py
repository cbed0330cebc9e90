"""Celery beat sends in `run_for` what an application schedules."""

from datetime import UTC, datetime, timedelta

import pytest
from celery.schedules import crontab

MONDAY = datetime(2030, 1, 7, tzinfo=UTC)


@pytest.fixture
def report(app):
    @app.task(name="shop.report")
    def report(of="all"):
        return f"report of {of}"

    return report


@pytest.fixture
def monday(jobs):
    jobs.clock.move_to(MONDAY)


def times(jobs):
    return [f"{record.enqueued_at:%d %H:%M:%S}" for record in jobs.enqueued]


def schedule(app, **entry):
    app.conf.beat_schedule = {"report": {"task": "shop.report", **entry}}


def test_a_crontab_line_fires_at_its_times(jobs, app, report, monday):
    schedule(app, schedule=crontab(hour=6, minute=30), args=("yesterday",))

    jobs.run_for(timedelta(days=2))

    assert times(jobs) == ["07 06:30:00", "08 06:30:00"]
    assert [delivery.result for delivery in jobs.performed] == ["report of yesterday"] * 2


def test_a_crontab_line_is_of_the_timezone_of_the_application(jobs, app, report, monday):
    app.conf.timezone = "Asia/Tokyo"
    schedule(app, schedule=crontab(hour=6, minute=30))

    jobs.run_for(timedelta(days=1))

    assert times(jobs) == ["07 21:30:00"]


@pytest.mark.parametrize("every", [90, 90.0, timedelta(seconds=90)])
def test_an_interval_goes_on_from_one_span_to_the_next(jobs, app, report, monday, every):
    schedule(app, schedule=every)

    jobs.run_for(100)
    jobs.run_for(100)

    assert times(jobs) == ["07 00:01:30", "07 00:03:00"]


def test_an_entry_has_options(jobs, app, report, monday):
    schedule(app, schedule=3600, kwargs={"of": "Ann"}, options={"queue": "low", "priority": 3})

    jobs.run_for(3600)

    (record,) = jobs.enqueued
    assert (record.kwargs, record.queue, record.priority) == ({"of": "Ann"}, "low", 3)


def test_what_is_added_when_the_application_is_set_up_fires(jobs, app, report, monday):
    @app.on_after_finalize.connect
    def add(sender, **given):
        sender.add_periodic_task(3600, report.s("added"), name="added")

    app.finalize()
    app.add_periodic_task(1800, report.s("later"))

    jobs.run_for(3600)

    assert sorted(delivery.result for delivery in jobs.performed) == [
        "report of added",
        "report of later",
        "report of later",
    ]


def test_other_verbs_fire_nothing(jobs, app, report, monday):
    schedule(app, schedule=60)

    jobs.clock.advance(3600)
    jobs.drain()

    assert len(jobs.enqueued) == 0
