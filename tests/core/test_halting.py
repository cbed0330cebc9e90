"""`Halt` stops a job in a callback, as `throw :abort` does in ActiveJob."""

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


@pytest.mark.parametrize("halting", [before_enqueue(_before), around_enqueue(_around)])
def test_a_job_that_is_halted_before_it_is_enqueued_is_not(adapter, halting):
    job = _job(
        around_enqueue(_outer),
        after_enqueue(_note("after")),
        halting,
        before_enqueue(_note("later")),
    )

    halted = job.perform_later()

    assert halted.enqueued is False
    assert type(halted.enqueue_error) is Halt
    assert str(halted.enqueue_error) == "not today"
    assert (halted.payload, halted.job_id) == (None, "")
    assert adapter.enqueued == []
    assert job.calls == ["outer", "halts", "halted"]


@pytest.mark.parametrize("halting", [before_perform(_before), around_perform(_around)])
def test_a_job_that_is_halted_before_it_is_performed_is_not(adapter, halting):
    job = _job(
        around_perform(_outer),
        after_perform(_note("after")),
        halting,
        before_perform(_note("later")),
    )

    job.perform_later()
    (execution,) = adapter.perform_due()

    assert (execution.status, execution.result, execution.handled) == ("halted", None, True)
    assert type(execution.error) is Halt
    assert job.calls == ["outer", "halts", "halted"]


def test_a_halted_job_is_neither_retried_nor_given_up(adapter):
    job = _job(before_perform(_before), after_discard(lambda self, error: self.calls.append("up")))
    retry_on(Exception)(discard_on(Halt)(job))

    job.perform_later()
    (execution,) = adapter.perform_due()

    assert execution.status == "halted"
    assert (adapter.pending, adapter.dead) == ([], [])
    assert job.calls == ["halts"]


def test_a_halted_job_returns_nothing_when_it_is_performed_now():
    assert _job(before_perform(_before)).perform_now() is None


def test_a_halt_that_an_outer_callback_swallows_still_halts(adapter):
    job = _job(around_perform(_swallowing), before_perform(_before), after_perform(_note("after")))

    job.perform_later()
    (execution,) = adapter.perform_due()

    assert execution.status == "halted"
    assert job.calls == ["halts", "swallowed"]


def test_a_halt_that_an_outer_callback_swallows_still_stops_the_enqueue(adapter):
    job = _job(around_enqueue(_swallowing), before_enqueue(_before))

    assert job.perform_later().enqueued is False
    assert adapter.enqueued == []


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
