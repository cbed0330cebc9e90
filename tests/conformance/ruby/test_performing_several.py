"""Group P: what ActiveJob's tests expect of performing jobs that enqueue others, fail, or halt."""

# ruff: noqa: PT012 - an inline block raises at its end

from datetime import timedelta

import pytest

from pytest_jobs import Halt, Job, before_perform, perform_all_later, retry_on
from pytest_jobs.errors import LoopLimitError

log = []


@pytest.fixture(autouse=True)
def _empty_log():
    log.clear()


class Child(Job):
    def perform(self):
        log.append("child")


class Parent(Job):
    def perform(self):
        log.append("parent begins")
        Child.perform_later()
        log.append("parent ends")


@retry_on(ConnectionError, wait=2, attempts=3)
class Flaky(Job):
    def perform(self):
        log.append(self.attempt)
        raise ConnectionError(f"attempt {self.attempt}")


@retry_on(ConnectionError, wait=0, attempts=3)
class FlakyAtOnce(Flaky):
    pass


class Halted(Job):
    @before_perform
    def halt(self):
        raise Halt

    def perform(self):
        log.append("performed")


class Note(Job):
    def perform(self, text="a note"):
        if text == "raise":
            raise ValueError(text)
        log.append(text)


class Countdown(Job):
    def perform(self, left):
        if left:
            Countdown.perform_later(left - 1)


class Again(Job):
    def perform(self):
        Again.perform_later()


class Bulk(Job):
    def perform(self, count):
        perform_all_later(Note.new(f"note {number}") for number in range(count))


# What a job enqueues is performed after it


def test_p22_a_child_is_performed_after_its_parent_and_not_inside_it(jobs):
    with jobs.inline():
        Parent.perform_later()

    assert log == ["parent begins", "parent ends", "child"]
    assert [delivery.record.job for delivery in jobs.performed] == [Parent, Child]


def test_p22_one_pass_leaves_the_children_to_the_next(jobs):
    Parent.perform_later()

    assert jobs.perform_due(children=False).total == 1
    assert [record.job for record in jobs.pending] == [Child]
    assert jobs.perform_due(children=False).total == 1
    assert jobs.perform_due(children=False).total == 0


# Retries


def test_p23_retries_are_counted_and_the_last_error_is_raised(jobs):
    FlakyAtOnce.perform_later()

    with pytest.raises(ConnectionError, match="attempt 3"):
        jobs.drain()
    assert log == [1, 2, 3]
    assert [d.status for d in jobs.deliveries] == ["retried", "retried", "exhausted"]
    assert jobs.pending == []


def test_p23_retries_at_once_are_performed_inline_and_later_ones_wait(jobs):
    with pytest.raises(ConnectionError, match="attempt 3"), jobs.inline():
        FlakyAtOnce.perform_later()
        Flaky.perform_later()

    assert log == [1, 2, 3, 1]
    assert [record.attempt for record in jobs.scheduled] == [2]


def test_p23_each_delivery_keeps_the_number_of_its_own_attempt(jobs):
    FlakyAtOnce.perform_later()
    jobs.drain(raise_errors=False)

    assert [delivery.record.attempt for delivery in jobs.deliveries] == [1, 2, 3]
    assert len({delivery.record.job_id for delivery in jobs.deliveries}) == 1


@pytest.mark.parametrize("verb", ["inline", "drain"])
def test_p23_a_retry_in_another_queue_is_not_of_the_filter(jobs, verb):
    @retry_on(ConnectionError, wait=0, queue="b")
    class Moving(Flaky):
        queue = "a"

    with jobs.inline(queue="a") if verb == "inline" else jobs.capture():
        Moving.perform_later()
    if verb == "drain":
        jobs.drain(queue="a")

    assert log == [1]
    assert [(record.queue, record.attempt) for record in jobs.pending] == [("b", 2)]


# A retry that is not due


def test_p24_a_retry_waits_for_the_clock(noon, jobs):
    with jobs.inline():
        Flaky.perform_later()

    assert [delivery.status for delivery in jobs.deliveries] == ["retried"]
    assert [record.due_at for record in jobs.pending] == [noon + timedelta(seconds=2)]


# What does not count as performed


def test_p25_a_halted_job_is_not_performed(jobs, assert_not_performed, assert_enqueued):
    Halted.perform_later()
    jobs.drain()

    assert [delivery.status for delivery in jobs.deliveries] == ["halted"]
    assert_not_performed(Halted)
    assert_enqueued(Halted)
    assert log == []


def test_p25_performing_now_counts_nowhere(jobs, assert_not_enqueued, assert_not_performed):
    Note.perform_now("now")

    assert log == ["now"]
    assert_not_enqueued()
    assert_not_performed()
    assert jobs.deliveries == []


# An error on the way


def test_p26_what_stands_behind_an_error_stays_pending(jobs):
    for text in ("first", "raise", "last"):
        Note.perform_later(text)

    with pytest.raises(ValueError, match="raise"):
        jobs.drain()
    assert [d.status for d in jobs.deliveries] == ["performed", "failed"]
    assert [record.args for record in jobs.pending] == [("last",)]

    jobs.drain()
    assert log == ["first", "last"]


# A block inside a block


def test_p27_an_inner_block_has_filters_of_its_own(jobs):
    with jobs.inline(only=Child):
        Note.perform_later("outer, left alone")
        with jobs.inline():
            Note.perform_later("inner")
        Note.perform_later("outer again, left alone")
        Child.perform_later()

    assert log == ["inner", "child"]
    assert len(jobs.pending) == 2


# Chains


def test_p28_a_chain_is_performed_to_its_end(jobs):
    with jobs.inline():
        Countdown.perform_later(5)

    assert [delivery.record.args[0] for delivery in jobs.performed] == [5, 4, 3, 2, 1, 0]


def test_p28_a_chain_takes_one_pass_for_each_link(jobs):
    Countdown.perform_later(3)

    passes = 0
    while jobs.perform_due(children=False).total:
        passes += 1
    assert passes == 4


@pytest.mark.parametrize("verb", ["inline", "drain", "perform_due"])
def test_p28_a_job_that_enqueues_itself_for_ever_is_named(jobs, verb):
    def perform():
        if verb == "inline":
            with jobs.inline():
                Again.perform_later()
        else:
            Again.perform_later()
            getattr(jobs, verb)(limit=100)

    with pytest.raises(LoopLimitError, match="were Again, which most likely enqueues itself"):
        perform()


# Many at once


def test_p29_many_at_once_are_performed_one_by_one(jobs, assert_performed):
    with jobs.inline():
        perform_all_later([Note.new("a"), Child.new(), Note.set(queue="low").new("b")])

    assert log == ["a", "child", "b"]
    assert len(assert_performed(Note, count=2)) == 2


def test_p29_so_are_those_that_a_job_enqueues(jobs):
    with jobs.inline():
        Bulk.perform_later(2)

    assert log == ["note 0", "note 1"]


# What is performed at once was enqueued all the same


def test_p30_what_is_performed_inline_was_enqueued(jobs, assert_enqueued, assert_performed):
    with jobs.inline(), jobs.capture() as sent:
        Note.perform_later("a")
        Note.perform_later("b")

    assert_enqueued(Note, count=2, within=sent)
    assert_performed(Note, count=2, within=sent)
