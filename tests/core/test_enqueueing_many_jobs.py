"""`perform_all_later` takes all of its jobs or none."""

from datetime import timedelta

import pytest

from pytest_jobs import Job, before_enqueue, configure, job, perform_all_later
from pytest_jobs.adapters import TestAdapter
from pytest_jobs.errors import EnqueueError, Halt, SerializationError, SignatureError


class Pay(Job):
    def perform(self, amount):
        return amount


@job(queue="mailers")
def send_receipt(order_id):
    return order_id


class Checked(Job):
    @before_enqueue
    def refuse_the_thirteenth(self):
        if self.args == (13,):
            raise Halt("unlucky")

    def perform(self, number):
        return number


def test_jobs_of_any_classes_are_enqueued_in_order(adapter):
    jobs = [Pay.new(1), send_receipt.new(2), Checked.new(3)]

    assert perform_all_later(iter(jobs)) == tuple(jobs)
    assert perform_all_later([]) == ()
    assert adapter.enqueued == [job.payload for job in jobs]
    assert [job.enqueued for job in jobs] == [True, True, True]


def test_options_of_each_job_hold(adapter, clock):
    first, second = perform_all_later(
        [Pay.set(wait=timedelta(minutes=1)).new(1), Pay.set(queue="low", priority=2).new(2)]
    )

    assert first.payload.due_ns == clock.now_ns + 60 * 10**9
    assert (second.payload.queue, second.payload.priority) == ("low", 2)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (Pay.new(object()), SerializationError),
        (Pay.new(), SignatureError),
        (Checked.new(object()), SerializationError),
        (Checked.new(1, 2), SignatureError),
    ],
)
def test_one_job_that_cannot_be_written_keeps_all_from_being_enqueued(adapter, wrong, error):
    jobs = [Pay.new(1), Checked.new(2), wrong]

    with pytest.raises(error):
        perform_all_later(jobs)

    assert adapter.enqueued == []
    assert [job.enqueued for job in jobs] == [False, False, False]


class Refusing(TestAdapter):
    def enqueue(self, payload):
        if payload.arguments == "[[2],{}]":
            raise EnqueueError("full")
        super().enqueue(payload)


def test_a_job_that_is_halted_or_refused_does_not_stop_the_others(clock):
    adapter = Refusing(clock)
    with configure(adapter=adapter):
        jobs = perform_all_later([Pay.new(1), Pay.new(2), Checked.new(13), Checked.new(14)])

    assert [job.enqueued for job in jobs] == [True, False, False, True]
    assert [str(job.enqueue_error) for job in jobs[1:3]] == ["full", "unlucky"]
    assert [payload.arguments for payload in adapter.enqueued] == ["[[1],{}]", "[[14],{}]"]
