"""`capture` is a window on what is first-enqueued inside it."""

# ruff: noqa: PT012 - a harness, and a block of one, raises at its end

from collections.abc import Sequence

import pytest

from pytest_jobs import Job, job, retry_on


class Note(Job):
    def perform(self, text):
        pass


@retry_on(ValueError)
class Flaky(Job):
    def perform(self):
        raise ValueError


def texts(captured):
    return [record.args[0] for record in captured]


def test_a_capture_holds_what_was_enqueued_inside_it(jobs):
    Note.perform_later("before")
    with jobs.capture() as sent:
        Note.perform_later("a")
        Note.perform_later("b")
    Note.perform_later("after")

    assert texts(sent) == ["a", "b"]


def test_a_capture_is_live_inside_its_block(jobs):
    with jobs.capture() as sent:
        counts = [len(sent)]
        Note.perform_later("a")
        counts.append(len(sent))
        Note.perform_later("b")
        counts.append(len(sent))

    assert counts == [0, 1, 2]


def test_a_capture_is_compared_item_by_item(jobs):
    with jobs.capture() as nothing:
        pass
    with jobs.capture() as sent, jobs.capture() as same:
        Note.perform_later("a")

    assert nothing == []
    assert sent == same == [jobs.enqueued[0]] == list(sent)
    assert sent == jobs.enqueued
    assert sent != nothing
    assert sent != 5


def test_captures_can_be_nested(jobs):
    with jobs.capture() as outer:
        Note.perform_later("a")
        with jobs.capture() as inner:
            Note.perform_later("b")
        Note.perform_later("c")

    assert texts(outer) == ["a", "b", "c"]
    assert texts(inner) == ["b"]


def test_retries_and_redeliveries_are_not_captured(jobs):
    Flaky.perform_later()
    Note.perform_later("a")
    with jobs.capture() as sent:
        jobs.perform_due()
        jobs.redeliver(jobs.enqueued[1])

    assert len(jobs.pending) == 2
    assert list(sent) == []


def test_what_jobs_enqueue_inside_it_is_captured(jobs):
    @job
    def parent():
        Note.perform_later("child")

    parent.perform_later()
    with jobs.capture() as sent:
        jobs.drain()

    assert texts(sent) == ["child"]


def test_an_empty_capture(jobs):
    Note.perform_later("before")
    with jobs.capture() as sent:
        pass

    assert len(sent) == 0
    assert not sent
    assert list(sent) == []
    assert str(sent) == "captured: none"


def test_a_capture_is_a_sequence(jobs):
    with jobs.capture() as sent:
        for text in "abc":
            Note.perform_later(text)
    first, second, third = jobs.enqueued

    assert isinstance(sent, Sequence)
    assert sent[0] is first
    assert sent[-1] is third
    assert sent[1:] == (second, third)
    assert second in sent
    assert list(reversed(sent)) == [third, second, first]
    with pytest.raises(IndexError):
        sent[3]


def test_a_capture_prints_as_a_table(jobs):
    with jobs.capture() as sent:
        Note.perform_later("a")

    assert str(sent) == (
        "captured: 1\n"
        "#  job   arguments  queue    wait  attempt  state\n"
        "0  Note  'a'        default  -     1        pending"
    )


def test_a_capture_ends_with_its_block_also_when_the_block_raises(jobs):
    with pytest.raises(KeyError), jobs.capture() as sent:
        Note.perform_later("a")
        raise KeyError
    Note.perform_later("after")

    assert texts(sent) == ["a"]


def test_a_capture_can_be_entered_again(jobs):
    capture = jobs.capture()
    with capture:
        Note.perform_later("a")
    with capture:
        Note.perform_later("b")

    assert texts(capture) == ["b"]


def test_a_capture_that_is_not_entered_begins_where_it_was_made(jobs):
    Note.perform_later("before")
    sent = jobs.capture()
    Note.perform_later("a")

    assert texts(sent) == ["a"]


def test_what_was_looked_at_through_a_capture_was_seen(jobs):
    with jobs.capture() as sent:
        Note.perform_later("a")
        Note.perform_later("b")
    len(sent)
    str(sent)
    sent.peek()
    before = [record.seen for record in jobs.ledger.records]
    sent[1]

    assert before == [False, False]
    assert [record.seen for record in jobs.ledger.records] == [False, True]


def test_peek_returns_everything_captured(jobs):
    with jobs.capture() as sent:
        Note.perform_later("a")

    assert sent.peek() == tuple(jobs.ledger.records)
