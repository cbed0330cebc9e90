"""A job whose worker is killed is performed again.

Slow: real workers are killed and started.
"""

import os
import signal
import time
from contextlib import suppress

import pytest
from engine_jobs import Killed, Poison
from servers import kill_group, wait_until

from pytest_jobs.core.foundation.settings import settings


@pytest.fixture(autouse=True)
def _empty(engine):
    engine.empty()


def is_performed_again(engine, job, before):
    """See a job begin once more, in another process, and end; nothing is held afterwards."""
    again = engine.hear()
    engine.go_on()

    assert (again["said"], again["job_id"], again["attempt"]) == ("begun", job.job_id, 1)
    assert again["pid"] != before["pid"]
    assert engine.hear()["said"] == "done"
    wait_until(lambda: engine.state(job.job_id) == "done", "the job to be done")
    assert settings.store.held(time.time_ns()) == ()


def test_a_job_whose_process_is_killed_passes_its_own_locks_when_it_is_performed_again(
    engine, tmp_path
):
    with engine.worker(tmp_path):
        job = Killed.perform_later()
        before = engine.hear()
        os.kill(before["pid"], signal.SIGKILL)

        is_performed_again(engine, job, before)


def test_a_job_whose_whole_worker_is_killed_is_performed_again_by_another(engine, tmp_path):
    with engine.worker(tmp_path) as worker:
        job = Killed.perform_later()
        before = engine.hear()
        kill_group(worker)
        # On RQ a process of its own group.
        with suppress(ProcessLookupError):
            os.kill(before["pid"], signal.SIGKILL)
    engine.an_hour_passes()

    with engine.worker(tmp_path):
        is_performed_again(engine, job, before)


# Celery before 5.7 does not count, and later ones look for killed processes every 5 seconds only.
@pytest.mark.parametrize("engine", ["rq"], indirect=True)
def test_a_job_that_kills_each_of_its_workers_is_given_up_and_seen(engine, tmp_path):
    with engine.worker(tmp_path):
        job = Poison.perform_later()
        wait_until(lambda: engine.state(job.job_id) == "failed", "the job to be given up")

    assert engine.redis.llen("told") == 11
