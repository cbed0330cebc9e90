"""What other job systems offer, and no other test of ours shows."""

import socket

from pytest_jobs import (
    InlineAdapter,
    Job,
    after_perform,
    around_perform,
    configure,
    job,
    open_jobs,
    retry_on,
)


@job
def send_mail(to):
    return f"mailed {to}"


@job
def place_order(number):
    send_mail.perform_later(f"customer {number}")


def test_nothing_connects(jobs, monkeypatch):
    def connect(*args):
        raise AssertionError("something connects")

    monkeypatch.setattr(socket.socket, "connect", connect)
    place_order.perform_later(1)

    assert jobs.drain() == {"performed": 2}


def test_one_executor_in_tests_and_in_production():
    seen = []

    @retry_on(TimeoutError, wait=0, attempts=2)
    class Traced(Job):
        @around_perform
        def around(self):
            seen.append("around")
            yield

        @after_perform
        def after(self):
            seen.append("after")

        def perform(self):
            seen.append(self.attempt)
            if self.attempt == 1:
                raise TimeoutError

    with open_jobs() as jobs:
        Traced.perform_later()
        jobs.drain()
    harness, seen[:] = list(seen), []

    with configure(adapter=InlineAdapter()):
        Traced.perform_later()

    assert harness == seen == ["around", 1, "around", 2, "after"]


def test_a_run_of_what_a_block_enqueued_leaves_other_jobs_alone(jobs):
    send_mail.perform_later("ann")
    with jobs.capture() as sent:
        place_order.perform_later(1)

    jobs.drain(only=lambda record: record in sent)

    assert [d.record.job for d in jobs.performed] == [place_order]
