"""`Job.abort` ends at once: arq would wait for a worker."""

import pytest

pytest.importorskip("arq")

from arq.jobs import JobStatus

from pytest_jobs.errors import NotPerformedError


async def add(ctx, a):
    return a


@pytest.mark.parametrize("options", [{}, {"_defer_by": 60}], ids=["at once", "deferred"])
def test_a_pending_job_is_aborted(open_over, settings, client, run, options):
    with open_over(settings(add, allow_abort_jobs=True)) as jobs:
        job = run(client.enqueue_job("add", 1, _job_id="one", **options))

        assert run(job.abort()) is True
        assert jobs.pending == []
        assert run(job.status()) is JobStatus.complete
        assert jobs.drain() == {}


def test_an_id_that_was_aborted_can_be_used_again(open_over, settings, client, run):
    with open_over(settings(add, allow_abort_jobs=True, keep_result=0)) as jobs:
        run(run(client.enqueue_job("add", 1, _job_id="one")).abort(timeout=0))
        run(client.enqueue_job("add", 1, _job_id="one"))

        assert jobs.drain() == {"performed": 1}


def test_a_job_that_was_performed_is_not_aborted(open_over, settings, client, run):
    with open_over(settings(add, allow_abort_jobs=True)) as jobs:
        job = run(client.enqueue_job("add", 1))
        jobs.drain()

        assert run(job.abort()) is False


def test_a_worker_that_aborts_nothing_is_an_error(open_over, settings, client, run):
    with open_over(settings(add)) as jobs:
        job = run(client.enqueue_job("add", 1))

        with pytest.raises(NotPerformedError) as caught:
            run(job.abort())
        assert len(jobs.pending) == 1

    assert str(caught.value) == (
        f"{jobs.enqueued[0]!r} is pending, and Settings does not say allow_abort_jobs = True: a worker performs "
        "the job all the same, and abort() would wait for that. Say it there, or do not abort."
    )
