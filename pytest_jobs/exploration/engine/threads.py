"""Threads: those in which deliveries run beside one another, and those that a delivery starts."""

from __future__ import annotations

import contextvars
import copy
import functools
import math
import queue
import selectors
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, thread as executor_threads
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar

from ...harness.records.patches import Patches
from ...harness.time.waiting import comes_about
from .acts import watcher
from .ending import signs
from .ending.baton import joining, selecting, waiting
from .watching import Life, Watch

#: The threads of pools, for which the interpreter waits at its end.
_WAITED_FOR: Final = vars(executor_threads)["_threads_queues"]

T = TypeVar("T")
State: TypeAlias = Literal["ended", "paused", "blocked"]
#: Waits for something that another thread does, and returns whether it came. Gets a function that waits
#: for so many seconds, and the identity of that thread.
Waits: TypeAlias = Callable[[Callable[[float], bool], int], bool]


class Worker(Generic[T]):
    """Runs deliveries at a point of the suspended delivery, in the same thread.

    That is many times faster than another thread on a busy machine, and right if nothing belongs to
    a thread and nothing waits for the suspended delivery. Where something does, `OwnThread` takes its place.
    """

    def __init__(self, nested: Callable[[Callable[[], T]], T]) -> None:
        self._nested = nested
        self._results: list[T] = []

    def do(self, run: Callable[[], T]) -> State:
        """Call a function, and wait as `wait` does."""
        self._results = [self._nested(run)]
        return "ended"

    def wait(self) -> State:
        """Wait until the function ends or pauses, or until it is blocked."""
        return "ended"

    def pause(self) -> None:
        """Hand over to the thread of the caller: called by the function itself."""
        raise RuntimeError("a delivery inside another cannot hand over to it")

    def resume(self) -> State:
        """Let the function go on, and wait as `wait` does."""
        return "ended"

    def result(self) -> T:
        """Return the result of the function, or raise its error."""
        return self._results[0]

    @property
    def identity(self) -> int:
        return threading.get_ident()


class DeliveryThread(threading.Thread):
    """Makes one delivery, for a caller that waits no longer than it shows signs of life."""


class OwnThread(Worker[T]):
    """A thread that calls one function, and can hand over to its caller in between.

    Whatever a library keeps for each thread, such as a connection, is new there, as it is in another
    process. If the function waits for ever, its caller can go on without it.
    """

    def __init__(self, waits: Waits) -> None:
        super().__init__(lambda run: run())
        self._waits = waits
        self._error: BaseException | None = None
        self._paused = self._free = self._ended = False
        self._changed = threading.Condition()
        self._caller = threading.get_ident()

    def do(self, run: Callable[[], T]) -> State:
        self._thread = DeliveryThread(
            target=self._work, args=(run,), name="pytest-jobs-delivery", daemon=True
        )
        self._thread.start()
        return self.wait()

    def wait(self) -> State:
        with self._changed:
            if not self._comes_about(lambda: self._ended or self._paused, self.identity):
                return "blocked"
            if not self._ended:
                return "paused"
        self._thread.join()
        return "ended"

    def pause(self) -> None:
        """Hand over to the caller, from within the function.

        The function goes on too as soon as its caller waits for it without a sign of life.
        """
        with self._changed:
            self._paused = not self._free
            self._changed.notify_all()
            self._comes_about(lambda: self._free, self._caller)
            self._paused = False

    def resume(self) -> State:
        with self._changed:
            self._free = True
            self._paused = False
            self._changed.notify_all()
        return self.wait()

    def result(self) -> T:
        if self._error is not None:
            raise self._error
        return self._results[0]

    @property
    def identity(self) -> int:
        return self._thread.ident or 0

    def _work(self, run: Callable[[], T]) -> None:
        try:
            self._results = [run()]
        except BaseException as error:
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _comes_about(self, what: Callable[[], bool], thread: int) -> bool:
        return self._waits(lambda seconds: self._changed.wait_for(what, seconds), thread)


def while_alive(pulse: Callable[[], int], seconds: float = math.inf) -> Waits:
    """Return what waits for a thread as long as it shows signs of life.

    Args:
        pulse: returns a number that grows with each line and each effect.
        seconds: how long the thread may compute without a line or an effect.
    """

    def waits(wait: Callable[[float], bool], thread: int) -> bool:
        begun = signs.computed(thread) or 0.0

        def life() -> object:
            now = signs.computed(thread)
            return pulse(), None if now is None or now - begun > seconds else now

        for _ in range(signs.TIMES_OUTSIDE):
            if comes_about(wait, signs.PATIENCE, life):
                return True
            if not signs.waits_for_outside(thread):
                break
        return False

    return waits


def follow(patches: Patches) -> None:
    """Let what a delivery hands over to other threads be a part of it."""
    patches.set(threading.Thread, "start", _starting(threading.Thread.start))
    patches.set(threading.Thread, "join", joining(threading.Thread.join))
    # Queues, events, futures and barriers wait through a condition.
    patches.set(threading.Condition, "wait", waiting(threading.Condition.wait))
    selector = selectors.DefaultSelector
    patches.set(selector, "select", selecting(selector.select))
    patches.set(ThreadPoolExecutor, "__init__", _opening(ThreadPoolExecutor.__init__))
    patches.set(ThreadPoolExecutor, "submit", _submitting(ThreadPoolExecutor.submit))
    patches.set(ThreadPoolExecutor, "shutdown", _closing(ThreadPoolExecutor.shutdown))


def _starting(start: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    def started(thread: threading.Thread) -> None:
        current = watcher.get()
        if current is None:
            start(thread)
            return
        if isinstance(thread, threading.Timer):
            current.called_later(thread, sys._getframe(1))
            # It must not go off when the world is gone.
            current.of_history.undo_by(functools.partial(thread.join, signs.PATIENCE))
            current.of_history.undo_by(thread.cancel)
        # It may wait without end when its delivery is dead, and the process of the tests ends nevertheless.
        thread.daemon = True
        current.of_history.undo_by(functools.partial(_WAITED_FOR.pop, thread, None))
        context, run = contextvars.copy_context(), thread.run
        target = getattr(thread, "_target", None) or type(thread).run

        def begin(run: Callable[[], None]) -> None:
            thread.run = lambda: context.run(_quietly, run, current)  # type: ignore[method-assign]
            current.baton.kept(lambda: start(thread))

        # One that a library starts waits for work to come, and has none yet.
        is_of_job = current.is_traced(target) or current.is_traced_at(sys._getframe(1))
        if isinstance(thread, threading.Timer) or not is_of_job:
            begin(run)
        else:
            current.hand_over(functools.update_wrapper(functools.partial(run), target), begin)

    return started


def _quietly(run: Callable[[], None], watch: Watch) -> None:
    """Run a thread, and drop its error if the check has interrupted its delivery."""
    try:
        run()
    except BaseException:
        # What comes to `threading.excepthook` is a warning of pytest, and with `-W error` a failure of the test.
        if watch.undisturbed and watch.life is Life.ALIVE:
            raise


def _opening(init: Callable[..., None]) -> Callable[..., None]:
    def opened(pool: ThreadPoolExecutor, *args: Any, **kwargs: Any) -> None:
        init(pool, *args, **kwargs)
        current = watcher.get()
        if current is not None:
            current.pools[pool] = pool

    return functools.update_wrapper(opened, init)


def _pool_of(current: Watch, pool: ThreadPoolExecutor) -> ThreadPoolExecutor:
    """Return the pool that a delivery has in the place of one that was open before, as its process would."""
    if pool not in current.pools:
        own: Any = copy.copy(pool)
        own._work_queue, own._threads = queue.SimpleQueue(), set()
        own._idle_semaphore, own._shutdown_lock = threading.Semaphore(0), threading.Lock()
        current.pools[pool] = own
        current.of_history.undo_by(functools.partial(own.shutdown, wait=False))
    return current.pools[pool]  # type: ignore[no-any-return]


def _submitting(submit: Callable[..., Future[Any]]) -> Callable[..., Future[Any]]:
    def submitted(
        pool: ThreadPoolExecutor, function: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Future[Any]:
        current = watcher.get()
        if current is None:
            return submit(pool, function, *args, **kwargs)
        own, context = _pool_of(current, pool), contextvars.copy_context()

        def begin(run: Callable[..., Any]) -> Future[Any]:
            return submit(own, context.run, run, *args, **kwargs)

        return current.hand_over(function, begin, own, vars(own)["_max_workers"])  # type: ignore[no-any-return]

    return submitted


def _closing(shutdown: Callable[..., None]) -> Callable[..., None]:
    def closed(pool: ThreadPoolExecutor, *args: Any, **kwargs: Any) -> None:
        current = watcher.get()
        shutdown(pool if current is None else _pool_of(current, pool), *args, **kwargs)

    return closed
