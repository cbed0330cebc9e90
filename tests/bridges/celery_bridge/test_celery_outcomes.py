"""What a task can come to besides a success and a failure."""

from datetime import timedelta

import pytest
from celery.exceptions import Ignore, MaxRetriesExceededError, Reject

from pytest_jobs.errors import DeserializationError, NothingPerformedError, UnknownJobError


@pytest.mark.parametrize(
    ("error", "options"),
    [
        (Ignore(), {}),
        (Reject("no reason", requeue=False), {"acks_late": True}),
        (Reject("acknowledged before", requeue=True), {}),
    ],
)
def test_a_task_that_ignores_or_rejects_itself_is_discarded(jobs, app, error, options):
    @app.task(**options)
    def task():
        raise error

    task.delay()
    jobs.drain()

    assert [d.status for d in jobs.deliveries] == ["discarded"]
    assert isinstance(jobs.deliveries[0].error, type(error))
    assert len(jobs.pending) == 0


def test_a_rejected_message_goes_back_to_the_queue_when_it_says_so(jobs, app):
    seen = []

    @app.task(bind=True, acks_late=True)
    def rejected(self):
        seen.append(self.request.delivery_info["redelivered"])
        if len(seen) < 3:
            raise Reject("again", requeue=True)
        return "done"

    result = rejected.delay()
    jobs.drain()

    assert seen == [False, True, True]
    assert [d.status for d in jobs.deliveries] == ["snoozed", "snoozed", "performed"]
    assert jobs.deliveries[0].next is jobs.deliveries[1].record
    assert [d.record.attempt for d in jobs.deliveries] == [1, 1, 1]
    assert len(jobs.enqueued) == 1
    assert result.get() == "done"


def test_an_error_that_was_to_be_expected_is_not_raised(jobs, app):
    @app.task(throws=(KeyError,))
    def expected():
        raise KeyError("gone")

    expected.delay()
    jobs.drain()

    (delivery,) = jobs.failed
    assert delivery.handled
    assert isinstance(delivery.error, KeyError)


def test_an_expired_task_is_discarded_and_runs_only_when_it_is_enqueued_again(jobs, app):
    ran = []

    @app.task
    def late():
        ran.append(1)

    result = late.apply_async(expires=10, task_id="one")
    jobs.clock.advance(timedelta(seconds=11))
    jobs.drain()
    assert (ran, result.state) == ([], "REVOKED")

    late.apply_async(task_id="one")
    jobs.drain()
    assert [d.status for d in jobs.deliveries] == ["discarded", "performed"]


def test_revoked_tasks_are_withdrawn_and_none_by_an_id_that_no_task_has(jobs, app):
    @app.task
    def work(n):
        return n

    first, second, third, fourth = (work.apply_async((n,), countdown=60) for n in range(4))
    for nothing in (None, (), [None], {"unknown"}):
        app.control.revoke(nothing, terminate=True)
        app.control.terminate(nothing)
    assert len(jobs.pending) == 4

    first.revoke()
    app.control.revoke([second.id, fourth.id])
    assert (len(jobs.pending), len(jobs.enqueued)) == (1, 4)
    assert first.state == "REVOKED"
    jobs.drain()
    assert [d.record.job_id for d in jobs.deliveries] == [third.id]


def test_a_task_that_is_not_registered_is_enqueued_and_left_out_but_cannot_be_performed(jobs, app):
    @app.task
    def own():
        """Do nothing."""

    app.send_task("billing.charge", (7,))
    own.delay()
    assert jobs.enqueued[0].job == "billing.charge"

    jobs.drain(exclude="billing.charge")
    assert [record.name for record in jobs.pending] == ["billing.charge"]
    # What the error advises does nothing, and is no error, where the task is the only one.
    jobs.drain(exclude="billing.charge")
    with pytest.raises(UnknownJobError, match=r"service: jobs\.drain\(exclude='billing\.charge'\)"):
        jobs.drain()


def test_content_is_read_if_the_application_accepts_it(jobs, app):
    @app.task
    def add(a, b):
        return a + b

    add.apply_async((1, 2), serializer="pickle", compression="zlib")
    add.apply_async((1, 2), serializer="pickle", compression="zlib")
    first, second = jobs.pending

    with pytest.raises(DeserializationError, match="accept_content"):
        first.args  # noqa: B018
    with pytest.raises(DeserializationError, match="accept_content"):
        jobs.drain()
    app.conf.accept_content = ["json", "pickle"]
    assert second.args == (1, 2)
    jobs.drain()
    assert jobs.performed[0].result == 3


def test_a_task_out_of_retries_without_an_error_of_its_own_is_exhausted(jobs, app):
    @app.task(bind=True, max_retries=1)
    def poll(self):
        raise self.retry(countdown=1)

    poll.delay()
    with pytest.raises(MaxRetriesExceededError):
        jobs.drain()

    assert [d.status for d in jobs.deliveries] == ["retried", "exhausted"]


@pytest.mark.parametrize(
    ("kind", "made"),
    [("async def", "a coroutine"), ("def", "a generator"), ("async def ", "an async")],
)
def test_a_body_that_nobody_begins_is_no_performed_task(jobs, app, kind, made):
    async def coroutine():
        pass

    def generator():
        yield

    async def asynchronous():
        yield

    kinds = {"async def": coroutine, "def": generator, "async def ": asynchronous}
    app.task(kinds[kind], ignore_result=True).delay()

    with pytest.raises(NothingPerformedError, match=made):
        jobs.drain()
