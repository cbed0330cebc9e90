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


@each_row(
    ("call", "text"),
    [
        (
            lambda: Pay.set(wait_until=7),
            "Job.set() got an unexpected keyword argument 'wait_until': write at=.",
        ),
        (
            lambda: Pay.set(countdown=7),
            "Job.set() got an unexpected keyword argument 'countdown': write wait=.",
        ),
        (
            lambda: Pay.set(queue_name="low"),
            "Job.set() got an unexpected keyword argument 'queue_name': write queue=.",
        ),
        (
            lambda: Pay.set(minutes=5),
            "Job.set() got an unexpected keyword argument 'minutes': write wait=timedelta(minutes=5).",
        ),
        (
            lambda: Pay.set(60),
            "Job.set() takes 1 positional argument but 2 were given: write wait=60.",
        ),
        (
            lambda: Pay.set(prority=1),
            "Job.set() got an unexpected keyword argument 'prority': write priority=.",
        ),
        (
            lambda: Pay.set(colour="red"),
            "Job.set() got an unexpected keyword argument 'colour': it takes wait, at, queue, priority.",
        ),
        (
            lambda: send_receipt.set(eta=7),
            "JobFunction.set() got an unexpected keyword argument 'eta': write at=.",
        ),
        (
            lambda: Pay().retry(countdown=7),
            "Job.retry() got an unexpected keyword argument 'countdown': write wait=.",
        ),
        (
            lambda: retry_on(ValueError, max_attempts=3),
            "retry_on() got an unexpected keyword argument 'max_attempts': write attempts=.",
        ),
        (
            lambda: retry_on(ValueError, retries=3),
            (
                "retry_on() got an unexpected keyword argument 'retries': write attempts=, which counts "
                "the first run."
            ),
        ),
        (
            lambda: retry_on(ValueError, backoff=3),
            "retry_on() got an unexpected keyword argument 'backoff': write wait=.",
        ),
        (
            lambda: discard_on(ValueError, block=print),
            "discard_on() got an unexpected keyword argument 'block': write then=.",
        ),
        (
            lambda: job(queue_as="low"),
            "job() got an unexpected keyword argument 'queue_as': write queue=.",
        ),
        (
            lambda: later(print, after_commit=True),
            "later() got an unexpected keyword argument 'after_commit': write enqueue_after_commit=.",
        ),
        (
            lambda: unique(unique_for=60),
            "unique() got an unexpected keyword argument 'unique_for': write ttl=.",
        ),
        (
            lambda: limits_concurrency(limit=2),
            "limits_concurrency() got an unexpected keyword argument 'limit': write to=.",
        ),
        (
            lambda: load_schedule("recurring.yml", env="production"),
            "load_schedule() got an unexpected keyword argument 'env': write environment=.",
        ),
        (
            lambda: load_queues("queue.yml", "production"),
            "load_queues() takes 1 positional argument but 2 were given: write environment='production'.",
        ),
        (
            lambda: Schedule({}, tz="UTC"),
            "Schedule.__init__() got an unexpected keyword argument 'tz': write timezone=.",
        ),
        (
            lambda: reference(id="pk", finder="get"),
            "reference() got an unexpected keyword argument 'finder': write find=.",
        ),
        (
            lambda: rescue_from(ValueError, then=print),
            "rescue_from() got an unexpected keyword argument 'then': it takes no keywords.",
        ),
        (
            lambda: configure(queue_adapter=None),
            "configure() got an unexpected keyword argument 'queue_adapter': write adapter=.",
        ),
        (
            lambda: Batch(on_sucess=None),
            "Batch.__init__() got an unexpected keyword argument 'on_sucess': write on_success=.",
        ),
        (
            lambda: open_jobs("celery:proj:app"),
            "open_jobs() takes 0 positional arguments but 1 was given: write apps=['celery:proj:app'].",
        ),
        (
            lambda: check_idempotent(Pay, params={"id": 7}),
            (
                "check_idempotent() got an unexpected keyword argument 'params': write kwargs={'id': 7}."
            ),
        ),
        (
            lambda: check_idempotent(Pay, 7),
            "check_idempotent() takes 1 positional argument but 2 were given: write args=(7,).",
        ),
        (
            lambda: exponentially_longer(retry_backoff_max=60),
            "exponentially_longer() got an unexpected keyword argument 'retry_backoff_max': write cap=.",
        ),
    ],
)
def test_the_right_one_is_named(call, text):
    with pytest.raises(TypeError) as caught:
        call()

    assert str(caught.value) == text
    assert type(caught.value).__module__ == "pytest_jobs.errors"


def test_a_type_error_inside_of_the_call_passes_through():
    class Bad:
        def __eq__(self, other):
            raise TypeError("not to be compared")

        __hash__ = None

    with pytest.raises(TypeError, match=r"^not to be compared$"):
        limits_concurrency(to=2, on_conflict=Bad())
