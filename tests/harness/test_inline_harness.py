"""A harness in inline mode performs each job when it is enqueued, for the whole test."""

# ruff: noqa: PT012 - a harness, and a block of one, raises at its end

import pytest

from pytest_jobs import Job, job, retry_on
from pytest_jobs.bridges.opening import open_jobs
from pytest_jobs.errors import LoopLimitError


class Note(Job):
    def perform(self, text):
        pass


class Fail(Job):
    def perform(self, text="no"):
        raise ValueError(text)


@retry_on(ValueError, wait=3, attempts=2)
class Flaky(Fail):
    pass


class Again(Job):
    def perform(self):
        Again.perform_later()


@pytest.fixture
def jobs(sleepless):
    with open_jobs(mode="inline") as jobs:
        yield jobs


def performed(jobs):
    return [delivery.record.args for delivery in jobs.performed]


def test_a_job_is_performed_when_it_is_enqueued(jobs):
    Note.perform_later("a")

    assert performed(jobs) == [("a",)]
    assert jobs.pending == []
    assert len(jobs.enqueued) == 1


@pytest.mark.parametrize("wait", [None, 5], ids=["at once", "by a verb"])
def test_children_run_after_their_parent(jobs, wait):
    @job
    def parent():
        Note.perform_later("child")
        return len(jobs.performed)

    parent.set(wait=wait).perform_later()
    if wait:
        jobs.perform(jobs.pending[0])

    assert performed(jobs) == [(), ("child",)]
    assert jobs.performed[0].result == 0


def test_what_is_due_later_waits_for_a_verb_or_for_the_next_job(jobs, noon):
    Note.set(wait=5).perform_later("later")
    Flaky.perform_later()
    assert len(jobs.pending) == 2
    assert jobs.drain(raise_errors=False) == {"performed": 1, "exhausted": 1}

    Note.set(wait=5).perform_later("later")
    jobs.clock.advance(5)
    Note.perform_later("now")
    assert performed(jobs)[1:] == [("later",), ("now",)]


def test_a_block_inside_restricts_what_is_performed(jobs):
    with jobs.inline(exclude=Note):
        Note.perform_later("inside")
        assert performed(jobs) == []

    Note.perform_later("after")

    assert performed(jobs) == [("inside",), ("after",)]


def test_the_error_of_a_job_is_raised_when_the_harness_is_closed(sleepless):
    with pytest.raises(ValueError, match=r"^first\n") as caught, open_jobs(mode="inline"):
        Fail.perform_later("first")
        Fail.perform_later("second")

    assert caught.value.__notes__ == ["Another inline job failed too: ValueError: second"]


def test_the_error_of_the_test_comes_first(sleepless):
    with pytest.raises(KeyError), open_jobs(mode="inline"):
        Fail.perform_later()
        raise KeyError


def test_errors_can_be_raised_where_the_job_is_enqueued(sleepless):
    with open_jobs(mode="inline", raise_at="enqueue"), pytest.raises(ValueError, match=r"^no$"):
        Fail.perform_later()


@pytest.mark.wide
def test_a_job_that_enqueues_itself_for_ever_is_stopped(sleepless):
    with pytest.raises(LoopLimitError), open_jobs(mode="inline") as jobs:
        Again.perform_later()

    assert len(jobs.deliveries) == 10_001


def test_a_recording_harness_inside_an_inline_one_records(jobs):
    with open_jobs() as inner:
        Note.perform_later("inner")
    Note.perform_later("outer")

    assert len(inner.pending) == 1
    assert performed(jobs) == [("outer",)]
