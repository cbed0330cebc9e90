"""The rows of `Schedule` send their tasks while time passes, by the scheduler of a cluster."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("django_q")

from django_project import configure
from q_tasks import greet

configure()

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def schedules(tables, jobs):
    """Return the rows, at noon."""
    from django_q.models import Schedule

    jobs.clock.move_to(NOON)
    return Schedule


def schedule(*args, **kwargs):
    from django_q import tasks

    return tasks.schedule(*args, **kwargs)


def times(jobs):
    return [f"{record.enqueued_at:%d %H:%M:%S}" for record in jobs.enqueued]


def test_a_task_that_is_scheduled_once_comes_at_its_time_and_its_row_goes(jobs, schedules):
    schedule("q_tasks.greet", "Ann", greeting="Hi", next_run=NOON + timedelta(hours=1))

    jobs.run_for(timedelta(minutes=59))
    assert times(jobs) == []
    asyncio.run(jobs.arun_for(timedelta(days=2)))

    assert times(jobs) == ["01 13:00:00"]
    assert [(d.record.job, d.result) for d in jobs.performed] == [(greet, "Hi, Ann!")]
    assert schedules.objects.count() == 0


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"schedule_type": "I", "minutes": 20}, ["01 12:00:00", "01 12:20:00", "01 12:40:00", "01 13:00:00"]),
        ({"schedule_type": "H"}, ["01 12:00:00", "01 13:00:00"]),
        ({"schedule_type": "I", "minutes": 20, "repeats": 2}, ["01 12:00:00", "01 12:20:00"]),
    ],
)  # fmt: skip
def test_a_task_that_recurs_comes_again_and_again(jobs, schedules, options, expected):
    schedule("q_tasks.greet", "Ann", **options)

    jobs.run_for(timedelta(minutes=70))

    assert times(jobs) == expected


def test_a_crontab_line_comes_at_its_minutes(jobs, schedules):
    pytest.importorskip("croniter")
    schedule("q_tasks.greet", "Ann", schedule_type="C", cron="30 6 * * *")

    jobs.run_for(timedelta(days=2))

    # In Chicago, the TIME_ZONE of the settings.
    assert times(jobs) == ["01 12:30:00", "02 12:30:00"]


@pytest.mark.parametrize(
    ("catches_up", "expected"),
    [
        (True, ["01 12:00:00", "01 12:00:30", "01 12:01:00", "02 12:00:00"]),
        (False, ["01 12:00:00", "02 12:00:00"]),
    ],
)
def test_runs_that_were_missed_come_one_in_each_round_or_once(
    jobs, schedules, monkeypatch, catches_up, expected
):
    from django_q.conf import Conf

    monkeypatch.setattr(Conf, "CATCH_UP", catches_up)
    schedule("q_tasks.greet", "Ann", schedule_type="D", next_run=NOON - timedelta(days=2))

    jobs.run_for(timedelta(hours=25))

    assert times(jobs) == expected


def test_a_row_of_another_cluster_comes_in_its_queue_and_none_without_a_scheduler(
    jobs, schedules, monkeypatch
):
    from django_q.conf import Conf

    before = Conf.CLUSTER_NAME
    schedule("q_tasks.greet", "Ann", cluster="mail")

    with monkeypatch.context() as without:
        without.setattr(Conf, "SCHEDULER", False)
        jobs.run_for(timedelta(minutes=1))
        assert times(jobs) == []
    jobs.run_for(timedelta(minutes=1))

    assert [record.queue for record in jobs.enqueued] == ["mail"]
    assert before == Conf.CLUSTER_NAME
    schedules.objects.create(func="q_tasks.greet", args="not a literal", next_run=NOON)
    with pytest.raises(SyntaxError):  # The scheduler would log it.
        jobs.run_for(timedelta(minutes=1))


@pytest.mark.parametrize("error", [RuntimeError("Database access not allowed"), AssertionError()])
def test_a_test_that_may_not_use_the_database_has_no_rows(jobs, schedules, monkeypatch, error):
    from django.db import connection

    schedule("q_tasks.greet", "Ann")

    def refuse(*args, **kwargs):
        raise error

    with monkeypatch.context() as forbidden:
        forbidden.setattr(connection, "cursor", refuse)
        jobs.run_for(timedelta(minutes=1))

    assert times(jobs) == []


def test_without_tables_there_are_no_rows(jobs):
    jobs.run_for(timedelta(minutes=1))

    assert times(jobs) == []
