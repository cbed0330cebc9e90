"""Previews, as sequences and as tables."""

from datetime import UTC, datetime, timedelta

import pytest
from recurring_jobs import WeeklyReport, for_tenant, sync_data

from pytest_jobs import Schedule, preview
from pytest_jobs.errors import NaiveDatetimeError, ScheduleError, WaitError

START = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
SCHEDULE = Schedule(
    {
        "report": {
            "class": WeeklyReport,
            "args": ["a", {"copies": 2}],
            "schedule": "every day at 9am",
            "timezone": "Europe/Paris",
        },
        "tenant": {"class": for_tenant, "args": "acme", "every": "12h", "description": "by tenant"},
        "bundles": {"command": "recurring_jobs.deliver_bundles", "schedule": "every day at noon"},
        "yearly": {"class": sync_data, "schedule": "every year", "queue": "low"},
        "off": {"class": sync_data, "schedule": "every day", "enabled": False},
    }
)
TABLE = """\
4 firings of 4 tasks after 2030-01-01 00:00:00+00:00 up to 2030-01-02 00:00:00+00:00
at                         task     job                             queue        cron
2030-01-01 09:00:00+01:00  report   WeeklyReport('a', copies=2)     reports      0 9 * * *
2030-01-01 12:00:00+00:00  tenant   for_tenant('acme')              tenant-acme  0 */12 * * *
2030-01-01 12:00:00+00:00  bundles  recurring_jobs.deliver_bundles  recurring    0 12 * * *
2030-01-02 00:00:00+00:00  tenant   for_tenant('acme')              tenant-acme  0 */12 * * *
yearly (0 0 1 1 *) does not fire in this time.
off is not enabled."""


def test_a_preview_is_a_table():
    assert str(preview(SCHEDULE, DAY, start=START)) == TABLE


def test_a_preview_is_a_sequence_of_firings():
    shown = preview(SCHEDULE, DAY, start=START)

    assert len(shown) == 4
    assert (shown[0].key, shown[0].at) == ("report", START + timedelta(hours=8))
    assert shown[0].task is SCHEDULE.tasks["report"]
    assert [firing.key for firing in shown[1:3]] == ["tenant", "bundles"]
    assert [firing.key for firing in shown] == ["report", "tenant", "bundles", "tenant"]
    assert repr(shown) == f"<Preview {TABLE.splitlines()[0]}>"


def test_the_times_of_one_task_are_in_its_timezone_and_the_queue_is_its_own():
    times = preview(SCHEDULE, 2 * DAY, start=START).of("report")

    assert [at.isoformat() for at in times] == [
        "2030-01-01T09:00:00+01:00",
        "2030-01-02T09:00:00+01:00",
    ]
    with pytest.raises(KeyError):
        preview(SCHEDULE, DAY).of("none")
    assert " low " in str(preview(SCHEDULE, 365 * DAY, start=START).table().splitlines()[-2])


def test_a_long_preview_is_cut():
    schedule = Schedule({"sync": {"class": sync_data, "schedule": "every minute"}})
    lines = str(preview(schedule, DAY, start=START)).splitlines()

    assert len(lines) == 53
    assert lines[-1] == "... and 1390 more"
    assert len(preview(schedule, DAY, start=START).table().splitlines()) == 1442


def test_a_preview_begins_now(jobs, start):
    assert preview(SCHEDULE, DAY)[0].at == start + timedelta(hours=8)


def test_nothing_fires():
    assert str(preview(Schedule({}), 60, start=START)) == (
        "0 firings of 0 tasks after 2030-01-01 00:00:00+00:00 up to 2030-01-01 00:01:00+00:00"
    )


@pytest.mark.slow
@pytest.mark.parametrize("phrase", ["every second", "every 7 seconds"])
def test_a_window_with_too_many_firings_is_refused(phrase):
    schedule = Schedule({"often": {"class": sync_data, "schedule": phrase}})
    with pytest.raises(ScheduleError) as caught:
        preview(schedule, 100 * DAY, start=START)

    assert str(caught.value) == (
        "More than 1,000,000 firings lie in that time, most of them of 'often' or of what stands before it: "
        "ask for a shorter time."
    )


def test_arguments_that_cannot_be_meant():
    with pytest.raises(WaitError):
        preview(SCHEDULE, -1)
    with pytest.raises(NaiveDatetimeError):
        preview(SCHEDULE, DAY, start=datetime(2030, 1, 1))  # noqa: DTZ001


def test_what_is_no_schedule_has_no_preview():
    with pytest.raises(ScheduleError) as caught:
        preview("recurring.yml", DAY)

    assert str(caught.value) == (
        "preview('recurring.yml', ...) is given no schedule: write preview(load_schedule('recurring.yml'), ...)."
    )


@pytest.mark.parametrize("tasks", [3, [], "recurring.yml"])
def test_tasks_that_are_no_mapping_are_refused(tasks):
    with pytest.raises(ScheduleError, match=r"or load_schedule\('recurring.yml'\)"):
        Schedule(tasks)
