"""The cases of ActiveJob's `callbacks_test`."""

import pytest

from pytest_jobs import (
    Halt,
    Job,
    after_enqueue,
    after_perform,
    around_enqueue,
    around_perform,
    before_enqueue,
    before_perform,
)


class Greet(Job):
    history = []  # noqa: RUF012
    halt_enqueue = False
    halt_perform = False

    @before_enqueue
    def about_to_enqueue(self):
        self.history.append("before enqueue")
        if self.halt_enqueue:
            raise Halt

    @around_enqueue
    def enqueueing(self):
        self.history.append("around enqueue start")
        yield
        self.history.append("around enqueue stop")

    @after_enqueue
    def enqueued_now(self):
        self.history.append("after enqueue")

    @before_perform
    def about_to_perform(self):
        self.history.append("before perform")
        if self.halt_perform:
            raise Halt

    @around_perform
    def performing(self):
        self.history.append("around perform start")
        yield
        self.history.append("around perform stop")

    @after_perform
    def performed(self):
        self.history.append("after perform")

    def perform(self):
        self.history.append("perform")


@pytest.fixture(autouse=True)
def history(monkeypatch):
    monkeypatch.setattr(Greet, "history", [])
    return Greet.history


def test_c1_all_callbacks_of_perform_run(history):
    Greet.perform_now()

    assert history == [
        "before perform",
        "around perform start",
        "perform",
        "after perform",
        "around perform stop",
    ]


def test_c2_all_callbacks_of_enqueue_run(jobs, history):
    Greet.perform_later()

    assert history == [
        "before enqueue",
        "around enqueue start",
        "after enqueue",
        "around enqueue stop",
    ]


def test_c4_what_perform_returns_comes_out_of_the_yield(jobs):
    class Count(Job):
        seen = []  # noqa: RUF012

        @around_perform
        def look(self):
            self.seen.append((yield))

        def perform(self):
            return 123

    Count.perform_later()
    jobs.drain()

    assert Count.seen == [123]
    assert jobs.performed[0].result == 123


def test_c5_a_halt_before_enqueue_is_told_by_the_job_that_is_returned(jobs, monkeypatch):
    monkeypatch.setattr(Greet, "halt_enqueue", True)
    greeting = Greet.perform_later()

    assert isinstance(greeting, Greet)
    assert not greeting.enqueued
    assert isinstance(greeting.enqueue_error, Halt)
    assert jobs.enqueued == []


def test_c6_after_enqueue_does_not_run_when_the_enqueue_was_halted(jobs, history, monkeypatch):
    monkeypatch.setattr(Greet, "halt_enqueue", True)
    Greet.perform_later()

    assert history == ["before enqueue"]


def test_c7_neither_perform_nor_after_perform_runs_when_the_job_was_halted(
    jobs, history, monkeypatch
):
    monkeypatch.setattr(Greet, "halt_perform", True)
    Greet.perform_later()
    history.clear()

    assert jobs.drain() == {"halted": 1}
    assert history == ["before perform"]


def test_c8_an_enqueue_that_succeeds_returns_the_job_itself(jobs):
    greeting = Greet.new()

    assert greeting.enqueue() is greeting
    assert greeting.enqueued
    assert greeting.enqueue_error is None
