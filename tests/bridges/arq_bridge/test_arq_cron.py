"""Cron jobs of worker settings come while time passes."""

from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("arq")

from arq import Retry, cron


async def report(ctx):
    return ctx["job_id"]


def test_a_cron_job_comes_at_its_times_with_an_id_that_keeps_out_a_second_worker(
    open_over, settings
):
    nightly = cron(report, hour=3, minute=0)
    with open_over(settings(cron_jobs=[nightly], queue_name="reports", timezone=UTC)) as jobs:
        jobs.clock.move_to(datetime(2030, 1, 1, tzinfo=UTC))
        jobs.run_for(timedelta(days=2))

    assert [each.enqueued_at for each in jobs.enqueued] == [
        datetime(2030, 1, day, 3, 0, 0, 123_456, tzinfo=UTC) for day in (1, 2)
    ]
    for each in jobs.performed:
        assert (each.record.job, each.record.name, each.record.queue) == (
            *(report, "cron:report"),
            "reports",
        )
        assert each.result == f"cron:report:{round(each.record.enqueued_at.timestamp() * 1000)}"
    assert nightly.next_run is None


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
