"""A ledger and a stretch of time of their own, dropped afterwards."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager

from .bridge import Bridge
from .clock import VirtualClock
from .ledger import Ledger
from .record import current_record


@contextmanager
def sandbox(bridges: Sequence[Bridge], clock: VirtualClock) -> Generator[Ledger, None, None]:
    """Let every bridge report to a fresh ledger for a block.

    At its end the ledger is dead, the bridges report to where they did before, and the clock is
    back at where it was.
    """
    ledger = Ledger(clock)
    token = current_record.set(None)
    with ExitStack() as stack:
        stack.callback(current_record.reset, token)
        stack.enter_context(clock.excursion())
        for bridge in bridges:
            stack.enter_context(bridge.sandbox(ledger))
        stack.callback(ledger.die)
        yield ledger
