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

    returned = perform_all_later(iter(jobs))

    assert returned == tuple(jobs)
    assert adapter.enqueued == [job.payload for job in jobs]
    assert [job.enqueued for job in jobs] == [True, True, True]


def test_no_jobs_are_no_error(adapter):
    assert perform_all_later([]) == ()


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


def test_a_halted_job_does_not_stop_the_others(adapter):
    jobs = perform_all_later([Checked.new(12), Checked.new(13), Checked.new(14)])

    assert [job.enqueued for job in jobs] == [True, False, True]
    assert str(jobs[1].enqueue_error) == "unlucky"
    assert [payload.arguments for payload in adapter.enqueued] == ["[[12],{}]", "[[14],{}]"]


def test_a_job_that_the_adapter_refuses_does_not_stop_the_others(clock):
    class Refusing(TestAdapter):
        def enqueue(self, payload):
            if payload.arguments == "[[2],{}]":
                raise EnqueueError("full")
            super().enqueue(payload)

    with configure(adapter=Refusing(clock)):
        jobs = perform_all_later([Pay.new(1), Pay.new(2), Pay.new(3)])

    assert [job.enqueued for job in jobs] == [True, False, True]
    assert str(jobs[1].enqueue_error) == "full"
