from datetime import timedelta

from invoices import cron, jobs as its
from pytest_jobs import Jobs
from pytest_jobs.types import AssertPerformed


def test_the_report_comes_each_morning(jobs: Jobs, assert_performed: AssertPerformed) -> None:
    assert cron.scheduler.get_jobs()

    jobs.run_for(timedelta(days=3))

    assert_performed(its.report, count=3)
    assert jobs.performed[0].result == "1 invoices, by mail"
