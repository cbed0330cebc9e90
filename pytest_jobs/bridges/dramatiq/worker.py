"""One delivery as a worker thread of Dramatiq makes it, and what it came to."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any, Final

from dramatiq import Broker, common, worker as dramatiq_worker
from dramatiq.broker import MessageProxy
from dramatiq.common import compute_backoff, q_name
from dramatiq.errors import Retry
from dramatiq.middleware import Interrupt, Retries, SkipMessage, TimeLimit, TimeLimitExceeded

from ...harness.time.waiting import in_running_loop, off_the_loop
from ..toolkit import Attempt, Delivery, Patches, current_attempt, time_limit
from .messages import MILLISECOND_NS, SentMessage


class ActorAttempt(Attempt[SentMessage]):
    """One delivery of an actor, with what is noted of it while it runs."""

    #: The shortest and the longest wait, in milliseconds, that Retries could have drawn.
    bounds: tuple[int, int] | None = None
    #: What a middleware raised, so that the body did not run.
    refused: Exception | None = None
    #: What the body raised: an Exception, or an `Interrupt` of Dramatiq.
    raised: BaseException | None = None
    result: Any = None

    def run(self, worker: HarnessWorker, proxy: Any, actor: Any) -> Delivery:
        """Deliver a message to an actor that is a function."""
        # A worker thread has no event loop, so the actor may run one.
        with off_the_loop() if in_running_loop() else nullcontext():
            if self._is_begun(proxy):
                seconds = self._seconds_allowed(proxy, actor)
                try:
                    # The error reaches a thread when its sleep has ended.
                    with time_limit(seconds, TimeLimitExceeded, interrupts=False):
                        self.result = self.around(partial(actor, *proxy.args, **proxy.kwargs))
                except SystemExit as error:
                    # Out of a thread, where it ends nothing.
                    self.raised = error
                except BaseException as error:
                    self._catch(error)
            return self._ended(worker, proxy, actor)

    async def run_coroutine(self, worker: HarnessWorker, proxy: Any, actor: Any) -> Delivery:
        """Deliver a message to an actor that is a coroutine function."""
        if self._is_begun(proxy):
            call = partial(body_of(actor), *proxy.args, **proxy.kwargs)
            limit = None
            try:
                # A timer of ten minutes, which is what the broker allows, would end each wait for a socket.
                seconds = self._seconds_allowed(proxy, actor, declared_only=True)
                async with asyncio.timeout(seconds) as limit:
                    self.result = await self.around(call)
            except BaseException as error:
                self._catch(TimeLimitExceeded() if limit and limit.expired() else error)
        return self._ended(worker, proxy, actor)

    def _seconds_allowed(
        self, proxy: Any, actor: Any, *, declared_only: bool = False
    ) -> float | None:
        """Return after how many seconds the broker, or only the message or actor, ends it; None for never."""
        for each in self.message.broker.middleware:
            if isinstance(each, TimeLimit):
                general = None if declared_only else each.time_limit
                limit = proxy.options.get("time_limit") or actor.options.get("time_limit", general)
                return None if limit is None else float(limit) / 1_000
        return None

    def _is_begun(self, proxy: Any) -> bool:
        """Call the middlewares, and say whether a worker runs the body then."""
        try:
            self.message.broker.emit_before("process_message", proxy)
        except Exception as error:
            self.refused = error
        return self.refused is None and not proxy.failed

    def _catch(self, error: BaseException) -> None:
        """Keep an error of the body.

        Raises:
            BaseException: an error that ends the process of the worker.
        """
        if isinstance(error, (Exception, Interrupt)):
            self.raised = error
            return
        for each in self.message.broker.middleware:
            if isinstance(each, TimeLimit):
                # In production it ends with the thread.
                each.manager.remove_timeout(threading.get_ident())
        raise error

    def _ended(self, worker: HarnessWorker, proxy: Any, actor: Any) -> Delivery:
        worker.process(proxy, self)
        error = self.refused or self.raised
        if isinstance(error, SkipMessage) or (error is None and proxy.failed):
            return Delivery(self.record, self.now_ns, "discarded", error=error)
        if error is None:
            return self.performed(self.result)
        if self.again is not None:
            return self.retried(error, bounds_ns=self._bounds_ns(error))
        throws = proxy.options.get("throws") or actor.options.get("throws")
        if throws and isinstance(error, throws):
            return Delivery(self.record, self.now_ns, "failed", error=error, handled=True)
        has_retries = any(isinstance(each, Retries) for each in self.message.broker.middleware)
        is_last = has_retries and self.record.attempt > 1
        return self.failed(error, "exhausted" if is_last else "failed")

    def _bounds_ns(self, error: BaseException) -> tuple[int, int] | None:
        bounds = self.bounds
        if bounds is None and isinstance(error, Retry) and error.delay is not None:
            bounds = error.delay, error.delay
        # A middleware of the project may have drawn the wait from any range.
        return None if bounds is None else (bounds[0] * MILLISECOND_NS, bounds[1] * MILLISECOND_NS)


class HarnessWorker:
    """A worker thread of Dramatiq that is not started, for the messages of one broker.

    `WorkerThread.process_message` calls middlewares and the body, and acknowledges or rejects the message. The
    body of a coroutine actor must be awaited in between. So the first middlewares and the body are called before,
    and the worker thread gets what came of them.
    """

    def __init__(self, broker: Broker) -> None:
        options: dict[str, Any] = {"broker": broker, "work_queue": _NoQueue(), "worker_timeout": 0}
        consumer: Any = dramatiq_worker._ConsumerThread(queue_name="", prefetch=1, **options)
        consumer.consumer = _Acknowledging()
        consumers: Any = _EveryQueue(consumer)
        self._broker = broker
        self._consumer = consumer
        self._thread = dramatiq_worker._WorkerThread(consumers=consumers, **options)

    def due(self, proxy: Any) -> Any:
        """Put a delayed message, which is due now, on its own queue, and return it as a worker gets it there."""
        broker = self._broker
        broker.emit_before("delay_message", proxy)
        due = proxy.copy(queue_name=q_name(proxy.queue_name))
        del due.options["eta"]
        broker.emit_before("enqueue", due, None)
        data = due.encode()
        broker.emit_after("enqueue", due, None)
        self._consumer.post_process_message(proxy)
        return MessageProxy(type(due).decode(data))

    def process(self, proxy: Any, attempt: ActorAttempt) -> None:
        """Let the worker thread end a delivery, whose body has run."""
        once = object.__new__(type(self._thread))
        once.__dict__.update(self._thread.__dict__, broker=_Replay(self._broker, attempt))
        once.process_message(proxy)


class _Replay:
    """The broker of one delivery, whose first middlewares and whose body have been called."""

    def __init__(self, broker: Broker, attempt: ActorAttempt) -> None:
        self._broker = broker
        self._attempt = attempt

    def emit_before(self, signal: str, *args: Any, **kwargs: Any) -> None:
        if signal != "process_message":
            self._broker.emit_before(signal, *args, **kwargs)
        elif self._attempt.refused is not None:
            raise self._attempt.refused

    def get_actor(self, name: str) -> Any:
        return _ReplayedActor(self._broker.get_actor(name), self._attempt)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._broker, name)

    # Dramatiq keeps in a cache which brokers have results.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Replay) and other._broker is self._broker

    def __hash__(self) -> int:
        return hash(self._broker)


class _ReplayedActor:
    """An actor that returns or raises what its body did."""

    def __init__(self, actor: Any, attempt: ActorAttempt) -> None:
        self._actor = actor
        self._attempt = attempt

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._attempt.raised is not None:
            raise self._attempt.raised
        return self._attempt.result

    def __getattr__(self, name: str) -> Any:
        return getattr(self._actor, name)


class _EveryQueue:
    """The consumer threads of a worker: one serves all queues."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer

    def __getitem__(self, queue_name: str) -> Any:
        return self._consumer


class _NoQueue:
    """The messages that wait inside a worker: none."""

    def task_done(self) -> None:
        """Count nothing."""


class _Acknowledging:
    """A consumer without a server."""

    def ack(self, message: Any) -> None:
        """Send nothing."""

    def nack(self, message: Any) -> None:
        """Send nothing."""


def body_of(actor: Any) -> Callable[..., Any]:
    """Return the function of an actor; for a class-based one, its method `perform`."""
    function: Callable[..., Any] = inspect.unwrap(actor.fn)
    return getattr(function, "perform", function)


def is_coroutine(actor: Any) -> bool:
    """Say whether a worker runs an actor on its event loop."""
    return inspect.iscoroutinefunction(inspect.unwrap(actor.fn))


class DrawnBackoff:
    """Stands in for `compute_backoff` where Retries computes a wait.

    During a delivery `jobs_jitter` decides where in its range the wait lies, and the attempt notes the range.
    """

    def __call__(self, attempts: int, **options: Any) -> tuple[int, int]:
        attempt = current_attempt.get()
        if not isinstance(attempt, ActorAttempt):
            computed: tuple[int, int] = compute_backoff(attempts, **options)
            return computed
        waits = _extremes(attempts, **options)
        attempt.bounds = waits[0], waits[-1]
        return attempts + 1, round(waits[0] + attempt.bridge.draw() * (waits[-1] - waits[0]))

    def shortest(self, attempts: int, **options: Any) -> int:
        """Return the shortest wait after so many retries, in milliseconds."""
        return _extremes(attempts, **options)[0]


def _extremes(attempts: int, **options: Any) -> list[int]:
    """Return the shortest and the longest wait, with one between them, as Dramatiq computes them."""
    waits = []
    # It draws once, or twice when the first wait is too long.
    for draws in ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)):
        left = iter(draws)
        with Patches() as patches:
            patches.set(common, "uniform", lambda a, b, left=left: a + next(left) * (b - a))
            waits.append(compute_backoff(attempts, **options)[1])
    return sorted(waits)


#: What Retries calls while the library is patched.
BACKOFF: Final = DrawnBackoff()
