"""Halt stops what has not happened yet; after it, it is an error."""

from __future__ import annotations

import pytest

from pytest_jobs import Job, after_enqueue, after_perform, around_perform
from pytest_jobs.errors import CallbackError, Halt


class HaltsAfterEnqueue(Job):
    @after_enqueue
    def too_late(self):
        raise Halt

    def perform(self):
        pass


class HaltsAfterPerform(Job):
    @after_perform
    def too_late(self):
        raise Halt

    def perform(self):
        pass


class HaltsAfterYield(Job):
    @around_perform
    def too_late(self):
        yield
        raise Halt

    def perform(self):
        pass


def test_halt_after_the_enqueue_is_an_error_and_the_job_is_enqueued(adapter):
    with pytest.raises(CallbackError) as caught:
        HaltsAfterEnqueue.perform_later()

    assert str(caught.value) == (
        "HaltsAfterEnqueue.too_late raised Halt after the enqueue it would have stopped: raise it in a "
        "before_enqueue callback, or before the `yield`."
    )
    assert len(adapter.pending) == 1


@pytest.mark.parametrize("job_class", [HaltsAfterPerform, HaltsAfterYield])
def test_halt_after_perform_fails_the_job(adapter, job_class):
    execution = adapter.perform(job_class.perform_later().payload)

    assert execution.status == "failed"
    assert type(execution.error) is CallbackError
    assert type(execution.error.__cause__) is Halt
