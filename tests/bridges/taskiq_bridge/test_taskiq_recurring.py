"""Schedules cannot enqueue tasks of Taskiq, and say what can."""

import pytest

from pytest_jobs import Schedule
from pytest_jobs.errors import ScheduleError


def test_a_task_is_refused(broker):
    @broker.task
    async def sync(): ...

    with pytest.raises(ScheduleError) as caught:
        Schedule({"sync": {"class": sync, "schedule": "every day"}})
    assert str(caught.value) == (
        f"the schedule: task 'sync': class is {sync!r}, a task of Taskiq, which is enqueued by awaiting it: "
        "leave it to a scheduler of Taskiq, or write a job of the core that awaits its `kiq`."
    )
