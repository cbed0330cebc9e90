"""Interrupts deliveries that would never end."""

from __future__ import annotations

import contextlib
import contextvars
import ctypes
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Final

from .ending import signs
from .ending.leaving import frames_of_delivery, is_ours
from .watching import Watch

_LOOKS: Final = 8
#: A delivery that must not be left where it is, in an `__exit__` for example, gets so many more looks.
_GRACE: Final = 4
#: Real time is this many times as long as the time of computing, since a machine may be busy.
_WALL: Final = 6


#: Called with how a delivery goes on without an end, and with the functions in which it stands.
OnHang = Callable[[str, list[FrameType]], None]


@dataclass(eq=False)
class _Guarded:
    """One delivery that is being made, or one of ours that is not to be interrupted meanwhile."""

    watch: Watch | None
    on_hang: OnHang | None
    thread: int = field(default_factory=threading.get_ident)
    progress: object = None
    still: int = 0
    #: How long it has run: not counting the time in which another delivery was made at one of its points.
    seconds: float = 0.0
    computed: float = 0.0
    fired: int = 0


class Watchdog:
    """Looks at the delivery that the thread of a check makes, several times a second.

    A delivery that waits without a sign of life, or computes for too long, is given up: it ends at its
    next line. If it comes to none, an exception is raised where it stands.
    """

    def __init__(self, seconds: float, death: type[BaseException]) -> None:
        self._seconds = seconds
        self._death = death
        self._guarded: list[_Guarded] = []
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._owner = threading.get_ident()
        self._before: Any = None
        self._by_signal = False
        #: A system ignores this signal unless a program asks for it, so that one that comes late does no harm.
        self._signal: signal.Signals | None = getattr(signal, "SIGURG", None)
        self._computed_before = 0.0

    @contextmanager
    def on_duty(self) -> Generator[None, None, None]:
        """Be ready for a block, in the thread that makes the deliveries."""
        self._owner = threading.get_ident()
        if self._signal is not None and threading.current_thread() is threading.main_thread():
            self._before = signal.signal(self._signal, self._interrupt)
            self._by_signal = True
        try:
            yield
        finally:
            self._over.set()
            if self._thread is not None:
                self._thread.join()
            if self._by_signal and self._signal is not None:
                signal.signal(
                    self._signal, signal.SIG_DFL if self._before is None else self._before
                )

    def guarding(self, watch: Watch, on_hang: OnHang) -> AbstractContextManager[None]:
        """Interrupt a delivery that this thread makes in a block, if it goes on without an end.

        `on_hang` is called before, in another thread.
        """
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._look, name="pytest-jobs-watchdog", daemon=True
            )
            # In a context of its own: the delivery that is about to begin would be that of the thread as well, and
            # what the thread reads would be read by the job.
            contextvars.Context().run(self._thread.start)
        return self._on_top(_Guarded(watch, on_hang))

    def off_duty(self) -> AbstractContextManager[None]:
        """Let nothing be interrupted in a block: at a point of a delivery, the search goes on."""
        return self._on_top(_Guarded(None, None))

    @contextmanager
    def _on_top(self, guarded: _Guarded) -> Generator[None, None, None]:
        self._guarded.append(guarded)
        try:
            yield
        finally:
            # The exception that interrupts it may come at this line as well.
            while guarded in self._guarded:
                with contextlib.suppress(self._death):
                    self._guarded.remove(guarded)

    def _look(self) -> None:
        last = time.monotonic()
        while not self._over.wait(signs.PATIENCE / _LOOKS):
            now = time.monotonic()
            # A machine that stood still for a while does not count.
            passed, last = min(now - last, 2 * signs.PATIENCE / _LOOKS), now
            guarded = self._guarded[-1] if self._guarded else None
            if guarded is not None and guarded.watch is not None:
                self._look_at(guarded, guarded.watch, passed)

    def _look_at(self, guarded: _Guarded, watch: Watch, passed: float) -> None:
        computed = signs.computed(guarded.thread)
        # A thread of the job may work while the delivery waits for it.
        progress = (watch.progress, computed, round(time.process_time(), 2))
        is_still = progress == guarded.progress
        if computed is not None and guarded.progress is not None:
            guarded.computed += computed - self._computed_before
        self._computed_before = computed or 0.0
        guarded.progress = progress
        guarded.seconds += passed
        guarded.still = guarded.still + 1 if is_still else 0
        patience = _LOOKS
        if guarded.still >= _LOOKS and signs.waits_for_outside(guarded.thread):
            patience *= signs.TIMES_OUTSIDE
        if guarded.fired:
            self._fire(guarded, watch)
        elif guarded.still >= patience:
            self._give_up(guarded, watch, "waits for something that does not come")
        elif guarded.computed > self._seconds or guarded.seconds > _WALL * max(
            self._seconds, signs.PATIENCE
        ):
            self._give_up(guarded, watch, f"has computed for more than {self._seconds:g} s")

    def _give_up(self, guarded: _Guarded, watch: Watch, how: str) -> None:
        frames = watch.standing(sys._current_frames().get(guarded.thread))
        if guarded.on_hang is not None and not watch.dead:
            guarded.on_hang(how, frames)
        watch.give_up()
        self._fire(guarded, watch)

    def _fire(self, guarded: _Guarded, watch: Watch) -> None:
        guarded.fired += 1
        if self._by_signal and self._signal is not None and guarded.thread == self._owner:
            signal.pthread_kill(self._owner, self._signal)
        elif not guarded.still:
            # Of a thread that waits for a lock, it would go off when it has the lock, before the `try`.
            raise_in(guarded.thread, self._death)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        guarded = self._guarded[-1] if self._guarded else None
        if guarded is None or guarded.watch is None or not guarded.fired:
            if callable(self._before):
                self._before(number, frame)
            return
        if frame is None or is_ours(frame.f_code) or not any(frames_of_delivery(frame)):
            return
        if guarded.watch.may_be_left(frame) or guarded.fired > _GRACE:
            raise self._death


def raise_in(thread: int, error: type[BaseException]) -> None:
    """Raise an error in another thread as soon as it runs Python code again."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error))
