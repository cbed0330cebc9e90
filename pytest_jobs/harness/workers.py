"""Several workers on the virtual clock: jobs that overlap by the time that they sleep."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ..errors import CriterionError, UnfinishedJobsError
from .clock import VirtualClock
from .delivery import Delivery
from .describe import call_text
from .looks import comes_about
from .record import JobRecord

if TYPE_CHECKING:
    from .performer import Performer
    from .sleeps import SleepPatch

Deliver = Callable[["Performer", JobRecord], Delivery]

#: Seconds of real time after which a job that neither ends nor sleeps is taken to wait for one that sleeps.
_PATIENCE: Final = 30.0


class Worker:
    """One delivery, on a thread of its own that goes on only when it is its turn."""

    def __init__(self, record: JobRecord, deliver: Callable[[Worker], Delivery]) -> None:
        self.record = record
        #: What came of it; None while it is being made, and when it raised.
        self.delivery: Delivery | None = None
        #: What was raised instead.
        self.error: BaseException | None = None
        self.ended = False
        #: When it goes on, in nanoseconds since the epoch; None when it does not sleep.
        self.wakes_ns: int | None = None
        self._deliver = deliver
        self._turn = threading.Semaphore(0)
        self._given_back = threading.Semaphore(0)
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._run,), daemon=True)

    def begin(self) -> None:
        """Make the delivery, up to its first sleep."""
        self._thread.start()
        self._wait()

    def go_on(self) -> None:
        """Wake it, and let it go on up to its next sleep."""
        self.wakes_ns = None
        self._turn.release()
        self._wait()

    def sleep_until(self, ns: int) -> None:
        """Sleep, in its own thread, until it is woken."""
        self.wakes_ns = ns
        self._given_back.release()
        self._turn.acquire()

    def is_on(self, thread: int) -> bool:
        """Say whether it runs on a thread."""
        return self._thread.ident == thread

    def _wait(self) -> None:
        if not comes_about(lambda seconds: self._given_back.acquire(timeout=seconds), _PATIENCE):
            raise UnfinishedJobsError(
                f"{call_text(self.record)} neither ended nor slept for {_PATIENCE:g} real seconds while others of "
                "the jobs slept, so it most likely waits for what one of them holds, such as a lock or an open "
                "transaction: drain with one worker, or let no job sleep while it holds something."
            )

    def _run(self) -> None:
        try:
            self.delivery = self._deliver(self)
        except BaseException as error:
            self.error = error
        finally:
            self.ended = True
            self._given_back.release()


class Workers:
    """So many deliveries at once. One at a time goes on; the clock moves when all sleep."""

    def __init__(
        self,
        count: int,
        performer: Performer,
        sleeps: SleepPatch,
        deliver: Deliver,
    ) -> None:
        if type(count) is not int or count < 1:
            raise CriterionError(
                f"jobs.drain(workers={count!r}) is no number of workers: write an int of at least 1."
            )
        if performer.adversary is not None:
            raise CriterionError(
                f"jobs.drain(workers={count}) makes deliveries that overlap, which --jobs-twice and --jobs-crash "
                "cannot attack: mark the test @pytest.mark.jobs(idempotent=False)."
            )
        self._count = count
        self._performer = performer
        self._clock = performer.clock
        self._sleeps = sleeps
        self._deliver = deliver
        self._busy: list[Worker] = []

    @property
    def any_free(self) -> bool:
        """Whether a worker has nothing to do."""
        return len(self._busy) < self._count

    def begin(self, record: JobRecord) -> Worker:
        """Let a free worker perform a record, up to its first sleep."""
        worker = Worker(record, self._make)
        self._busy.append(worker)
        with self._sleeps.passing_time(self._sleep):
            worker.begin()
        return self._back(worker)

    def next_ns(self) -> int | None:
        """Return when the next worker wakes."""
        return min((w.wakes_ns for w in self._busy if w.wakes_ns is not None), default=None)

    def wake(self) -> Worker | None:
        """Let the worker go on that is to wake first, if its time has come."""
        now_ns = self._clock.now_ns()
        due = [w for w in self._busy if w.wakes_ns is not None and w.wakes_ns <= now_ns]
        if not due:
            return None
        worker = min(due, key=lambda each: each.wakes_ns or 0)
        with self._sleeps.passing_time(self._sleep):
            worker.go_on()
        return self._back(worker)

    def _back(self, worker: Worker) -> Worker:
        if worker.ended:
            self._busy.remove(worker)
        return worker

    def _make(self, worker: Worker) -> Delivery:
        performer = self._performer.beside(_WorkerClock(self._clock, self._sleep))
        try:
            return self._deliver(performer, worker.record)
        finally:
            performer.close()

    def _sleep(self, ns: int) -> None:
        thread = threading.get_ident()
        worker = next((each for each in self._busy if each.is_on(thread)), None)
        if worker is None:
            self._clock.advance_ns(ns)
        else:
            worker.sleep_until(self._clock.now_ns() + ns)


class _WorkerClock:
    """The clock to the event loop of a worker, which sleeps where another would move it."""

    def __init__(self, clock: VirtualClock, sleep: Callable[[int], None]) -> None:
        self._clock = clock
        self.advance_ns = sleep

    @property
    def suspended(self) -> bool:
        """Whether a `real_time` block is open."""
        return self._clock.suspended

    @property
    def travelled_ns(self) -> int:
        """How far the clock was moved in all."""
        return self._clock.travelled_ns

    @travelled_ns.setter
    def travelled_ns(self, ns: int) -> None:
        self._clock.travelled_ns = ns
