"""A job goes through RQ's own worker: callbacks, dependents, repeats, results."""

from datetime import timedelta

import pytest
import rq_tasks
from rq import Callback, Queue, Repeat, Retry
from rq.group import Group
from rq.job import Dependency, JobStatus
from rq.registry import FailedJobRegistry, FinishedJobRegistry
from rq_tasks import greet, queue

from pytest_jobs.errors import NotPerformedError, UnknownJobError


def test_the_result_is_where_the_project_looks(jobs):
    job = queue.enqueue(greet, "Ann")
    assert (job.get_status(), job.return_value()) == (JobStatus.QUEUED, None)

    jobs.drain()

    assert (job.get_status(), job.return_value()) == (JobStatus.FINISHED, "Hello, Ann!")
    assert FinishedJobRegistry(queue=queue).get_job_ids() == [job.id]
    assert queue.job_ids == []


def test_waiting_for_a_result_that_nobody_has_made_is_an_error(jobs):
    job = queue.enqueue(greet, "Ann")

    with pytest.raises(NotPerformedError, match="drain first"):
        job.latest_result(timeout=60)


def test_a_failed_job_raises_its_error_and_is_a_failed_job_until_it_is_requeued(jobs):
    job = queue.enqueue(rq_tasks.fails)

    with pytest.raises(ValueError, match="no such customer"):
        jobs.drain()

    assert jobs.deliveries[0].status == "failed"
    assert FailedJobRegistry(queue=queue).get_job_ids() == [job.id]
    assert "no such customer" in job.latest_result().exc_string
    job.requeue()
    assert [record.job_id for record in jobs.pending] == [job.id]
    assert FailedJobRegistry(queue=queue).count == 0


def test_the_job_that_runs_is_the_current_one(jobs):
    job = queue.enqueue(rq_tasks.refers)

    jobs.drain()

    assert jobs.performed[0].result == job.id
    assert job.get_meta() == {"seen": True}


@pytest.mark.parametrize("task", [rq_tasks.sleeps, rq_tasks.waits])
@pytest.mark.parametrize(("options", "seconds"), [({"job_timeout": 10}, 10), ({}, 180)])
def test_a_sleep_that_passes_the_timeout_raises_rqs_error_at_that_moment(
    jobs, task, options, seconds
):
    queue.enqueue(task, 3600, retry=Retry(max=1), **options)
    begin = jobs.clock.freeze()
    tally = jobs.perform_due(children=False)

    assert (tally, jobs.clock.now() - begin) == ({"retried": 1}, timedelta(seconds=seconds))
    assert repr(jobs.retried[0].error) == (
        f"JobTimeoutException('Task exceeded maximum timeout value ({seconds} seconds)')"
    )


def test_a_job_without_a_timeout_sleeps_as_long_as_it_likes_and_one_beyond_its_ttl_is_dropped(jobs):
    queue.enqueue(rq_tasks.sleeps, 10**7, job_timeout=-1)
    queue.enqueue(greet, "Ann", ttl=60)

    assert jobs.drain() == {"performed": 1, "discarded": 1}


@pytest.mark.parametrize(
    ("task", "enqueued"),
    [(greet, "str"), (rq_tasks.fails, "ValueError")],
    ids=["success", "failure"],
)
def test_a_callback_runs_in_the_worker(jobs, task, enqueued):
    callback = Callback(rq_tasks.noted)
    queue.enqueue(task, "Ann", on_success=callback, on_failure=callback)

    jobs.drain(raise_errors=False)

    parent, child = jobs.enqueued
    assert child.args == (enqueued,)
    assert child.parent == parent.sequence


def test_a_dependent_is_known_before_and_comes_when_what_it_depends_on_is_done(jobs, bridge):
    first = queue.enqueue(greet, "Ann")
    queue.enqueue_many([Queue.prepare_data(rq_tasks.fails, depends_on=first)])
    (parent,) = jobs.enqueued
    assert bridge.follow_ups(parent) == ["rq_tasks.fails"]

    jobs.perform(parent)

    child = jobs.enqueued[1]
    assert (child.job, child.parent) == (rq_tasks.fails, parent.sequence)


@pytest.mark.parametrize(("allow_failure", "names"), [(False, 1), (True, 2)])
def test_a_dependent_of_a_failed_job_comes_when_it_allows_failures(jobs, allow_failure, names):
    first = queue.enqueue(rq_tasks.fails)
    queue.enqueue(greet, "Ann", depends_on=Dependency([first], allow_failure=allow_failure))

    jobs.drain(raise_errors=False)

    assert len(jobs.enqueued) == names


def test_the_jobs_of_a_group_are_performed(jobs):
    group = Group.create(connection=rq_tasks.redis)
    group.enqueue_many(queue, [Queue.prepare_data(greet, (name,)) for name in ("Ann", "Bob")])

    jobs.drain()

    assert {job.return_value() for job in group.get_jobs()} == {"Hello, Ann!", "Hello, Bob!"}


def test_a_job_that_repeats_comes_again_and_is_no_retry(jobs):
    queue.enqueue(greet, "Ann", repeat=Repeat(times=2, interval=60))

    jobs.drain()

    assert [record.retry_of for record in jobs.enqueued] == [None, None, None]
    assert [delivery.status for delivery in jobs.deliveries] == ["performed"] * 3
    first, second, third = (delivery.at for delivery in jobs.deliveries)
    assert (second - first, third - second) == (timedelta(minutes=1), timedelta(minutes=1))


def test_a_function_that_no_worker_finds_fails(jobs):
    queue.enqueue("nowhere.at_all", 1)

    with pytest.raises(UnknownJobError) as caught:
        jobs.drain()

    assert str(caught.value) == (
        "A worker of RQ imports the function from 'nowhere.at_all' and cannot: Invalid attribute name: "
        "nowhere.at_all. "
        "Enqueue a function at the top of a module, or its full path."
    )


def test_a_function_inside_another_fails(jobs):
    def inner(): ...

    queue.enqueue(inner)

    with pytest.raises(UnknownJobError, match="at the top of a module"):
        jobs.drain()


def test_a_result_that_cannot_be_pickled_is_kept_as_rq_keeps_it(jobs):
    job = queue.enqueue(rq_tasks.returns_a_lambda)

    jobs.drain()

    assert job.return_value() == "Unserializable return value"
