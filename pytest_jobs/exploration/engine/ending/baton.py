"""The threads of one delivery, which go on one at a time and end together."""

from __future__ import annotations

import contextvars
import math
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Final, TypeVar

from ....harness.time.waiting import comes_about
from . import signs

T = TypeVar("T")

#: When the threads of a dead delivery have stood still for so many real seconds, those that wait are woken.
_STILL: Final = 0.1
#: How long the first part of a wait for the end of a thread takes, in real seconds, and the longest one.
_PART: Final = 0.02
_LONGEST_PART: Final = 0.5


class _Here(threading.local):
    """The delivery to which this thread belongs."""

    baton: Baton | None = None


_here: Final = _Here()


class _Condition(threading.Condition):
    """A condition of ours: that a thread waits for it lets no other thread go on."""

    # What deliveries call is replaced.
    wait = threading.Condition.wait


class Baton:
    """Lets one thread of a delivery go on until it waits or ends, and then another one.

    What a delivery hands over to another thread, and waits for, is the delivery. Whoever begins a thread waits
    until that thread waits or has ended, so that the points of all of them come in the same order each time. Only
    calls of Python are known as waiting: a thread that waits in C, for a lock for example, keeps the baton as long
    as it shows signs of life.
    """

    def __init__(
        self,
        pulse: Callable[[], object],
        death: type[BaseException],
        works_in: Callable[[FrameType | None], bool],
    ) -> None:
        """Give it to the current thread.

        Args:
            pulse: returns a value that changes as long as the delivery goes on.
            death: is raised in the threads that wait when the delivery is dead.
            works_in: returns whether code of the job stands in a frame or below it.
        """
        self._pulse = pulse
        self._death = death
        self._works_in = works_in
        self._owner = threading.get_ident()
        #: The threads that belong to the delivery.
        self._members: set[int] = set()
        #: Whether a thread has ever waited for it.
        self._is_shared = False
        self._changed = _Condition()
        #: The thread that has it, or what stands for a function until its thread comes; None if nobody has it.
        self._holder: object = self._owner
        #: The threads that wait for it, in the order in which they came.
        self._parked: list[int] = []
        #: The threads that wait for something else, each with its condition; None for the end of a thread.
        self._waiting: dict[int, threading.Condition | None] = {}
        #: The threads that have waited, and have not asked for it since.
        self._awake: set[int] = set()
        #: The threads that have been woken, since the delivery is dead.
        self._woken: set[int] = set()
        #: The functions that were handed over and have not ended, each with the pool that runs it.
        self.begun: dict[object, tuple[Callable[..., object], object]] = {}
        #: Whether a function that was handed over waits until somebody waits.
        self.is_late = False
        #: Whether two threads have gone on at once after they had waited, so that their order is one of several.
        self.was_contested = False
        self._is_dying = False
        #: Whether the delivery has ended, so that none of its threads waits for another one.
        self.is_over = False

    def begin(self) -> Baton | None:
        """Give it to this thread, which begins a part of the delivery; return the one that it had before."""
        self._holder = threading.get_ident()
        return self._belong()

    def leave(self, before: Baton | None) -> None:
        """Take it from this thread, which gets the one back that it had before."""
        self.let_go()
        self._members.discard(threading.get_ident())
        _here.baton = before

    def _belong(self) -> Baton | None:
        before, _here.baton = _here.baton, self
        self._members.add(threading.get_ident())
        return before

    def kept(self, do: Callable[[], T]) -> T:
        """Call a function that does no part of the job: that it waits lets no thread of the delivery go on."""
        before, _here.baton = _here.baton, None
        try:
            return do()
        finally:
            _here.baton = before

    def take(self) -> None:
        """Wait until no other thread of the delivery goes on."""
        thread = threading.get_ident()
        if self._holder == thread or self.is_over:
            return

        def is_free() -> bool:
            return self.is_over or self._holder in (None, thread)

        with self._changed:
            self.was_contested |= thread in self._awake and not self._awake.isdisjoint(self._parked)
            self._is_shared = True
            self._parked.append(thread)
            self._changed.notify_all()
            while not self._comes(is_free):
                self._give_to_next()
            self._parked.remove(thread)
            self._awake.discard(thread)
            self._holder = thread
        self._belong()

    def is_elsewhere(self) -> bool:
        """Return whether another thread has it, or is about to."""
        return self._holder not in (None, threading.get_ident())

    def let_go(self) -> None:
        """Let another thread go on, since this one waits or ends."""
        if self._holder == threading.get_ident():
            with self._changed:
                self._give_to_next()

    def hand_over(
        self,
        function: Callable[..., T],
        begin: Callable[[Callable[..., T]], Any],
        pool: object = None,
        workers: float = math.inf,
    ) -> Any:
        """Begin a function in another thread, and wait until it has ended or waits.

        Args:
            function: runs there.
            begin: gets what to run there in its place.
            pool: runs it.
            workers: how many functions the pool runs at a time.
        """
        token = object()
        has_come = False

        def run(*args: Any, **kwargs: Any) -> T:
            nonlocal has_come
            before = self._belong()
            try:
                with self._changed:
                    has_come = True
                    if self._holder is token:
                        self._holder = threading.get_ident()
                    self._changed.notify_all()
                self.take()
                return function(*args, **kwargs)
            finally:
                self.begun.pop(token, None)
                self.leave(before)

        self.take()
        is_full = sum(of is pool for _, of in self.begun.values()) >= workers
        self.begun[token] = function, pool
        if is_full:
            return begin(run)
        if not self.is_late:
            self._holder = token
        try:
            begun = begin(run)
        except BaseException:
            self.begun.pop(token, None)
            self._holder = threading.get_ident()
            raise
        if self.is_late:
            with self._changed:
                self._comes(lambda: has_come)
        self.take()
        return begun

    def wait_for_begun(self) -> None:
        """Wait until all functions that were handed over have ended, or wait themselves."""
        self.let_go()
        with self._changed:
            comes_about(
                lambda seconds: self._changed.wait_for(lambda: not self.begun, seconds),
                _STILL,
                self._life,
            )
        self.take()

    @contextmanager
    def waiting(self, condition: threading.Condition | None) -> Generator[None, None, None]:
        """Let other threads go on, for a block in which this one waits. It raises if it was woken."""
        thread = threading.get_ident()
        self._waiting[thread] = condition
        self.let_go()
        try:
            yield
        finally:
            self._waiting.pop(thread, None)
            self._awake.add(thread)
        if self.is_woken():
            self._woken.discard(thread)
            raise self._death

    def is_woken(self) -> bool:
        """Return whether this thread is not to wait any more, since its delivery is dead."""
        return threading.get_ident() in self._woken

    def die(self) -> None:
        """Wake the threads that wait as soon as nothing goes on: what they wait for does not come any more."""
        if not self._is_dying and (self.begun or self._waiting or self._parked):
            self._is_dying = True
            waker = threading.Thread(target=self._wake, name="pytest-jobs-waker", daemon=True)
            # In a context of its own, in which no delivery runs.
            self.kept(lambda: contextvars.Context().run(waker.start))

    def _wake(self) -> None:
        until = time.monotonic() + signs.PATIENCE
        while not comes_about(self._ends, _STILL, self._life):
            holder = self._holder
            answers = isinstance(holder, int) and signs.waits_for_outside(holder)
            is_late = not answers or time.monotonic() > until
            # The thread that makes the delivery may wait for the others.
            if is_late and not self._wake_waiting(but=self._owner):
                self._wake_waiting()

    def _ends(self, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self.is_over, seconds)

    def _wake_waiting(self, but: int | None = None) -> bool:
        """Wake threads that wait in code of the job; return whether there are any."""
        woken = False
        for thread, condition in list(self._waiting.items()):
            # A thread of a library that has nothing to do is used again.
            # Nothing keeps all frames: with this one among them they would be a cycle, and live on.
            if thread == but or not self._works_in(sys._current_frames().get(thread)):
                continue
            woken = True
            self._woken.add(thread)
            for waiter in list(getattr(condition, "_waiters", ())):
                with suppress(RuntimeError):
                    waiter.release()
        return woken

    def end(self) -> None:
        """Let no thread of the delivery wait any more: it has ended."""
        with self._changed:
            self.is_over = True
            self._changed.notify_all()
        if self._wake_waiting() or self.begun:
            with self._changed:
                comes_about(
                    lambda seconds: self._changed.wait_for(lambda: not self.begun, seconds), _STILL
                )

    def _give_to_next(self) -> None:
        self._holder = self._parked[0] if self._parked else None
        if self._is_shared:
            self._changed.notify_all()

    def _comes(self, what: Callable[[], bool]) -> bool:
        """Wait for something; return False if the thread that has the baton shows no signs of life any more."""

        def wait(seconds: float) -> bool:
            return self._changed.wait_for(what, seconds)

        holder = self._holder
        if isinstance(holder, int) and not signs.waits_for_outside(holder):
            # It waits for a lock of the job, or computes.
            return comes_about(wait, _STILL, self._life)
        if isinstance(holder, int):
            return comes_about(wait, signs.PATIENCE, self._life)
        # A function whose thread does not come, as in a pool that is broken: the watchdog has no more patience.
        return comes_about(wait, signs.PATIENCE / 2, self._life)

    def _life(self) -> object:
        return self._pulse(), self._holder, list(map(signs.computed, list(self._members)))


def _baton() -> Baton | None:
    """Return the baton of the delivery to which this thread belongs, as long as it goes on."""
    baton = _here.baton
    return None if baton is None or baton.is_over else baton


def waiting(wait: Callable[..., T]) -> Callable[..., T]:
    """Return a method of a condition that waits as another one does, while other threads of the delivery go on."""

    def waited(condition: threading.Condition, timeout: float | None = None) -> T:
        baton = _baton()
        if baton is None or timeout == 0:
            return wait(condition, timeout)
        with baton.waiting(condition):
            return wait(condition, timeout)

    return waited


def joining(join: Callable[..., None]) -> Callable[..., None]:
    """Return a method that waits for the end of a thread, while other threads of the delivery go on."""

    def joined(thread: threading.Thread, timeout: float | None = None) -> None:
        baton = _baton()
        if baton is None or not thread.is_alive():
            join(thread, timeout)
            return
        with baton.waiting(None):
            until = math.inf if timeout is None else time.monotonic() + timeout
            part = _PART
            while thread.is_alive() and not baton.is_woken():
                left = min(part, until - time.monotonic())
                if left < 0:
                    return
                join(thread, left)
                # Few of them in all: computing is a sign of life.
                part = min(2 * part, _LONGEST_PART)

    return joined


def selecting(select: Callable[..., T]) -> Callable[..., T]:
    """Return a method that waits for files as another one does, while other threads of the delivery go on."""

    def selected(selector: Any, timeout: float | None = None) -> T:
        baton = _baton()
        if baton is not None and timeout != 0:
            baton.let_go()
        return select(selector, timeout)

    return selected
