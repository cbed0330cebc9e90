"""`Halt` stops a job in a callback, as `throw :abort` does in ActiveJob."""

from functools import partial

import pytest

from pytest_jobs import (
    Job,
    after_discard,
    after_enqueue,
    after_perform,
    around_enqueue,
    around_perform,
    before_enqueue,
    before_perform,
    discard_on,
    retry_on,
)
from pytest_jobs.errors import Halt


def _before(self):
    self.calls.append("halts")
    raise Halt("not today")


def _around(self):
    self.calls.append("halts")
    raise Halt("not today")
    yield


def _outer(self):
    self.calls.append("outer")
    try:
        yield
    except Halt:
        self.calls.append("halted")
        raise


def _swallowing(self):
    try:
        yield
    except Halt:
        self.calls.append("swallowed")


def _job(*callbacks):
    body = {str(number): callback for number, callback in enumerate(callbacks)}

    def perform(self):
        self.calls.append("perform")

    return type("Halting", (Job,), {"calls": [], "perform": perform, **body})


def _note(name):
    return lambda self: self.calls.append(name)


@pytest.mark.parametrize(
    "halting", [partial(before_enqueue, _before), partial(around_enqueue, _around)]
)
def test_a_job_that_is_halted_before_it_is_enqueued_is_not(adapter, halting):
    def job_within(outer):
        later = before_enqueue(_note("later"))
        return _job(around_enqueue(outer), after_enqueue(_note("after")), halting(), later)

    job, swallowing = job_within(_outer), job_within(_swallowing)

    for halted in (job.perform_later(), swallowing.perform_later()):
        assert halted.enqueued is False
        assert type(halted.enqueue_error) is Halt
        assert str(halted.enqueue_error) == "not today"
        assert (halted.payload, halted.job_id) == (None, "")
    assert adapter.enqueued == []
    assert job.calls == ["outer", "halts", "halted"]
    assert swallowing.calls == ["halts", "swallowed"]


@pytest.mark.parametrize(
    "halting", [partial(before_perform, _before), partial(around_perform, _around)]
)
def test_a_job_that_is_halted_before_it_is_performed_is_not(adapter, halting):
    def job_within(outer):
        later = before_perform(_note("later"))
        return _job(around_perform(outer), after_perform(_note("after")), halting(), later)

    given_up = after_discard(lambda self, error: self.calls.append("given up"))
    job, swallowing = job_within(_outer), job_within(_swallowing)
    ruled = retry_on(Exception)(discard_on(Halt)(_job(halting(), given_up)))
    for each in (job, swallowing, ruled):
        each.perform_later()

    for execution in adapter.perform_due():
        assert (execution.status, execution.result, execution.handled) == ("halted", None, True)
        assert type(execution.error) is Halt
    assert job.calls == ["outer", "halts", "halted"]
    assert swallowing.calls == ["halts", "swallowed"]
    assert ruled.calls == ["halts"]
    assert (adapter.pending, adapter.dead) == ([], [])
    assert ruled.perform_now() is None


def test_a_halt_of_the_parent_stops_the_child(adapter):
    parent = _job(before_perform(_before))

    class Child(parent):
        calls = []  # noqa: RUF012

        @before_perform
        def never(self):
            self.calls.append("child")

    Child.perform_later()

    assert [execution.status for execution in adapter.perform_due()] == ["halted"]
    assert Child.calls == ["halts"]


def test_a_job_that_was_enqueued_can_be_halted_the_next_time(adapter):
    class Once(Job):
        @before_enqueue
        def once(self):
            if self.enqueued:
                raise Halt("once is enough")

        def perform(self):
            pass

    job = Once.perform_later()
    job.enqueue()

    assert (job.enqueued, str(job.enqueue_error)) == (False, "once is enough")
    assert len(adapter.enqueued) == 1


def test_a_halted_job_can_be_enqueued_later(adapter):
    class Gate(Job):
        open = False

        @before_enqueue
        def gate(self):
            if not self.open:
                raise Halt

        def perform(self):
            pass

    job = Gate.perform_later()
    Gate.open = True
    job.enqueue()

    assert (job.enqueued, job.enqueue_error) == (True, None)
