"""`jobs.redeliver` enqueues the same payload once more, as a broker does."""

import pytest

from pytest_jobs import Job, retry_on
from pytest_jobs.bridges.core.bridge import ReferenceBridge
from pytest_jobs.bridges.opening import open_jobs
from pytest_jobs.errors import NoHarnessError, NotPerformedError


class Note(Job):
    def perform(self, text):
        self.notes.append(text)


@retry_on(ValueError, wait=3, attempts=2)
class Flaky(Job):
    def perform(self):
        raise ValueError("no")


@pytest.fixture
def notes():
    Note.notes = []
    return Note.notes


def test_a_redelivery_is_a_record_of_its_own_with_the_same_payload(jobs, notes):
    with jobs.capture() as sent:
        Note.set(queue="low", priority=3).perform_later("a")
        (first,) = jobs.pending
        again = jobs.redeliver(first)

    assert (again.sequence, again.job_id) == (1, first.job_id)
    assert again.payload is first.payload
    assert (again.args, again.queue, again.priority, again.attempt) == (("a",), "low", 3, 1)
    assert (again.enqueued_at, again.due_at) == (first.enqueued_at, None)
    assert (again.retry_of, again.parent) == (None, None)
    assert jobs.pending == [first, again]
    assert len(sent) == len(jobs.enqueued) == 1
    assert jobs.drain() == {"performed": 2}
    assert jobs.perform(jobs.redeliver(first)).status == "performed"
    assert notes == ["a", "a", "a"]


def test_a_redelivered_attempt_keeps_its_number_and_its_failures(jobs):
    Flaky.perform_later()
    first = jobs.pending[0]
    jobs.perform(first)
    last = jobs.drain(raise_errors=False).deliveries[0]
    again = jobs.perform(jobs.redeliver(last.record))

    assert (last.status, last.record.attempt) == ("exhausted", 2)
    assert (again.status, again.record.attempt) == ("exhausted", 2)


def test_the_retry_of_a_redelivery_retries_the_redelivery(jobs):
    Flaky.perform_later()
    jobs.perform(jobs.pending[0])
    again = jobs.redeliver(jobs.enqueued[0])
    delivery = jobs.perform(again)

    assert delivery.next.retry_of == again.sequence == 2
    assert [record.retry_of for record in jobs.pending] == [0, 2]


def test_a_redelivery_is_due_when_the_payload_is(jobs, noon):
    Note.set(wait=60).perform_later("a")
    jobs.redeliver(jobs.pending[0])
    before = len(jobs.scheduled)
    jobs.clock.advance(60)
    again = jobs.redeliver(jobs.enqueued[0])

    assert before == 2
    assert again.due_at == noon.replace(minute=1)
    assert jobs.scheduled == []


def test_nothing_is_redelivered_after_the_harness_was_closed(sleepless, notes):
    with open_jobs() as jobs:
        Note.perform_later("a")
        (record,) = jobs.pending

    with pytest.raises(NoHarnessError):
        jobs.redeliver(record)


def test_result_of_is_what_the_last_delivery_of_the_job_came_to(jobs):
    class Double(Job):
        def perform(self, number):
            return number * 2

    for number in (1, 2, 3):
        Double.perform_later(number)
    Flaky.perform_later()
    *records, failed = jobs.pending
    with pytest.raises(NotPerformedError) as caught:
        jobs.result_of(records[0])
    with pytest.raises(NoHarnessError):
        ReferenceBridge().result_of(records[0])
    jobs.drain(raise_errors=False)

    assert str(caught.value).endswith(
        "Double(1) queue='default'> has not been performed, so it has no result: drain first."
    )
    assert [jobs.result_of(record) for record in records] == [2, 4, 6]
    with pytest.raises(ValueError, match=r"^no$"):
        jobs.result_of(failed)
