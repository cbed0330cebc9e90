"""Event loops in virtual time: ours, which performs coroutine jobs for the synchronous verbs, and those of jobs.

When nothing is ready, the clock jumps to the next timer. A loop waits in real time only for sockets and threads,
since each of them may wake it before the timer.

This module imports asyncio at its top, so it is imported only when a coroutine is run, or the program has
imported asyncio.
"""

from __future__ import annotations

import asyncio.selector_events
import contextvars
import functools
import math
import selectors
import sys
import threading
import warnings
import weakref
from collections.abc import Awaitable, Callable, Generator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor, thread as executor_threads
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, Protocol, TypeVar, TypeVarTuple, Unpack

from ...errors import JobsError, RealSleepWarning
from ..records.instants import duration_ns
from ..records.patches import Patches
from ..records.record import current_record
from .clock import LoopClock
from .waiting import others_work

#: Runs what is submitted to an executor, one after the other.
_WORKER = vars(executor_threads)["_worker"].__code__
#: Waits for another thread. By its name, since a check may have replaced the method before.
_WAIT = "Condition.wait"

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

#: How long an open connection without incoming data, or another thread, may delay a jump, in real seconds.
_GRACE_SECONDS = 0.25
#: How long a loop waits first for a thread that may come to rest.
_FIRST_WAIT_SECONDS = 0.000_1
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

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._runner.get_loop()

    def end_delivery(self) -> None:
        """End the tasks and the generators that a coroutine has left, as `asyncio.run` does."""
        loop: Any = self._runner.get_loop()
        self.settle()
        if loop._asyncgens:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop._asyncgens_shutdown_called = False

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
        return any(
            (thread in self._speakers or thread not in self._silent)
            and not _waits_for_another(thread.ident or 0)
            for thread in threading.enumerate()
        )

    def end_grace(self) -> None:
        """Wait no longer for the threads that have not spoken."""
        self._silent.update(threading.enumerate())


def _waits_for_another(thread: int) -> bool:
    """Return whether only another thread lets a thread go on: it has no work, or waits without a time limit."""
    # Not all frames at once: with this one among them they would be a cycle, and live on.
    frame = sys._current_frames().get(thread)
    if frame is None:
        return False
    return frame.f_code is _WORKER or (
        frame.f_code.co_qualname == _WAIT and frame.f_locals.get("timeout") is None
    )


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
            wait = min(timeout, _GRACE_SECONDS)
            if not self._has_files():
                ready, wait = self._while_threads_may_speak(wait)
                if ready:
                    return ready
        ready = self._real.select(wait)
        works = others_work.get()
        while not ready and wait and works is not None and works():
            ready = self._real.select(wait)
        if not ready and wait:
            self._threads.end_grace()
        if not ready and self._clock.suspended:
            self._clock.travelled_ns += duration_ns(timeout)
        elif not ready:
            self._clock.advance_ns(duration_ns(timeout))
        return ready

    def _while_threads_may_speak(
        self, seconds: float
    ) -> tuple[list[tuple[selectors.SelectorKey, int]], float]:
        """Wait until no thread may wake the loop, at most so long; return what is ready, and what is left to wait.

        A thread that has just answered comes to rest in microseconds, but the loop is awake before it is. So the
        first waits are short.
        """
        wait = _FIRST_WAIT_SECONDS
        while self._threads.may_speak:
            if wait >= seconds:
                return [], seconds
            ready = self._real.select(wait)
            if ready:
                return ready, 0
            seconds -= wait
            wait *= 2
        return [], 0

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


# The loops that a synchronous job runs itself, by `asyncio.run`, `run_until_complete` or `async_to_sync`. While
# such a loop runs in the thread of a delivery, its time is the virtual clock.

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
        self._times: weakref.WeakKeyDictionary[Any, _LoopTime] = weakref.WeakKeyDictionary()

    def install(self) -> None:
        genuine = _BASE.run_forever

        @functools.wraps(genuine)
        def run_forever(loop: Any) -> None:
            # Ours already is virtual, and the loops of other systems have no selector.
            is_real = isinstance(loop, _SELECTING) and not isinstance(loop, VirtualLoop)
            if not is_real or not self._threads.performs_job():
                genuine(loop)
                return
            time = self._times.get(loop)
            if time is None:
                time = self._times[loop] = _LoopTime(loop, self._clock)
            with time.in_force(loop):
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
        for loop in self._times:
            # It has its own methods again.
            del loop.run_in_executor, loop.shutdown_default_executor, loop.call_soon_threadsafe


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
        return super().submit(self._in_job, contextvars.copy_context(), fn, *args, **kwargs)

    def _in_job(
        self, context: contextvars.Context, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Any:
        thread = self._job_threads.enter()
        try:
            return context.run(fn, *args, **kwargs)
        finally:
            self._job_threads.leave(thread)
