"""A job without such declarations pays for them with a look at one attribute."""

import sys

from pytest_jobs import Batch, MemoryStore, TestAdapter, configure, job, unique


@job
def plain(n): ...


@unique()
@job
def once(n): ...


def modules_called(function):
    """Return the modules of every function that is called meanwhile."""
    called = set()

    def hear(frame, event, argument):
        if event == "call":
            called.add(frame.f_globals.get("__name__"))

    sys.setprofile(hear)
    try:
        function()
    finally:
        sys.setprofile(None)
    return called


def test_nothing_of_locks_and_limits_is_called_for_a_plain_job():
    adapter = TestAdapter(lambda: 0)

    def enqueue_and_perform(job):
        job.perform_later(1)
        adapter.perform_due()

    apart = {f"pytest_jobs.core.locks.{name}" for name in ("exclusion", "stores")}
    with configure(adapter=adapter, store=MemoryStore()):
        assert modules_called(lambda: enqueue_and_perform(plain)) & apart == set()
        assert modules_called(lambda: enqueue_and_perform(once)) & apart == apart


def test_nothing_of_batches_is_called_for_a_job_that_is_in_none():
    adapter = TestAdapter(lambda: 0)

    def enqueue_and_perform(enqueue):
        enqueue()
        adapter.perform_due()

    of_batches = {f"pytest_jobs.core.batches.{name}" for name in ("batch", "ends", "stores")}
    with configure(adapter=adapter, store=MemoryStore()):
        batch = Batch(on_success=plain.new(1))
        alone = modules_called(lambda: enqueue_and_perform(lambda: plain.perform_later(1)))
        of_one = modules_called(lambda: enqueue_and_perform(lambda: batch.enqueue([plain.new(1)])))

    assert alone & of_batches == set()
    assert of_one >= of_batches
