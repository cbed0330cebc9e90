"""`capture` is a window on what is first-enqueued inside it."""

from collections.abc import Sequence
from contextlib import suppress

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


def test_a_capture_holds_what_was_enqueued_inside_it_by_jobs_too(jobs):
    @job
    def parent(text):
        Note.perform_later("child")

    Note.perform_later("before")
    with jobs.capture() as outer:
        counts = [len(outer)]
        parent.perform_later("a")
        counts.append(len(outer))
        with jobs.capture() as inner:
            Note.perform_later("b")
        jobs.drain()
    Note.perform_later("after")

    assert counts == [0, 1]
    assert texts(outer) == ["a", "b", "child"]
    assert texts(inner) == ["b"]


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


def test_retries_and_redeliveries_are_not_captured(jobs):
    Flaky.perform_later()
    Note.perform_later("a")
    with jobs.capture() as sent:
        jobs.perform_due()
        jobs.redeliver(jobs.enqueued[1])

    assert len(jobs.pending) == 2
    assert list(sent) == []


def test_a_capture_is_a_sequence_that_prints_as_a_table(jobs):
    with jobs.capture() as nothing:
        pass
    with jobs.capture() as sent:
        for text in "abc":
            Note.perform_later(text)
    first, second, third = jobs.enqueued

    assert isinstance(sent, Sequence)
    assert (sent[0], sent[-1], sent[1:]) == (first, third, (second, third))
    assert second in sent
    assert list(reversed(sent)) == [third, second, first]
    assert sent.peek() == tuple(jobs.harness.ledger.records)
    with pytest.raises(IndexError):
        sent[3]
    assert str(sent) == (
        "captured: 3\n"
        "#  job   arguments  queue    wait  attempt  state\n"
        "0  Note  'a'        default  -     1        pending\n"
        "1  Note  'b'        default  -     1        pending\n"
        "2  Note  'c'        default  -     1        pending"
    )
    assert (len(nothing), bool(nothing), list(nothing), str(nothing)) == (
        *(0, False),
        *([], "captured: none"),
    )


def test_a_capture_begins_where_it_was_made_or_entered_and_ends_with_its_block(jobs):
    Note.perform_later("before")
    capture = jobs.capture()
    Note.perform_later("a")
    assert texts(capture) == ["a"]

    for text in ("b", "c"):
        with suppress(KeyError), capture:
            Note.perform_later(text)
            raise KeyError
        Note.perform_later("after")
        assert texts(capture) == [text]


def test_what_was_looked_at_through_a_capture_was_seen(jobs):
    with jobs.capture() as sent:
        Note.perform_later("a")
        Note.perform_later("b")
    len(sent)
    str(sent)
    sent.peek()
    before = [record.seen for record in jobs.harness.ledger.records]
    sent[1]

    assert before == [False, False]
    assert [record.seen for record in jobs.harness.ledger.records] == [False, True]
