"""`jobs.perform` makes one delivery of one pending record."""

import pytest

from pytest_jobs import Job, job, retry_on
from pytest_jobs.errors import CriterionError, NotPerformedError


class Note(Job):
    def perform(self, text):
        return text.upper()


@retry_on(ValueError, wait=10)
class Flaky(Job):
    def perform(self):
        raise ValueError("no")


class Fail(Job):
    def perform(self):
        raise ValueError("no")


def test_perform_returns_the_delivery_and_performs_nothing_else(jobs):
    @job
    def parent():
        Note.perform_later("child")
        return "A"

    parent.perform_later()
    Fail.perform_later()
    first, second = jobs.pending
    delivery = jobs.perform(first)

    assert (delivery.status, delivery.result) == ("performed", "A")
    assert jobs.deliveries == [delivery]
    assert [record.args for record in jobs.pending] == [(), ("child",)]
    failed = jobs.perform(second)
    assert (failed.status, str(failed.error)) == ("failed", "no")


def test_a_job_that_is_not_due_is_performed_too_and_the_clock_stands_still(jobs, noon):
    Note.set(wait=3600).perform_later("later")
    delivery = jobs.perform(jobs.pending[0])

    assert delivery.status == "performed"
    assert delivery.at == jobs.clock.now() == noon
    assert jobs.drain() == {}


def test_a_retry_is_performed_by_name(jobs):
    Flaky.perform_later()
    first = jobs.perform(jobs.pending[0])
    second = jobs.perform(first.next)

    assert (second.status, second.record.attempt) == ("retried", 2)
    assert second.next.retry_of == second.record.sequence


@pytest.mark.parametrize(
    ("take", "what"),
    [
        (lambda jobs, record: jobs.perform(record), "has been performed"),
        (lambda jobs, record: jobs.harness.ledger.removed(record), "was withdrawn"),
    ],
)
def test_a_record_that_is_not_pending_is_refused(jobs, take, what):
    Note.perform_later("a")
    record = jobs.pending[0]
    take(jobs, record)
    before = len(jobs.deliveries)

    with pytest.raises(NotPerformedError) as caught:
        jobs.perform(record)
    assert str(caught.value) == (
        f"<#0 Note('a') queue='default'> {what}, so it is not pending: to deliver the same payload again, write "
        "jobs.perform(jobs.redeliver(record))."
    )
    assert len(jobs.deliveries) == before


def test_what_was_performed_out_of_turn_is_not_drained(jobs):
    for text in "abc":
        Note.perform_later(text)
    jobs.perform(jobs.pending[1])
    jobs.drain()

    assert [d.record.args[0] for d in jobs.performed] == ["b", "a", "c"]


@pytest.mark.parametrize("options", [{}, {"priority": 1}, {"wait": 5}])
def test_a_record_that_stayed_pending_is_performed_once(jobs, options):
    interrupted = [True]

    @job
    def interrupt():
        if interrupted.pop():
            raise KeyboardInterrupt

    interrupt.set(**options).perform_later()
    with pytest.raises(KeyboardInterrupt):
        jobs.perform(jobs.pending[0])
    interrupted.append(False)
    Note.perform_later("other")

    assert len(jobs.pending) == 2
    assert jobs.drain(only=Note) == {"performed": 1}
    assert jobs.drain() == {"performed": 1}
    assert jobs.drain() == {}


@pytest.mark.parametrize("verb", ["perform", "redeliver"])
def test_what_is_no_record_is_refused(jobs, verb):
    Note.perform_later("a")
    delivery = jobs.perform(jobs.pending[0])
    with pytest.raises(CriterionError) as given_a_delivery:
        getattr(jobs, verb)(delivery)
    with pytest.raises(CriterionError) as given_a_class:
        getattr(jobs, verb)(Note)

    assert str(given_a_delivery.value) == (
        f"jobs.{verb}(<#0 Note('a') performed>) is given no record: pass delivery.record."
    )
    assert str(given_a_class.value) == (
        f"jobs.{verb}({Note!r}) is given no record: pass a record, such as jobs.pending[0]."
    )
