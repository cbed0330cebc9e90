"""Schedules whose `class` is a Task of Django."""

from datetime import UTC, datetime, timedelta

import pytest

from pytest_jobs import Schedule, open_jobs, preview
from pytest_jobs.errors import CriterionError, ScheduleError

MONDAY = datetime(2030, 1, 7, tzinfo=UTC)


def schedule(task, **told):
    return Schedule({"add": {"class": task, "schedule": "every day at 4am", "args": [30], **told}})


def reason(task, **told):
    with pytest.raises(ScheduleError) as caught:
        schedule(task, **told)
    return str(caught.value).removeprefix("the schedule: task 'add': ")


def test_it_is_enqueued_at_its_time_in_the_queue_and_with_the_priority_of_the_schedule(jobs, tasks):
    jobs.clock.move_to(MONDAY)
    jobs.recurring(schedule(tasks.echo, args=[30, {"second": 2}], queue="mail", priority=7))
    jobs.run_for(timedelta(days=2))

    assert [d.record.enqueued_at.day for d in jobs.performed] == [7, 8]
    assert [d.result for d in jobs.performed] == [{"args": [30], "kwargs": {"second": 2}}] * 2
    assert {(record.queue, record.priority) for record in jobs.enqueued} == {("mail", 7)}


def test_the_context_is_no_argument_of_the_schedule(jobs, tasks):
    jobs.clock.move_to(MONDAY)
    jobs.recurring(schedule(tasks.tell))
    jobs.run_for(timedelta(days=1))

    assert jobs.performed[0].result[:2] == [30, 1]


def test_a_preview_has_what_it_declares(tasks):
    shown = str(preview(schedule(tasks.echo), timedelta(days=1), start=MONDAY))

    assert "echo(30)" in shown
    assert "mail" in shown


def test_arguments_that_it_cannot_take_and_a_priority_that_its_backend_refuses(tasks):
    assert reason(tasks.add, args=[1, 2, 3]).startswith(
        f"its arguments do not fit {tasks.add.module_path}: "
    )
    assert reason(tasks.tell, args=[1, 2]).endswith("too many positional arguments.")
    assert reason(tasks.add, priority=1000).startswith(
        f"the backend of {tasks.add.module_path} refuses it: "
    )


def test_of_a_library_that_is_let_through_it_is_refused(tasks):
    with (
        open_jobs(ignore=["django"]) as jobs,
        pytest.raises(CriterionError, match="of no application that is bridged here"),
    ):
        jobs.recurring(schedule(tasks.add))
