"""Event loops that a synchronous job runs itself, by `asyncio.run`, `run_until_complete` or `async_to_sync`.

While such a loop runs in the thread of a delivery, its time is the virtual clock, as that of our own loop is.

This module imports asyncio at its top, so it is imported only when the program has imported asyncio.
"""

from __future__ import annotations

import asyncio.selector_events
import functools
import sys
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import Context, copy_context
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary

from ..records.patches import Patches
from .clock import LoopClock
from .loop import JumpingSelector, LoopThreads, VirtualLoop, resolution

_BASE: Any = asyncio.base_events.BaseEventLoop
_SELECTING: Any = asyncio.selector_events.BaseSelectorEventLoop
_ASGIREF: Final = "asgiref.sync"
_SECOND_NS: Final = 1_000_000_000


class JobThreads(Protocol):
    """Knows which threads perform a job: see `SleepPatch`."""

    def performs_job(self) -> bool: ...

    def enter(self) -> int: ...

    def leave(self, thread: int) -> None: ...


class JobLoops:
    """Lets the loops that jobs run themselves sleep in virtual time, while a harness is open."""

    def __init__(self, threads: JobThreads, clock: LoopClock) -> None:
        """Patch nothing yet.

        Args:
            threads: says whether this thread performs a job.
            clock: is moved by the timers of the loops.
        """
        self._threads = threads
        self._clock = clock
        self._patches = Patches()
        self._knows_asgiref = False
        #: A loop that outlives the harness has the clock of the next one there.
        self._times: WeakKeyDictionary[Any, _LoopTime] = WeakKeyDictionary()

    def install(self) -> None:
        genuine = _BASE.run_forever

        @functools.wraps(genuine)
        def run_forever(loop: Any) -> None:
            # Ours already is virtual, and the loops of other systems have no selector.
            is_real = isinstance(loop, _SELECTING) and not isinstance(loop, VirtualLoop)
            if not is_real or not self._threads.performs_job():
                genuine(loop)
                return
            with self._time_of(loop).in_force(loop):
                genuine(loop)

        self._patches.set(_BASE, "run_forever", run_forever)

    def catch_up(self) -> None:
        """Patch asgiref if it has been imported since: it runs the loop of a job in another thread."""
        module = sys.modules.get(_ASGIREF)
        if module is not None and not self._knows_asgiref:
            self._knows_asgiref = True
            executor = functools.partial(_JobExecutor, self._threads)
            self._patches.set(module, "ThreadPoolExecutor", executor)

    def uninstall(self) -> None:
        self._patches.restore()
        for loop, time in self._times.items():
            time.withdraw_from(loop)

    def _time_of(self, loop: Any) -> _LoopTime:
        time = self._times.get(loop)
        if time is None:
            time = self._times[loop] = _LoopTime(loop, self._clock)
        return time


class _LoopTime:
    """The virtual time of one loop."""

    def __init__(self, loop: Any, clock: LoopClock) -> None:
        self._clock = clock
        self._threads = threads = LoopThreads()
        #: The time of the loop when the clock had not travelled. Timers that were set before stay as far away.
        self._begin = loop.time() - clock.travelled_ns / _SECOND_NS if loop._scheduled else 0.0
        genuine = loop.run_in_executor
        shutdown = loop.shutdown_default_executor
        speak = loop.call_soon_threadsafe

        def run_in_executor(executor: Any, function: Callable[..., Any], *args: Any) -> Any:
            return threads.running(genuine(executor, function, *args))

        def call_soon_threadsafe(*args: Any, **kwargs: Any) -> Any:
            threads.note_speaker()
            return speak(*args, **kwargs)

        async def shutdown_default_executor(timeout: float | None = None) -> None:  # noqa: ASYNC109 - that of asyncio has it
            # Without the timeout, which is a timer: the clock would jump to it while the threads end.
            await shutdown()

        loop.run_in_executor = run_in_executor
        loop.call_soon_threadsafe = call_soon_threadsafe
        loop.shutdown_default_executor = shutdown_default_executor

    def withdraw_from(self, loop: Any) -> None:
        """Give the loop its own methods again."""
        del loop.run_in_executor, loop.shutdown_default_executor, loop.call_soon_threadsafe

    @contextmanager
    def in_force(self, loop: Any) -> Generator[None, None, None]:
        """Let the clock be the time of the loop for a block."""

        def time() -> float:
            seconds = self._begin + self._clock.travelled_ns / _SECOND_NS
            loop._clock_resolution = resolution(seconds)
            return seconds

        before = loop._selector, loop._clock_resolution
        loop._selector = JumpingSelector(self._clock, self._threads, before[0])
        loop.time = time
        try:
            yield
        finally:
            del loop.time
            loop._selector, loop._clock_resolution = before


class _JobExecutor(ThreadPoolExecutor):
    """Runs what a job hands over to another thread, and waits for, as a part of the job."""

    def __init__(self, threads: JobThreads, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._job_threads = threads

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if not self._job_threads.performs_job():
            return super().submit(fn, *args, **kwargs)
        return super().submit(self._in_job, copy_context(), fn, *args, **kwargs)

    def _in_job(
        self, context: Context, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Any:
        thread = self._job_threads.enter()
        try:
            return context.run(fn, *args, **kwargs)
        finally:
            self._job_threads.leave(thread)
