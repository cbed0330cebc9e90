"""The event loop that performs coroutine jobs for the synchronous verbs.

Its time is the virtual clock: when nothing is ready, the clock jumps to the next timer. The loop
waits in real time only for sockets and threads, since each of them may wake it before the timer.

This module imports asyncio at its top, so it is imported only when a coroutine is run.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
import selectors
import sys
import threading
import warnings
import weakref
from collections.abc import Awaitable, Callable, Generator, Mapping
from concurrent.futures import Executor, thread as executor_threads
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar, TypeVarTuple, Unpack

from ...errors import JobsError, RealSleepWarning
from ..records.instants import duration_ns
from ..records.record import current_record
from .clock import LoopClock

#: Runs what is submitted to an executor, one after the other.
_WORKER = vars(executor_threads)["_worker"].__code__

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

#: How long an open connection without incoming data, or another thread, may delay a jump, in real seconds.
_GRACE_SECONDS = 0.25
#: How long tasks may take to end that were cancelled, in real seconds.
_SETTLING_SECONDS = 10
#: The loop's own wake-up pipe.
_OWN_FILES = 1
_NANOSECOND = 1e-9


class OwnLoop:
    """Runs coroutines to their end, one at a time."""

    def __init__(self, clock: LoopClock) -> None:
        self._runner = asyncio.Runner(loop_factory=lambda: VirtualLoop(clock))
        self._is_stuck = False

    def run(self, awaitable: Awaitable[T]) -> T:
        """Run an awaitable to its end and return its result."""

        async def await_it() -> T:
            return await awaitable

        # Not the runner's own `run`: its handling of SIGINT takes longer than a small job.
        loop = self._runner.get_loop()
        task = loop.create_task(await_it(), context=contextvars.copy_context())
        try:
            return loop.run_until_complete(task)
        except BaseException:
            task.cancel()
            raise

    def settle(self) -> None:
        """Cancel the tasks that are left, and keep the loop for the next coroutine.

        Raises:
            JobsError: when one of them goes on for ten seconds, such as one that waits for a thread.
        """
        loop = self._runner.get_loop()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if not tasks:
            return
        given_up = loop.create_future()
        timer = threading.Timer(_SETTLING_SECONDS, loop.call_soon_threadsafe, [given_up.cancel])
        timer.daemon = True
        timer.start()
        ended = asyncio.gather(*tasks, return_exceptions=True)
        first = asyncio.wait([ended, given_up], return_when=asyncio.FIRST_COMPLETED)
        try:
            loop.run_until_complete(first)
        finally:
            timer.cancel()
        left = sorted(str(task.get_coro()) for task in tasks if not task.done())
        self._is_stuck = bool(left)
        if left:
            raise JobsError(
                f"A job has left {left[0]} behind, which goes on {_SETTLING_SECONDS} seconds after it was "
                "cancelled: it catches the cancellation, or waits for a thread that does not answer. Await it in "
                "the job, or let it end when it is cancelled."
            )

    def close(self) -> None:
        """Cancel the tasks that are left, and close the loop."""
        if asyncio._get_running_loop() is None:
            self._close()
        else:  # A loop does not run inside another one, only in another thread.
            closer = threading.Thread(target=self._close)
            closer.start()
            closer.join()

    def _close(self) -> None:
        try:
            if not self._is_stuck:
                self.settle()
        finally:
            # The runner would wait without end for a task that cannot be cancelled.
            (self._runner.get_loop() if self._is_stuck else self._runner).close()


def resolution(seconds: float) -> float:
    """Return how near a timer of a loop must be to be due at a time.

    When the clock has travelled for months, a float no longer shows a nanosecond, and a timer that
    must be as near as that would never be due.
    """
    return max(_NANOSECOND, 2 * math.ulp(seconds))


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose time is the virtual clock."""

    def __init__(self, clock: LoopClock) -> None:
        self._virtual_clock = clock
        self._threads = LoopThreads()
        super().__init__(JumpingSelector(clock, self._threads))

    def time(self) -> float:
        seconds = self._virtual_clock.travelled_ns / 1_000_000_000
        self._clock_resolution = resolution(seconds)
        return seconds

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        return self._threads.running(super().run_in_executor(executor, func, *args))

    def call_soon_threadsafe(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        self._threads.note_speaker()
        return super().call_soon_threadsafe(callback, *args, context=context)

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - its parent has it
        # Without the timeout, which is a timer: the clock would jump to it while the threads end.
        await super().shutdown_default_executor()


class LoopThreads:
    """The threads that may wake a loop: time may jump only when none of them can still speak.

    Of a function in an executor the loop knows when it ends. Of other threads, such as that of a connection of
    aiosqlite or of an SDK, it knows nothing. A new one has one grace in which to call into the loop. If it stays
    silent, it is no longer waited for; one that has spoken is waited for each time.
    """

    def __init__(self) -> None:
        """Take the threads that run now for silent ones."""
        self._busy = 0
        self._silent: weakref.WeakSet[threading.Thread] = weakref.WeakSet(threading.enumerate())
        self._speakers: weakref.WeakSet[threading.Thread] = weakref.WeakSet()

    @property
    def any_busy(self) -> bool:
        """Whether a function of the loop runs in an executor."""
        return self._busy > 0

    def running(self, future: asyncio.Future[T]) -> asyncio.Future[T]:
        """Wait for a function in an executor until its future is done; return the future."""
        self._busy += 1
        future.add_done_callback(self._ended)
        return future

    def _ended(self, future: object) -> None:
        self._busy -= 1

    def note_speaker(self) -> None:
        """Note that the current thread calls into the loop."""
        if asyncio._get_running_loop() is None:
            self._speakers.add(threading.current_thread())

    @property
    def may_speak(self) -> bool:
        """Whether a thread may wake the loop that was silent so far, or that has spoken and is at work."""
        frames = sys._current_frames()
        return any(
            (thread in self._speakers or thread not in self._silent)
            and not _waits_for_work(frames.get(thread.ident or 0))
            for thread in threading.enumerate()
        )

    def end_grace(self) -> None:
        """Wait no longer for the threads that have not spoken."""
        self._silent.update(threading.enumerate())


def _waits_for_work(frame: FrameType | None) -> bool:
    """Return whether a function of a thread is that of an executor, which has nothing to do."""
    return frame is not None and frame.f_code is _WORKER


class JumpingSelector(selectors.BaseSelector):
    """Waits for files as another selector does, and moves the clock where that would wait for a timer."""

    def __init__(
        self,
        clock: LoopClock,
        threads: LoopThreads,
        real: selectors.BaseSelector | None = None,
    ) -> None:
        self._clock = clock
        self._threads = threads
        self._real = selectors.DefaultSelector() if real is None else real

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None and not self._threads.any_busy and not self._has_files():
            return self._until_woken()
        if timeout is None or timeout <= 0:
            return self._real.select(timeout)
        wait = timeout
        if not self._threads.any_busy and not self._clock.suspended:
            is_alone = not self._has_files() and not self._threads.may_speak
            wait = 0 if is_alone else min(timeout, _GRACE_SECONDS)
        ready = self._real.select(wait)
        if not ready and wait:
            self._threads.end_grace()
        if not ready and self._clock.suspended:
            self._clock.travelled_ns += duration_ns(timeout)
        elif not ready:
            self._clock.advance_ns(duration_ns(timeout))
        return ready

    def _until_woken(self) -> list[tuple[selectors.SelectorKey, int]]:
        # A function of its own, so that `until_woken` can recognise its frame.
        return self._real.select(None)

    def _has_files(self) -> bool:
        return len(self._real.get_map()) > _OWN_FILES


def until_woken(frame: FrameType) -> bool:
    """Return whether a frame is of a loop that waits without timers, files or threads of its own.

    All its coroutines wait for each other, or for other threads to wake them.
    """
    return frame.f_code is JumpingSelector._until_woken.__code__


@contextmanager
def warned_sleeps() -> Generator[None, None, None]:
    """Warn, for a block, of jobs that sleep on the test's own loop, which takes real time."""
    loop = asyncio._get_running_loop()
    if loop is None:
        yield  # Another library's loop, such as trio's.
        return
    watch = vars(loop).get("call_later")
    if not isinstance(watch, _SleepWatch):
        watch = _SleepWatch(loop)
        setattr(loop, "call_later", watch)  # noqa: B010 - the two checkers disagree about an assignment
    watch.deliveries += 1
    try:
        yield
    finally:
        watch.deliveries -= 1
        if not watch.deliveries:
            delattr(loop, "call_later")


class _SleepWatch:
    """Replaces a loop's `call_later` while jobs are performed on it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._call_later = loop.call_later
        # None when a test has replaced `asyncio.sleep` by something else.
        self._sleep_code = getattr(asyncio.sleep, "__code__", None)
        #: How many jobs are being performed on the loop.
        self.deliveries = 0

    def __call__(self, delay: float, *args: Any, **kwargs: Any) -> asyncio.TimerHandle:
        if sys._getframe(1).f_code is self._sleep_code and current_record.get() is not None:
            warnings.warn(
                RealSleepWarning(
                    f"A job performed on the test's own event loop sleeps for {delay} s, for real: perform it "
                    "with a synchronous verb in a test that is not async, and the sleep moves the clock instead."
                ),
                stacklevel=3,
            )
        return self._call_later(delay, *args, **kwargs)
