"""The bridge of Dramatiq."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import dramatiq
from dramatiq import Actor, Broker
from dramatiq.broker import MessageProxy
from dramatiq.brokers.stub import StubBroker
from dramatiq.common import current_millis, q_name
from dramatiq.errors import Retry
from dramatiq.middleware import AsyncIO, Retries, retries as retries_module
from dramatiq.rate_limits import RateLimiterBackend
from dramatiq.results import ResultBackend, ResultMissing, ResultTimeout

from ...errors import BridgeError, NotPerformedError, UnknownJobError
from ..applications import ApplicationBridge
from ..toolkit import (
    Delivery,
    DeliverySemantics,
    Due,
    JobRecord,
    Probe,
    RetryPolicy,
    Seam,
    Steps,
)
from .backends import Store
from .brokers import Brokers, IdleConsumer, firings
from .messages import SentMessage, delayed
from .worker import BACKOFF, ActorAttempt, HarnessWorker, body_of, is_coroutine

_PROBE: Final = Probe(
    "dramatiq",
    "dramatiq:Broker.enqueue(_, _, delay=)",
    "dramatiq:Broker.consume(_, _, prefetch=, timeout=)",
    "dramatiq:Broker.emit_before(_, _, _)",
    "dramatiq:Broker.emit_after(_, _, _)",
    "dramatiq:Broker.get_actor(_, _)",
    "dramatiq.common:compute_backoff(_, factor=, max_backoff=)",
    "dramatiq.common:uniform",
    "dramatiq.message:Message.decode(_)",
    "dramatiq.message:Message.encode(_)",
    "dramatiq.middleware:AsyncIO",
    "dramatiq.middleware:Interrupt",
    "dramatiq.middleware.retries:compute_backoff",
    "dramatiq.rate_limits:RateLimiterBackend.incr_and_sum(_, _, keys=, amount=, maximum=, ttl=)",
    "dramatiq.results:ResultBackend._store(_, _, result=, ttl=)",
    "dramatiq.results:ResultBackend.get_result(_, _, block=, timeout=)",
    "dramatiq.results:ResultBackend.unwrap_result(_, _)",
    "dramatiq.worker:_ConsumerThread(broker=, queue_name=, prefetch=, work_queue=, worker_timeout=)",
    "dramatiq.worker:_ConsumerThread.post_process_message(_, _)",
    "dramatiq.worker:_WorkerThread(broker=, consumers=, work_queue=, worker_timeout=)",
    "dramatiq.worker:_WorkerThread.process_message(_, _)",
    tested=((1, 17), (2, 2)),
)
_LIMITING: Final = ("add", "incr", "decr", "incr_and_sum")


class DramatiqBridge(ApplicationBridge[Brokers, Any, SentMessage, Store]):
    """Brings the actors of all Dramatiq brokers into the harness, instead of their servers."""

    name = "dramatiq"
    capabilities = frozenset(
        ("eta", "priority", "headers", "retry", "discard", "async", "serialise", "chains")
    )
    attempt_class = ActorAttempt
    asks_by = (Retry,)
    elsewhere = "is declared with none of {}", "declares the actor"
    order = 1

    def __init__(self, brokers: Sequence[Broker] = ()) -> None:
        """Prepare a bridge.

        Args:
            brokers: the brokers that are asked first for an actor that a test names by its name. Whatever broker
                sends a message, the message is recorded.
        """
        _PROBE.check(dramatiq.__version__)
        super().__init__(dramatiq.__version__, Brokers(brokers))
        self._workers: dict[Broker, HarnessWorker] = {}

    def title(self) -> str:
        return (
            f"The dramatiq bridge to {self}" if self.applications.named else "The dramatiq bridge"
        )

    def new_store(self) -> Store:
        return Store()

    # Instead of servers

    def patch(self, seam: Seam) -> None:
        seam.replace_sending(Broker, "enqueue", DramatiqBridge._enqueued)
        for name in ("consume", "join", "flush", "flush_all"):
            seam.replace_below(Broker, name, getattr(DramatiqBridge, f"_{name}"))
        seam.replace(ResultBackend, "get_result", DramatiqBridge._get_result)
        seam.replace_below(ResultBackend, "get_result", DramatiqBridge._get_result)
        seam.replace_below(ResultBackend, "_store", DramatiqBridge._store_result)
        for name in _LIMITING:
            seam.replace_below(RateLimiterBackend, name, _limiting(name))
        seam.replace_below(RateLimiterBackend, "wait", DramatiqBridge._wait)
        seam.replace_below(RateLimiterBackend, "wait_notify", DramatiqBridge._wait_notify)
        seam.set(retries_module, "compute_backoff", BACKOFF)

    def _enqueued(self, broker: Broker, message: Any, *, delay: int | None = None) -> Any:
        now_ns = self.sink.now_ns()
        if delay is not None:
            message = delayed(message, current_millis() + delay)
        broker.emit_before("enqueue", message, delay)
        sent = SentMessage(broker, message, now_ns, delay)
        self.sent_names.add(sent.name)
        self.applications.note(broker)
        self.store.sent.setdefault(q_name(message.queue_name), []).append(sent.job_id)
        broker.emit_after("enqueue", message, delay)
        # Last, since inline mode performs it at once.
        self.report(sent)
        return message

    def _consume(
        self, broker: Broker, queue_name: str, prefetch: int = 1, timeout: int = 1_000
    ) -> IdleConsumer:
        return IdleConsumer(lambda: self.seam.bridge_of(broker) is not None, timeout)

    def _join(self, broker: Broker, queue_name: str, *args: Any, **kwargs: Any) -> None:
        """Return at once, or raise: nothing performs a message while the test waits.

        Raises:
            NotPerformedError: when messages of the queue are pending.
        """
        for job_id in self.store.sent.get(q_name(queue_name), ()):
            pending = self.pending_with(job_id)
            if pending is not None:
                raise NotPerformedError(
                    f"{type(broker).__name__}.join({queue_name!r}) waits until {pending!r} is performed, and "
                    "nothing performs it meanwhile: call jobs.drain() instead."
                )

    def _flush(self, broker: Broker, queue_name: str) -> None:
        for job_id in self.store.sent.pop(q_name(queue_name), ()):
            while (record := self.pending_with(job_id)) is not None:
                self.sink.removed(record)

    def _flush_all(self, broker: Broker) -> None:
        for queue_name in list(self.store.sent):
            self._flush(broker, queue_name)

    def _get_result(
        self,
        backend: ResultBackend,
        message: Any,
        *,
        block: bool = False,
        timeout: int | None = None,
    ) -> Any:
        data = self.store.results.get(backend.build_message_key(message), self.sink.now_ns())
        if data is not None:
            return backend.unwrap_result(backend.encoder.decode(data))
        if not block:
            raise ResultMissing(message)
        if self.pending_with(message.message_id) is not None:
            raise self.not_performed(message.message_id)
        # The actor has run and stores no result, so the wait would be in vain.
        raise ResultTimeout(message)

    def _store_result(self, backend: ResultBackend, key: str, result: Any, ttl: int) -> None:
        data = backend.encoder.encode(result)
        self.store.results.put(key, data, ttl, self.sink.now_ns())

    def _wait(self, backend: RateLimiterBackend, key: str, timeout: int | None) -> bool:
        raise BridgeError(
            f"The barrier {key.removesuffix('@events')!r} waits for other jobs, which nothing performs meanwhile. "
            "Call barrier.wait(block=False), or replace the barrier in this test."
        )

    def _wait_notify(self, backend: RateLimiterBackend, key: str, ttl: int) -> None:
        """Do nothing, since nobody waits."""

    # Actors and messages

    def find(self, job: object) -> Any:
        """Return an actor, also by its name or by the object of a class-based actor."""
        if isinstance(job, str):
            return self.applications.find(job)
        actor = getattr(type(job), "__getattr__", None) and vars(job).get("__actor__")
        return next((each for each in (job, actor) if isinstance(each, Actor)), None)

    def queue_of(self, task: Any) -> str:
        return str(task.queue_name)

    def name_of(self, task: Any) -> str:
        return str(task.actor_name)

    def body_of(self, task: Any) -> Callable[..., Any]:
        return body_of(task)

    def task_of(self, message: SentMessage) -> Any:
        return message.broker.actors.get(message.name)

    def is_of(self, message: SentMessage, task: Any) -> bool:
        return self.task_of(message) in (None, task)

    def decoded(self, message: SentMessage) -> tuple[tuple[Any, ...], dict[str, Any]]:
        read = message.read()
        return read.args, read.kwargs

    def payload_of(self, message: SentMessage) -> bytes:
        return message.data

    def semantics_of(self, task: Any) -> DeliverySemantics:
        """Return what the broker of an actor and the middleware Retries do, which nearly every broker has."""
        is_kept = not isinstance(task.broker, StubBroker)
        return DeliverySemantics(
            acknowledged="after",
            redelivered_on_raise=any(
                _option(task, each, "max_retries") != 0
                or _option(task, each, "retry_when") is not None
                for each in _retries(task)
            ),
            redelivered_on_kill=is_kept,
            redelivered_on_outage=is_kept,
        )

    def policy_of(self, task: Any) -> RetryPolicy | None:
        """Return the schedule that the options of an actor and the middleware of its broker declare."""
        found = _retries(task)
        if [type(each) for each in found] != [Retries]:
            return None
        (retries,) = found
        if _option(task, retries, "retry_when") is not None:
            return None
        most = _option(task, retries, "max_retries")
        longest = min(_option(task, retries, "max_backoff"), retries_module.DEFAULT_MAX_BACKOFF)
        backoff = {"factor": _option(task, retries, "min_backoff"), "max_backoff": longest}

        def wait(attempt: int) -> timedelta:
            return timedelta(milliseconds=BACKOFF.shortest(attempt - 1, **backoff))

        return RetryPolicy(None if most is None else most + 1, wait)

    def follow_ups(self, record: JobRecord) -> set[str]:
        message = self.message_of(record)
        options, actor = message.read().options, self.task_of(message)
        own = {} if actor is None else actor.options
        called = (options.get(name) or own.get(name) for name in ("on_success", "on_failure"))
        names = {name for step in _steps(options) for name in _names(step)}
        return {*names, *filter(None, called)}

    def steps_after(self, record: JobRecord) -> Steps:
        """Return the rest of a pipeline, and the callbacks of its group."""
        return _steps(self.message_of(record).read().options)

    def batch_of(self, record: JobRecord) -> str | None:
        """Return the id that a group with callbacks gives to its messages."""
        options: Mapping[str, Any] | None = self.message_of(record).read().options
        while options is not None and "group_completion_uuid" not in options:
            options = (options.get("pipe_target") or {}).get("options")
        return None if options is None else str(options["group_completion_uuid"])

    def firings_between(self, after_ns: int, until_ns: int) -> Iterator[Due]:
        """Yield what Periodiq sends, where the program has it: Dramatiq has no scheduler of its own."""
        for at_ns, fire, actor in firings(self.applications.used(), after_ns, until_ns):
            far = self.applications.far(actor.broker)
            yield at_ns, fire, *far, *(far and [actor.fn])

    # Enqueueing and performing

    def is_coroutine(self, record: JobRecord) -> bool:
        actor = self.task_of(self.message_of(record))
        return actor is not None and is_coroutine(actor)

    def send(self, task: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        task.send(*args, **kwargs)

    def deliver(self, attempt: ActorAttempt) -> Delivery | Awaitable[Delivery]:
        """Make one delivery through the worker thread of Dramatiq."""
        message = attempt.message
        broker, actor = message.broker, self.task_of(message)
        if actor is None:
            raise UnknownJobError(
                f"{broker!r} has no actor named {message.name!r}, so a worker rejects the message: import the "
                f"module that declares it, or send it to the broker that has it.{self.nearest(message.name)}"
            )
        worker = self._workers.get(broker)
        if worker is None:
            worker = self._workers[broker] = HarnessWorker(broker)
        proxy = MessageProxy(message.read())
        if "eta" in proxy.options:
            proxy = worker.due(proxy)
        if not is_coroutine(actor):
            return attempt.run(worker, proxy, actor)
        if not any(isinstance(each, AsyncIO) for each in broker.middleware):
            raise BridgeError(
                f"{message.name} is a coroutine function, and {broker!r} has no event loop for it: add the "
                "middleware, broker.add_middleware(AsyncIO())."
            )
        return attempt.run_coroutine(worker, proxy, actor)


def _retries(task: Any) -> list[Retries]:
    return [each for each in task.broker.middleware if isinstance(each, Retries)]


def _option(task: Any, retries: Retries, name: str) -> Any:
    """Return an option of an actor, or else of the middleware."""
    return task.options.get(name, getattr(retries, name))


def _limiting(name: str) -> Callable[..., bool]:
    """Return the method of the bridge that stands in for a method of rate limiter backends."""

    def limited(
        bridge: DramatiqBridge, backend: RateLimiterBackend, *args: Any, **kwargs: Any
    ) -> bool:
        allowed: bool
        allowed = getattr(bridge.store.limits, name)(bridge.sink.now_ns(), *args, **kwargs)
        return allowed

    return limited


def _steps(options: Mapping[str, Any]) -> Steps:
    target = options.get("pipe_target")
    if target:
        return (target["actor_name"], *_steps(target["options"]))
    callbacks: list[Any] = options.get("group_completion_callbacks") or []
    names = [(str(each["actor_name"]), *_steps(each["options"])) for each in callbacks]
    if len(names) == 1:
        return names[0]
    return (list(names),) if names else ()


def _names(step: Any) -> Iterator[str]:
    if isinstance(step, str):
        yield step
    else:
        for each in step:
            yield from _names(each)
