"""The event loop that performs coroutine jobs for the synchronous verbs.

Its time is the virtual clock: when nothing is ready, the clock jumps to the next timer. The loop
waits in real time only for what is real, such as a socket or a thread.
"""

from __future__ import annotations

import asyncio
import contextvars
import selectors
import sys
import warnings
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any, TypeVar, TypeVarTuple, Unpack

from ..errors import RealSleepWarning
from .clock import VirtualClock
from .instants import duration_ns

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

#: How long an open connection that nothing comes in on may hold up a jump, in real seconds.
_GRACE_SECONDS = 0.25
#: The loop's own wake-up pipe.
_OWN_FILES = 1


class OwnLoop:
    """Runs coroutines to their end, one at a time."""

    def __init__(self, clock: VirtualClock) -> None:
        self._runner = asyncio.Runner(loop_factory=lambda: _VirtualLoop(clock))

    def run(self, awaitable: Awaitable[T]) -> T:
        """Return what the awaitable returns."""

        async def await_it() -> T:
            return await awaitable

        return self._runner.run(await_it(), context=contextvars.copy_context())

    def close(self) -> None:
        """Cancel what is left and close the loop."""
        self._runner.close()


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self, clock: VirtualClock) -> None:
        self._virtual_clock = clock
        self._threads_busy = 0
        super().__init__(_JumpingSelector(clock, lambda: self._threads_busy > 0))

    def time(self) -> float:
        return self._virtual_clock.travelled_ns / 1_000_000_000

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        future = super().run_in_executor(executor, func, *args)
        self._threads_busy += 1
        future.add_done_callback(self._thread_done)
        return future

    def _thread_done(self, future: asyncio.Future[Any]) -> None:
        self._threads_busy -= 1


class _JumpingSelector(selectors.BaseSelector):
    def __init__(self, clock: VirtualClock, threads_busy: Callable[[], bool]) -> None:
        self._clock = clock
        self._threads_busy = threads_busy
        self._real = selectors.DefaultSelector()

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
        if timeout is None or timeout <= 0:
            return self._real.select(timeout)
        ready = self._real.select(self._real_wait(timeout))
        if not ready:
            self._clock.move_ns(self._clock.now_ns() + duration_ns(timeout))
        return ready

    def _real_wait(self, timeout: float) -> float:
        if self._threads_busy():
            return timeout
        if len(self._real.get_map()) > _OWN_FILES:
            return min(timeout, _GRACE_SECONDS)
        return 0


@contextmanager
def warned_sleeps() -> Iterator[None]:
    """Warn, for a block, of sleeping on the running loop, which is the test's and so real."""
    loop = asyncio.get_running_loop()
    call_later = loop.call_later
    sleep_code = asyncio.sleep.__code__

    def watched(delay: float, *args: Any, **kwargs: Any) -> asyncio.TimerHandle:
        if sys._getframe(1).f_code is sleep_code:
            warnings.warn(
                RealSleepWarning(
                    f"A job performed on the test's own event loop sleeps for {delay} s, for real: perform it "
                    "with a synchronous verb in a test that is not async, and the sleep moves the clock instead."
                ),
                stacklevel=3,
            )
        return call_later(delay, *args, **kwargs)

    setattr(loop, "call_later", watched)  # noqa: B010 - the two checkers disagree about an assignment
    try:
        yield
    finally:
        delattr(loop, "call_later")
