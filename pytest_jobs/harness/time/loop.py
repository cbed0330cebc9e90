"""The event loop that performs coroutine jobs for the synchronous verbs.

Its time is the virtual clock: when nothing is ready, the clock jumps to the next timer. The loop
waits in real time only for sockets and threads.

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
from collections.abc import Awaitable, Callable, Generator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar, TypeVarTuple, Unpack

from ...errors import RealSleepWarning
from ..records.instants import duration_ns
from ..records.record import current_record
from .clock import LoopClock

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

#: How long an open connection without incoming data may delay a jump, in real seconds.
_GRACE_SECONDS = 0.25
#: The loop's own wake-up pipe.
_OWN_FILES = 1
_NANOSECOND = 1e-9


class OwnLoop:
    """Runs coroutines to their end, one at a time."""

    def __init__(self, clock: LoopClock) -> None:
        self._runner = asyncio.Runner(loop_factory=lambda: VirtualLoop(clock))

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
        """Cancel the tasks that are left, and keep the loop for the next coroutine."""
        loop = self._runner.get_loop()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))

    def close(self) -> None:
        """Cancel the tasks that are left, and close the loop."""
        if asyncio._get_running_loop() is None:
            self._runner.close()
        else:  # A loop does not run inside another one, only in another thread.
            closer = threading.Thread(target=self._runner.close)
            closer.start()
            closer.join()


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
        self._threads_busy = 0
        super().__init__(JumpingSelector(clock, lambda: self._threads_busy > 0))

    def time(self) -> float:
        seconds = self._virtual_clock.travelled_ns / 1_000_000_000
        self._clock_resolution = resolution(seconds)
        return seconds

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        def done(future: asyncio.Future[Any]) -> None:
            self._threads_busy -= 1

        future = super().run_in_executor(executor, func, *args)
        self._threads_busy += 1
        future.add_done_callback(done)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - its parent has it
        # Without the timeout, which is a timer: the clock would jump to it while the threads end.
        await super().shutdown_default_executor()


class JumpingSelector(selectors.BaseSelector):
    """Waits for files as another selector does, and moves the clock where that would wait for a timer."""

    def __init__(
        self,
        clock: LoopClock,
        threads_busy: Callable[[], bool],
        real: selectors.BaseSelector | None = None,
    ) -> None:
        self._clock = clock
        self._threads_busy = threads_busy
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
        if timeout is None and not self._threads_busy() and not self._has_files():
            return self._until_woken()
        if timeout is None or timeout <= 0:
            return self._real.select(timeout)
        wait = timeout
        if not self._threads_busy() and not self._clock.suspended:
            wait = min(timeout, _GRACE_SECONDS) if self._has_files() else 0
        ready = self._real.select(wait)
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
