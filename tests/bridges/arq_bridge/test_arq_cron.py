"""Cron jobs of worker settings come while time passes."""

from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("arq")

from arq import Retry, cron


async def report(ctx):
    return ctx["job_id"]


@pytest.fixture
def jobs(open_over, settings):
    options = {"queue_name": "reports", "timezone": UTC}
    nightly = cron(report, hour=3, minute=0)
    with open_over(settings(cron_jobs=[nightly], **options)) as jobs:
        jobs.clock.move_to(datetime(2030, 1, 1, tzinfo=UTC))
        yield jobs


def test_a_cron_job_comes_at_its_times(jobs):
    jobs.run_for(timedelta(days=2))

    assert [each.enqueued_at for each in jobs.enqueued] == [
        datetime(2030, 1, day, 3, 0, 0, 123_456, tzinfo=UTC) for day in (1, 2)
    ]
    assert {each.record.job for each in jobs.performed} == {report}
    assert {each.queue for each in jobs.enqueued} == {"reports"}


def test_its_id_keeps_out_a_second_worker(jobs):
    jobs.run_for(timedelta(days=1))

    at_ms = round(jobs.enqueued[0].enqueued_at.timestamp() * 1000)
    assert jobs.performed[0].result == f"cron:report:{at_ms}"


def test_a_cron_job_is_asserted_by_its_function(jobs):
    jobs.run_for(timedelta(days=1))

    assert jobs.performed[0].record.name == "cron:report"
    assert len([each for each in jobs.performed if each.record.job is report]) == 1


@pytest.mark.parametrize(("asked", "waits"), [(1, 60), (None, 60), (90, 90)])
def test_a_cron_job_that_asks_for_a_retry_waits_for_a_minute_at_least(
    open_over, settings, asked, waits
):
    """arq knows the job as one in progress for a minute, and no worker takes it before."""

    async def nightly(ctx):
        if ctx["job_try"] == 1:
            raise Retry(defer=asked)

    job = cron(nightly, hour=3, minute=0, max_tries=2)
    with open_over(settings(cron_jobs=[job], timezone=UTC)) as jobs:
        jobs.clock.move_to(datetime(2030, 1, 1, tzinfo=UTC))
        jobs.run_for(timedelta(hours=4))

    first, second = jobs.deliveries
    assert (first.status, first.wait) == ("retried", timedelta(seconds=waits))
    assert round((second.at - first.at).total_seconds()) == waits


def test_the_cron_job_of_the_application_stays_as_it_is(open_over, settings):
    nightly = cron(report, hour=3)
    with open_over(settings(cron_jobs=[nightly])) as jobs:
        jobs.clock.move_to(datetime(2030, 1, 1, tzinfo=UTC))
        jobs.run_for(timedelta(days=1))

    assert nightly.next_run is None


def test_a_cron_job_that_is_not_unique_may_come_twice(open_over, settings):
    nightly = [cron(report, hour=3, minute=0, unique=False)]
    with open_over(settings(cron_jobs=nightly), settings(cron_jobs=nightly)) as jobs:
        jobs.clock.move_to(datetime(2030, 1, 1, tzinfo=UTC))
        jobs.run_for(timedelta(days=1))

        assert len(jobs.enqueued) == 2


def test_a_cron_job_that_runs_at_startup_comes_when_time_first_passes(open_over, settings):
    nightly = cron(report, hour=3, minute=0, run_at_startup=True)
    with open_over(settings(cron_jobs=[nightly], timezone=UTC)) as jobs:
        jobs.clock.move_to(datetime(2030, 1, 1, 12, tzinfo=UTC))
        jobs.run_for(timedelta(hours=1))
        jobs.run_for(timedelta(hours=23))

        assert [f"{each.enqueued_at:%d %H:%M}" for each in jobs.enqueued] == [
            "01 12:00",
            "02 03:00",
        ]
