"""A Celery task performed as its third attempt, and what a task asks of its queue."""

import pytest
from celery.exceptions import Ignore, Reject

from pytest_jobs.assertions.asserts import AssertDelivered


@pytest.fixture
def assert_delivered(jobs):
    return AssertDelivered(lambda: jobs)


def test_a_task_sees_the_number_of_its_retry(jobs, app):
    @app.task(bind=True, max_retries=3, default_retry_delay=7)
    def sync(self):
        raise self.retry(exc=TimeoutError(self.request.retries))

    sync.delay()

    third = jobs.perform(jobs.pending[0], attempt=3)
    last = jobs.perform(third.next)

    assert (third.record.attempt, third.error.args, third.wait.total_seconds()) == (3, (2,), 7)
    assert last.status == "exhausted"


def test_a_task_that_goes_back_to_the_queue_is_snoozed(jobs, app, assert_delivered):
    @app.task(acks_late=True)
    def busy():
        raise Reject("busy", requeue=True)

    busy.delay()
    jobs.perform(jobs.pending[0])

    assert assert_delivered(busy, status="snoozed", wait=0).next is jobs.pending[0]


def test_a_task_that_is_ignored_is_discarded(jobs, app, assert_delivered):
    @app.task
    def stale():
        raise Ignore

    stale.delay()
    jobs.drain()

    assert_delivered(stale, status="discarded", error=Ignore)
