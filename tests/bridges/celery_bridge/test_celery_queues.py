"""Tasks of Celery are taken by queues too, beside the jobs of the core."""

import pytest

from pytest_jobs import Queues, job
from pytest_jobs.errors import UnservedQueueError


@job(queue="critical")
def charge(number): ...


def test_the_order_of_queues_counts_over_all_libraries(jobs, app):
    @app.task
    def send(number):
        pass

    jobs.serve(Queues(["critical", "celery", "low"]))
    send.apply_async((1,), queue="low")
    send.delay(2)
    charge.perform_later(3)
    send.apply_async((4,), queue="critical")
    charge.set(queue="low").perform_later(5)
    jobs.drain()

    assert [d.record.args for d in jobs.deliveries] == [(3,), (4,), (2,), (1,), (5,)]


def test_a_queue_that_is_not_served(jobs, app):
    @app.task
    def send(number):
        pass

    jobs.serve(Queues(["critical", "default"]))
    send.delay(1)
    with pytest.raises(
        UnservedQueueError, match=r"send in 'celery'\. Served are critical, default"
    ):
        jobs.drain()
