"""What a bridge or a lifecycle plugin raises is the job's last word: the body may have run."""

import pytest

from pytest_jobs import Job, hookimpl, hooks
from pytest_jobs.bridges.opening import open_jobs

ran = []


class Pay(Job):
    def perform(self):
        ran.append("pay")


class Faulty:
    @hookimpl
    def job_finished(self, job):
        raise RuntimeError("no connection to the metrics")


def test_a_job_whose_plugin_raised_is_not_performed_again():
    ran.clear()
    with open_jobs() as jobs, hooks.using(Faulty()):
        Pay.perform_later()
        with pytest.raises(RuntimeError, match="no connection to the metrics"):
            jobs.drain()
        jobs.drain()

    assert ran == ["pay"]
    assert [delivery.status for delivery in jobs.failed] == ["failed"]
