"""A call with the keyword of another library, or with an argument without its keyword, names the right one."""

import pytest
from tables import each_row

from pytest_jobs import (
    Batch,
    Job,
    Schedule,
    check_idempotent,
    configure,
    discard_on,
    exponentially_longer,
    job,
    later,
    limits_concurrency,
    load_queues,
    load_schedule,
    open_jobs,
    reference,
    rescue_from,
    retry_on,
    unique,
)


class Pay(Job):
    def perform(self, payment_id):
        pass


@job
def send_receipt(order_id):
    pass


SET, KEYWORD = "Job.set", "got an unexpected keyword argument"


@each_row(
    ("call", "name", "keyword", "advice"),
    [
        (lambda: Pay.set(wait_until=7), SET, "wait_until", "write at="),
        (lambda: Pay.set(countdown=7), SET, "countdown", "write wait="),
        (lambda: Pay.set(queue_name="low"), SET, "queue_name", "write queue="),
        (lambda: Pay.set(minutes=5), SET, "minutes", "write wait=timedelta(minutes=5)"),
        (lambda: Pay.set(prority=1), SET, "prority", "write priority="),
        (lambda: Pay.set(colour=1), SET, "colour", "it takes wait, at, queue, priority"),
        (lambda: send_receipt.set(eta=7), "JobFunction.set", "eta", "write at="),
        (lambda: Pay().retry(countdown=7), "Job.retry", "countdown", "write wait="),
        (lambda: retry_on(OSError, max_attempts=3), "retry_on", "max_attempts", "write attempts="),
        (
            lambda: retry_on(ValueError, retries=3),
            "retry_on",
            "retries",
            "write attempts=, which counts the first run",
        ),
        (lambda: retry_on(ValueError, backoff=3), "retry_on", "backoff", "write wait="),
        (lambda: discard_on(ValueError, block=print), "discard_on", "block", "write then="),
        (lambda: job(queue_as="low"), "job", "queue_as", "write queue="),
        (
            lambda: later(print, after_commit=1),
            "later",
            "after_commit",
            "write enqueue_after_commit=",
        ),
        (lambda: unique(unique_for=60), "unique", "unique_for", "write ttl="),
        (lambda: limits_concurrency(limit=2), "limits_concurrency", "limit", "write to="),
        (lambda: load_schedule("a.yml", env="x"), "load_schedule", "env", "write environment="),
        (lambda: Schedule({}, tz="UTC"), "Schedule.__init__", "tz", "write timezone="),
        (lambda: reference(id="pk", finder="get"), "reference", "finder", "write find="),
        (lambda: rescue_from(OSError, then=id), "rescue_from", "then", "it takes no keywords"),
        (lambda: configure(queue_adapter=None), "configure", "queue_adapter", "write adapter="),
        (lambda: Batch(on_sucess=None), "Batch.__init__", "on_sucess", "write on_success="),
        (
            lambda: check_idempotent(Pay, params={"id": 7}),
            "check_idempotent",
            "params",
            "write kwargs={'id': 7}",
        ),
        (
            lambda: exponentially_longer(retry_backoff_max=60),
            "exponentially_longer",
            "retry_backoff_max",
            "write cap=",
        ),
        # An argument without its keyword.
        (lambda: Pay.set(60), SET, None, "1 positional argument but 2 were given: write wait=60."),
        (
            lambda: load_queues("queue.yml", "production"),
            "load_queues",
            None,
            "1 positional argument but 2 were given: write environment='production'.",
        ),
        (
            lambda: open_jobs("celery:proj:app"),
            "open_jobs",
            None,
            "0 positional arguments but 1 was given: write apps=['celery:proj:app'].",
        ),
        (
            lambda: check_idempotent(Pay, 7),
            "check_idempotent",
            None,
            "1 positional argument but 2 were given: write args=(7,).",
        ),
    ],
)
def test_the_right_one_is_named(call, name, keyword, advice):
    with pytest.raises(TypeError) as caught:
        call()

    said = f"takes {advice}" if keyword is None else f"{KEYWORD} {keyword!r}: {advice}."
    assert str(caught.value) == f"{name}() {said}"
    assert type(caught.value).__module__ == "pytest_jobs.errors"


def test_a_type_error_inside_of_the_call_passes_through():
    class Bad:
        def __eq__(self, other):
            raise TypeError("not to be compared")

        __hash__ = None

    with pytest.raises(TypeError, match=r"^not to be compared$"):
        limits_concurrency(to=2, on_conflict=Bad())
