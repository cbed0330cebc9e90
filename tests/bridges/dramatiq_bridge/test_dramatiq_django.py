"""Packages for Django around Dramatiq work as they are: django-dramatiq and dramatiq-crontab."""

from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("dramatiq")
pytest.importorskip("django_dramatiq")
pytest.importorskip("dramatiq_crontab")

import dramatiq
from django_project import configure


@pytest.fixture
def tables():
    """Set Django up, without making the broker of its settings that of the process, and make the tables."""
    before = dramatiq.broker.global_broker
    configure()
    dramatiq.set_broker(before)
    from django.core.management import call_command

    call_command("migrate", "django_dramatiq", verbosity=0)
    yield
    call_command("flush", verbosity=0, interactive=False)


def test_the_tasks_of_django_dramatiq_say_what_became_of_each_message(
    tables, make_broker, open_over
):
    from django_dramatiq.middleware import AdminMiddleware, DbConnectionsMiddleware
    from django_dramatiq.models import Task

    broker = make_broker(AdminMiddleware(), DbConnectionsMiddleware())

    @dramatiq.actor(broker=broker)
    def greet(name):
        """Greet."""

    @dramatiq.actor(broker=broker, max_retries=1)
    def fails(name):
        raise ValueError(name)

    def statuses():
        return dict(Task.tasks.values_list("actor_name", "status"))

    with open_over(broker) as jobs:
        greet.send("Ann")
        fails.send("Bob")
        assert statuses() == {"greet": "enqueued", "fails": "enqueued"}
        jobs.drain(raise_errors=False)

    assert statuses() == {"greet": "done", "fails": "failed"}


def test_what_dramatiq_crontab_schedules_comes_while_time_passes(
    tables, monkeypatch, broker, open_over
):
    import dramatiq_crontab

    from pytest_jobs.bridges.apscheduler.bridge import APSchedulerBridge
    from pytest_jobs.harness.jobs import Jobs

    scheduler = dramatiq_crontab.LazyBlockingScheduler()
    monkeypatch.setattr(dramatiq_crontab, "scheduler", scheduler)
    ran = []

    @dramatiq_crontab.cron("30 * * * *")
    @dramatiq.actor(broker=broker)
    def report():
        ran.append(f"{datetime.now(UTC):%H:%M}")

    with Jobs([*open_over(broker).harness.bridges, APSchedulerBridge([scheduler])]) as jobs:
        jobs.clock.move_to(datetime(2030, 1, 1, 12, tzinfo=UTC))
        jobs.run_for(timedelta(hours=3))

    assert ran == ["12:30", "13:30", "14:30"]
