"""RQ's cron scheduler enqueues while time passes."""

from datetime import timedelta

import pytest
import rq_tasks
from rq.cron import CronScheduler
from rq_tasks import greet


@pytest.fixture
def scheduler():
    return CronScheduler(rq_tasks.redis)


def test_a_crontab_line_fires_at_its_times(jobs, scheduler):
    scheduler.register(greet, "mail", args=("Ann",), cron="30 * * * *")

    jobs.run_for(timedelta(hours=2))

    assert [f"{record.enqueued_at:%H:%M}" for record in jobs.enqueued] == ["00:30", "01:30"]
    assert [delivery.result for delivery in jobs.performed] == ["Hello, Ann!"] * 2


def test_an_interval_goes_on_from_one_run_to_the_next(jobs, scheduler):
    scheduler.register(greet, "mail", args=("Ann",), interval=60)

    jobs.run_for(90)
    jobs.run_for(90)

    assert [f"{record.enqueued_at:%M:%S}" for record in jobs.enqueued] == [
        "01:00",
        "02:00",
        "03:00",
    ]


def test_other_verbs_fire_nothing(jobs, scheduler):
    scheduler.register(greet, "mail", args=("Ann",), interval=60)

    jobs.clock.advance(3600)
    jobs.drain()

    assert len(jobs.enqueued) == 0
