"""The rows of django-celery-beat send their tasks while time passes."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("django_celery_beat")

from django_project import configure

configure()

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def report(app):
    @app.task(name="shop.report")
    def report(of="all"):
        return f"report of {of}"

    return report


@pytest.fixture
def add(jobs, report):
    """Return a function that adds a row for the report, at noon."""
    from django.core.management import call_command
    from django_celery_beat.models import IntervalSchedule, PeriodicTask

    jobs.clock.move_to(NOON)
    call_command("migrate", "django_celery_beat", verbosity=0)

    def add(**given):
        if not {"crontab", "clocked"} & given.keys():
            given["interval"] = IntervalSchedule.objects.create(every=1, period="hours")
        return PeriodicTask.objects.create(**{"name": "report", "task": "shop.report", **given})

    yield add
    call_command("flush", verbosity=0, interactive=False)


def times(jobs):
    return [f"{record.enqueued_at:%d %H:%M:%S}" for record in jobs.enqueued]


def test_an_interval_goes_on_from_one_span_to_the_next(jobs, add):
    row = add(args='["yesterday"]', queue="reports")

    jobs.run_for(timedelta(minutes=90))
    jobs.run_for(timedelta(minutes=90))

    assert times(jobs) == ["01 13:00:00", "01 14:00:00", "01 15:00:00"]
    assert [each.result for each in jobs.performed] == ["report of yesterday"] * 3
    assert {record.queue for record in jobs.enqueued} == {"reports"}
    row.refresh_from_db()
    assert (row.total_run_count, row.last_run_at) == (3, NOON + timedelta(hours=3))


def test_the_rows_are_read_on_a_running_event_loop_too(jobs, add):
    row = add()

    asyncio.run(jobs.arun_for(timedelta(minutes=90)))

    assert times(jobs) == ["01 13:00:00"]
    row.refresh_from_db()
    assert row.total_run_count == 1


def test_a_crontab_line_has_its_own_timezone(jobs, add):
    from django_celery_beat.models import CrontabSchedule

    line = CrontabSchedule.objects.create(minute="30", hour="6", timezone="Asia/Tokyo")
    add(crontab=line)

    jobs.run_for(timedelta(days=2))

    assert times(jobs) == ["01 21:30:00", "02 21:30:00"]


def test_a_clocked_row_comes_once_and_is_disabled(jobs, add):
    from django_celery_beat.models import ClockedSchedule

    row = add(
        clocked=ClockedSchedule.objects.create(clocked_time=NOON + timedelta(hours=5)), one_off=True
    )

    jobs.run_for(timedelta(days=2))
    jobs.run_for(timedelta(days=2))

    assert times(jobs) == ["01 17:00:00"]
    row.refresh_from_db()
    assert not row.enabled


def test_a_row_begins_and_expires(jobs, add):
    add(start_time=NOON + timedelta(hours=20), expires=NOON + timedelta(hours=22))

    jobs.run_for(timedelta(days=2))

    assert times(jobs) == ["02 08:00:00", "02 09:00:00"]


def test_a_run_that_was_missed_comes_at_once_and_the_next_counts_from_there(jobs, add):
    add(last_run_at=NOON - timedelta(hours=5))

    jobs.run_for(timedelta(minutes=90))

    assert times(jobs) == ["01 12:00:00", "01 13:00:00"]


@pytest.mark.parametrize("change", ["disable", "delete"])
def test_a_row_that_is_changed_while_time_passes_comes_no_more(jobs, app, add, change):
    @app.task(name="shop.change")
    def changes():
        if change == "delete":
            row.delete()
        else:
            type(row).objects.update(enabled=False)

    row = add(task="shop.change")
    jobs.run_for(timedelta(hours=3))

    assert times(jobs) == ["01 13:00:00"]


def test_a_disabled_row_does_not_come(jobs, add):
    add(enabled=False)

    jobs.run_for(timedelta(hours=3))

    assert times(jobs) == []
