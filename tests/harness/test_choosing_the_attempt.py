"""`jobs.perform(record, attempt=3)` runs a job as its third attempt."""

import asyncio

import pytest

from pytest_jobs import Job, exponentially_longer, job, retry_on
from pytest_jobs.errors import CriterionError, NotPerformedError


@retry_on(TimeoutError, wait=lambda n: 10 * n, attempts=4)
class Sync(Job):
    def perform(self, fail):
        if fail:
            raise TimeoutError(f"attempt {self.attempt}")
        return self.attempt


@retry_on(TimeoutError, wait=5)
@retry_on(LookupError, wait=7)
class Two(Job):
    def perform(self): ...


@job
async def fetch(): ...


def test_the_job_sees_the_number_and_what_was_enqueued_stays_what_it_was(jobs):
    Sync.perform_later(fail=False)
    record = jobs.pending[0]
    delivery = jobs.perform(record, attempt=3)

    assert (delivery.result, delivery.record.attempt) == (3, 3)
    assert list(jobs.pending) == []
    assert list(jobs.enqueued) == [record]
    assert record.attempt == 1
    assert jobs.performed[0].record.retry_of == record.sequence
    assert jobs.performed[0].record.job_id == record.job_id
    assert jobs.result_of(record) == 3
    with pytest.raises(NotPerformedError):
        jobs.perform(record, attempt=3)

    Sync.perform_later(fail=False)
    record = jobs.pending[0]
    assert jobs.perform(record, attempt=1).record is record


def test_the_attempts_before_it_count_for_the_rule(jobs):
    Sync.perform_later(fail=True)

    third = jobs.perform(jobs.pending[0], attempt=3)
    last = jobs.perform(third.next)

    assert (third.status, third.wait.total_seconds()) == ("retried", 30)
    assert (last.status, last.record.attempt) == ("exhausted", 4)


def test_a_wait_that_no_duration_can_name_is_shown_as_the_longest(jobs):
    @retry_on(TimeoutError, wait=exponentially_longer(), attempts=None)
    @job
    def ever_longer():
        raise TimeoutError

    ever_longer.perform_later()
    delivery = jobs.perform(jobs.pending[0], attempt=70)

    assert delivery.wait == delivery.next.wait
    assert repr(delivery).startswith("<#1 ever_longer() retried again in 2932896d")


def test_the_twin_does_the_same(jobs):
    fetch.perform_later()

    delivery = asyncio.run(jobs.aperform(jobs.pending[0], attempt=2))

    assert delivery.record.attempt == 2


def test_inline_it_is_performed_once(jobs):
    Sync.perform_later(fail=False)
    with jobs.inline():
        jobs.perform(jobs.pending[0], attempt=2)

    assert [d.result for d in jobs.performed] == [2]


def test_which_of_several_rules_counted_is_not_guessed(jobs):
    Two.perform_later()
    name = jobs.pending[0].name

    with pytest.raises(CriterionError) as caught:
        jobs.perform(jobs.pending[0], attempt=2)
    assert str(caught.value) == (
        f"jobs.perform(record, attempt=2): {name} has several retry_on, each with a counter of its own, and which "
        f"errors the attempts before met is not said. Let them fail: jobs.fail({name}, raising=..., on=[1]), and "
        "jobs.drain()."
    )
    assert len(jobs.pending) == 1


@pytest.mark.parametrize("attempt", [0, -1, True, "2"])
def test_what_is_no_number_is_refused(jobs, attempt):
    Sync.perform_later(fail=False)

    with pytest.raises(CriterionError) as caught:
        jobs.perform(jobs.pending[0], attempt=attempt)
    assert str(caught.value) == f"attempt={attempt!r} is not an attempt: they are counted from 1."


def test_a_library_that_does_not_count_says_so(stub_bridge, make_jobs, make_record):
    bridge = stub_bridge()
    with make_jobs([bridge]) as jobs:
        jobs.harness.ledger.added(make_record(bridge=bridge))

        with pytest.raises(CriterionError) as caught:
            jobs.perform(jobs.pending[0], attempt=2)
    assert str(caught.value) == (
        "jobs.perform(record, attempt=2): the jobs of stub do not carry the number of their attempt, so job "
        "cannot be told that it is another. Leave attempt= out."
    )
