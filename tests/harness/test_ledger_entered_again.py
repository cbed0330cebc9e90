"""A signal handler may enqueue while its own thread is in the middle of an enqueue."""

from __future__ import annotations

import signal
import sys

import pytest

from pytest_jobs import job
from pytest_jobs.harness.ledger import ledger as ledger_module
from pytest_jobs.harness.ledger.ledger import Ledger
from pytest_jobs.harness.ledger.selection import Selection
from pytest_jobs.harness.records.targets import Targets
from pytest_jobs.harness.time.clock import VirtualClock

EVERYTHING = Selection(Targets(()))


@job
def note(number):
    pass


class Interrupter:
    """Calls a function once, at one of the bytecode instructions that run in the module of the ledger."""

    def __init__(self, at, interrupt):
        self._left = at
        self._interrupt = interrupt
        self.came = False

    def __enter__(self):
        self._before = sys.gettrace()
        # Python 3.12 reports instructions only if a frame had asked for them before.
        sys._getframe().f_trace_opcodes = True
        sys.settrace(self._trace)
        return self

    def __exit__(self, *error):
        sys.settrace(self._before)

    def _trace(self, frame, event, argument):
        if self.came or frame.f_code.co_filename != ledger_module.__file__:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            self._left -= 1
            if self._left < 0:
                self.came = True
                self._interrupt()
        return self._trace


def _at_each_instruction(make):
    """Yield what each interruption left, for one instruction after the other."""
    at = 0
    while True:
        change, interrupt, found = make()
        with Interrupter(at, interrupt) as interrupter:
            change()
        if not interrupter.came:
            assert at > 20
            return
        yield found()
        at += 1


def test_an_enqueue_within_an_enqueue_gets_a_number_of_its_own(make_record):
    def make():
        ledger = Ledger(VirtualClock())
        first, late = make_record("a"), make_record("b")
        return (
            lambda: ledger.added(first),
            lambda: ledger.added(late),
            lambda: (ledger, first, late),
        )

    for ledger, first, late in _at_each_instruction(make):
        assert sorted((first.sequence, late.sequence)) == [0, 1]
        assert [record.sequence for record in ledger.records] == [0, 1]
        assert ledger.events == ledger.records
        assert ledger.named("a") == [first]
        assert ledger.named("b") == [late]
        assert {ledger.take(EVERYTHING), ledger.take(EVERYTHING)} == {first, late}


def test_an_enqueue_while_a_record_is_taken_is_neither_lost_nor_taken_twice(make_record):
    def make():
        ledger = Ledger(VirtualClock())
        first, late = make_record("a"), make_record("b")
        ledger.added(first)
        taken = []
        return (
            lambda: taken.append(ledger.take(EVERYTHING)),
            lambda: ledger.added(late),
            lambda: (ledger, taken, first, late),
        )

    for ledger, taken, first, late in _at_each_instruction(make):
        assert taken == [first]
        assert ledger.take(EVERYTHING) is late
        assert ledger.take(EVERYTHING) is None


def test_every_record_is_announced_once_whenever_it_was_added(make_record):
    def make():
        ledger = Ledger(VirtualClock())
        first, late, announced = make_record("a"), make_record("b"), []
        ledger.listen(announced.append)
        return (
            lambda: ledger.added(first),
            lambda: ledger.added(late),
            lambda: (announced, first, late),
        )

    for announced, first, late in _at_each_instruction(make):
        assert sorted(announced, key=id) == sorted((first, late), key=id)


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="Windows has no such signal")
def test_a_signal_handler_enqueues(jobs):
    def handle(number, frame):
        note.perform_later(-1)

    before = signal.signal(signal.SIGUSR1, handle)

    def interrupt():
        signal.raise_signal(signal.SIGUSR1)

    try:
        for at in range(0, 60, 7):
            with Interrupter(at, interrupt):
                note.perform_later(at)
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert [record.sequence for record in jobs.enqueued] == list(range(18))
    jobs.drain()
    assert len(jobs.performed) == 18
