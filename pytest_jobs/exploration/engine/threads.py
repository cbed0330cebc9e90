"""What a delivery does in threads that it begins."""

from __future__ import annotations

import contextvars
import functools
import linecache
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Generic, Literal, Protocol, TypeAlias, TypeVar

from ...harness.records.patches import Patches
from ...harness.time.waiting import comes_about
from .acts import watcher
from .watching import Watch

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
#: Returns how much has gone on so far, in lines and acts.
Pulse: TypeAlias = Callable[[], int]
State: TypeAlias = Literal["ended", "paused", "blocked"]

#: In real seconds: so long without a line, an act or any computing, and a thread waits for something.
PATIENCE: Final = 2.0
#: So often as long where what it waits for is an answer from outside: a server that is busy still answers.
_TIMES_OUTSIDE: Final = 15
#: What reads from sockets; the drivers of databases are in packages that are installed.
_READING: Final = frozenset(("selectors", "socket", "ssl"))
_INSTALLED: Final = frozenset(("site-packages", "dist-packages"))


class Aside(Protocol[T_co]):
    """Deliveries that are made while another is suspended."""

    def start(self) -> State:
        """Begin, and wait as `wait` does."""
        ...

    def wait(self) -> State:
        """Wait until it ends or pauses, or until nothing has gone on in it for some real seconds."""
        ...

    def pause(self) -> None:
        """Hand over to who began it, from within, until told to go on or until that one waits in turn."""
        ...

    def resume(self) -> State:
        """Let it go on, and pause no more; wait as `wait` does."""
        ...

    def result(self) -> T_co:
        """Return what it came to, or raise its error."""
        ...

    @property
    def identity(self) -> int:
        """What names its thread."""
        ...


class Inside(Generic[T]):
    """Something that runs to its end inside a point of the delivery that is suspended, and in its thread.

    That is many times faster where the machine is busy, and right where nothing is bound to a thread.
    """

    def __init__(self, run: Callable[[], T], nested: Callable[[Callable[[], T]], T]) -> None:
        self._run = run
        self._nested = nested
        self._results: list[T] = []
        self.identity = threading.get_ident()

    def start(self) -> State:
        """Run it."""
        self._results = [self._nested(self._run)]
        return "ended"

    def wait(self) -> State:
        """Return at once: it has ended."""
        return "ended"

    def pause(self) -> None:
        """Refuse: who began it is suspended by it."""
        raise RuntimeError("a delivery inside another cannot hand over to it")

    def resume(self) -> State:
        """Return at once: it has ended."""
        return "ended"

    def result(self) -> T:
        """Return what it came to."""
        return self._results[0]


class Apart(Generic[T]):
    """Something that runs in a thread of its own, and may hand over to the one that began it.

    What is bound to a thread, such as a connection that a library keeps for it, is new there, as it
    is in another process; and what waits there for ever can be left.
    """

    def __init__(self, run: Callable[[], T], pulse: Pulse) -> None:
        self._run = run
        self._pulse = pulse
        self._results: list[T] = []
        self._error: BaseException | None = None
        self._ended = self._paused = self._free = False
        self._changed = threading.Condition()
        self._beginner = threading.get_ident()
        self._thread = threading.Thread(target=self._work, name="pytest-jobs-delivery", daemon=True)

    def start(self) -> State:
        """Begin, and wait as `wait` does."""
        self._thread.start()
        return self.wait()

    def wait(self) -> State:
        """Wait until it ends or pauses, or until nothing has gone on in it for some real seconds."""
        with self._changed:
            if not self._comes_about(lambda: self._ended or self._paused, self.identity):
                return "blocked"
            if not self._ended:
                return "paused"
        self._thread.join()
        return "ended"

    def pause(self) -> None:
        """Hand over to who began it, from within, until told to go on or until that one waits in turn."""
        with self._changed:
            self._paused = not self._free
            self._changed.notify_all()
            self._comes_about(lambda: self._free, self._beginner)
            self._paused = False

    def resume(self) -> State:
        """Let it go on, and pause no more; wait as `wait` does."""
        with self._changed:
            self._free = True
            self._paused = False
            self._changed.notify_all()
        return self.wait()

    def result(self) -> T:
        """Return what it came to, or raise its error."""
        if self._error is not None:
            raise self._error
        return self._results[0]

    @property
    def identity(self) -> int:
        """What names its thread."""
        return self._thread.ident or 0

    def _work(self) -> None:
        try:
            self._results = [self._run()]
        except BaseException as error:
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _comes_about(self, what: Callable[[], bool], thread: int) -> bool:
        """Wait for something; return False when a thread shows no life for so many real seconds."""
        for _ in range(_TIMES_OUTSIDE):
            if comes_about(
                lambda seconds: self._changed.wait_for(what, seconds),
                PATIENCE,
                lambda: (self._pulse(), _computed(thread)),
            ):
                return True
            if not _waits_for_outside(thread):
                break
        return False


def _computed(thread: int) -> Any:
    """Return how long a thread has computed, in hundredths of a second; None where nobody knows."""
    clock_of = getattr(time, "pthread_getcpuclockid", None)
    if clock_of is None:
        return None
    try:
        return round(time.clock_gettime(clock_of(thread)), 2)
    except OSError:
        return None


def _waits_for_outside(thread: int) -> bool:
    """Say whether a thread waits for an answer, and not for a lock of the job or of its world."""
    from ...harness.time.loop import until_woken

    frame = sys._current_frames().get(thread)
    if frame is None or (frame.f_back is not None and until_woken(frame.f_back)):
        return False
    return frame.f_globals.get("__name__", "") in _READING or not _INSTALLED.isdisjoint(
        Path(frame.f_code.co_filename).parts
    )


def blocking_call(thread: int) -> str:
    """Say where a thread is that waits."""
    frame = sys._current_frames().get(thread)
    if frame is None:
        return "somewhere"
    code, line = frame.f_code, frame.f_lineno
    text = linecache.getline(code.co_filename, line).strip()
    return f"{Path(code.co_filename).name}:{line}: {text}"


def follow(patches: Patches) -> None:
    """Let the threads that a watched delivery begins, and what it gives to a pool, belong to it.

    Their acts are heard. They are no points, since threads run in an order that nobody decides.
    """
    patches.set(threading.Thread, "start", _starting(threading.Thread.start))
    patches.set(ThreadPoolExecutor, "submit", _submitting(ThreadPoolExecutor.submit))


def _starting(start: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    def started(thread: threading.Thread) -> None:
        current = watcher.get()
        if current is not None:
            current.begun(getattr(thread, "_target", None) or type(thread).run)
            context, run = contextvars.copy_context(), thread.run
            thread.run = lambda: context.run(_until_dead, run)  # type: ignore[method-assign]
        start(thread)

    return started


def _until_dead(run: Callable[[], None]) -> None:
    """Run a thread; what it comes to when its delivery has died meanwhile is nobody's concern."""
    try:
        run()
    except BaseException:
        current = watcher.get()
        if not (isinstance(current, Watch) and (current.dead or current.killed)):
            raise


def _submitting(submit: Callable[..., Future[Any]]) -> Callable[..., Future[Any]]:
    def submitted(
        pool: ThreadPoolExecutor, function: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Future[Any]:
        current = watcher.get()
        if current is None:
            return submit(pool, function, *args, **kwargs)
        current.begun(_run_by(function))
        return submit(pool, contextvars.copy_context().run, function, *args, **kwargs)

    return submitted


def _run_by(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what a function comes to, without the context in which `asyncio.to_thread` runs it."""
    while isinstance(function, functools.partial):
        in_context = isinstance(getattr(function.func, "__self__", None), contextvars.Context)
        function = function.args[0] if in_context else function.func
    return function
