"""Schedules whose `class` is a task of Celery."""

from datetime import UTC, datetime, timedelta

import pytest

from pytest_jobs import RecurringCommand, Schedule, preview
from pytest_jobs.errors import ScheduleError

MONDAY = datetime(2030, 1, 7, tzinfo=UTC)


@pytest.fixture
def cleanup(app):
    @app.task(name="shop.cleanup")
    def cleanup(days, *, dry=False):
        return f"{days} days, dry {dry}"

    return cleanup


def schedule(task, **told):
    return Schedule(
        {"cleanup": {"class": task, "schedule": "every day at 4am", "args": [30], **told}}
    )


def reason(task, **told):
    with pytest.raises(ScheduleError) as caught:
        schedule(task, **told)
    return str(caught.value).removeprefix("the schedule: task 'cleanup': ")


def test_it_is_enqueued_at_its_time_in_the_queue_and_with_the_priority_of_the_schedule(
    jobs, cleanup
):
    jobs.clock.move_to(MONDAY)
    jobs.recurring(schedule(cleanup, args=[30, {"dry": True}], queue="low", priority=3))
    jobs.run_for(timedelta(days=2))

    assert [d.record.enqueued_at.day for d in jobs.performed] == [7, 8]
    assert [d.result for d in jobs.performed] == ["30 days, dry True"] * 2
    assert {(r.job, r.queue, r.priority) for r in jobs.enqueued} == {(cleanup, "low", 3)}


@pytest.mark.filterwarnings("ignore::celery.exceptions.CDeprecationWarning")
def test_a_preview_has_the_queue_where_it_is_routed_or_that_of_the_task_itself(app, cleanup):
    @app.task(queue="slow")
    def sync(days): ...

    app.conf.task_routes = {"shop.clean*": {"queue": "nightly"}}
    shown = str(preview(schedule(cleanup), timedelta(days=1), start=MONDAY))

    assert "cleanup(30)" in shown
    assert "nightly" in shown
    assert "slow" in str(preview(schedule(sync), 86_400))


def test_a_dotted_path_in_a_file(jobs, tmp_path, monkeypatch):
    (tmp_path / "recurring_celery_shop.py").write_text(
        "from celery import shared_task\n\n@shared_task\ndef cleanup(days): return days\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    task = schedule("recurring_celery_shop.cleanup").tasks["cleanup"]

    assert task.job.name == "recurring_celery_shop.cleanup"
    assert task.args == (30,)


def test_arguments_that_it_cannot_take_and_a_signature_which_is_no_job(app, cleanup):
    @app.task(typing=False)
    def loose(): ...

    assert reason(cleanup, args=[1, 2]) == (
        "its arguments do not fit shop.cleanup: cleanup() takes 1 positional argument but 2 were given."
    )
    assert schedule(loose, args=[1, 2])
    assert reason(cleanup.s(1)) == (
        "class is shop.cleanup(1), which is not a job: derive it from Job or decorate it with @job; what is "
        "only to be called is a `command:`."
    )


def test_beside_commands(jobs, cleanup):
    jobs.clock.move_to(MONDAY)
    jobs.recurring(Schedule({"gc": {"command": "gc.collect", "schedule": "every day"}}))
    jobs.recurring(schedule(cleanup))
    jobs.run_for(timedelta(days=1))

    assert {record.job for record in jobs.enqueued} == {RecurringCommand, cleanup}
