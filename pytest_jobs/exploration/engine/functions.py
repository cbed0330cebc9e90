"""The bridge of a plain function that is explored as a job."""

from __future__ import annotations

import copy
import inspect
import itertools
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from ...core.foundation.signature import Binder
from ...harness.records.bridge import Around, DeliverySemantics, RetryPolicy, Sink
from ...harness.records.delivery import Delivery
from ...harness.records.record import FIRST, REDELIVERY, JobRecord


@dataclass(frozen=True)
class _Call:
    """The payload of a call, and its envelope."""

    name: str
    job_id: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    enqueued_ns: int
    queue: str | None = None
    priority: int | None = None
    headers: Mapping[str, object] | None = None
    attempt: int = 1
    due_ns: int | None = None
    expires_ns: int | None = None


class FunctionBridge:
    """Delivers calls of one function. Each delivery gets a copy of the arguments."""

    name = "functions"
    capabilities = frozenset(("async",))

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._name = getattr(function, "__qualname__", repr(function))
        self._awaits = inspect.iscoroutinefunction(inspect.unwrap(function))
        self._ids = itertools.count(1)
        self._sink: Sink | None = None

    def install(self, sink: Sink, draw: Callable[[], float]) -> None:
        self._sink = sink

    def uninstall(self) -> None:
        self._sink = None

    @contextmanager
    def sandbox(self, sink: Sink) -> Generator[None, None, None]:
        before, self._sink = self._sink, sink
        try:
            yield
        finally:
            self._sink = before

    def identify(self, job: object) -> str | None:
        return self._name if job is self._function else None

    def matcher(self, job: object) -> Callable[[JobRecord], bool]:
        return lambda record: True

    def job_of(self, record: JobRecord) -> object:
        return self._function

    def resolve(self, job: object) -> Callable[..., Any]:
        return self._function

    def arguments_of(self, record: JobRecord) -> tuple[tuple[Any, ...], dict[str, Any]]:
        call = cast(_Call, record.payload)
        return copy.deepcopy(call.args), copy.deepcopy(dict(call.kwargs))

    def follow_ups(self, record: JobRecord) -> tuple[str, ...]:
        return ()

    def signature(self, job: object) -> Binder:
        return Binder(self._function, label=self._name)

    def rank(self, priority: int | None) -> int:
        return 0

    def is_coroutine(self, record: JobRecord) -> bool:
        return self._awaits

    def enqueue(self, job: object, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        sink = self._installed()
        call = _Call(self._name, str(next(self._ids)), args, kwargs, sink.now_ns())
        sink.added(JobRecord(self, call, call, FIRST))

    def perform(
        self, record: JobRecord, *, now_ns: int, around: Around
    ) -> Delivery | Awaitable[Delivery]:
        args, kwargs = self.arguments_of(record)

        def call() -> Any:
            return self._function(*args, **kwargs)

        async def awaited() -> Delivery:
            try:
                return Delivery(record, now_ns, "performed", await around(call))
            except Exception as error:
                return Delivery(record, now_ns, "failed", error=error, handled=False)

        if self._awaits:
            return awaited()
        try:
            return Delivery(record, now_ns, "performed", around(call))
        except Exception as error:
            return Delivery(record, now_ns, "failed", error=error, handled=False)

    def redeliver(self, record: JobRecord) -> JobRecord:
        again = JobRecord(self, cast(_Call, record.payload), record.payload, REDELIVERY)
        self._installed().added(again)
        return again

    def delivery_semantics(self, job: object) -> DeliverySemantics:
        return DeliverySemantics(
            acknowledged="after",
            redelivered_on_raise=True,
            redelivered_on_kill=True,
            redelivered_on_outage=True,
        )

    def retry_policy(self, job: object) -> RetryPolicy | None:
        return None

    def result_of(self, record: JobRecord) -> object:
        return self._installed().result_of(record)

    def _installed(self) -> Sink:
        if self._sink is None:
            raise RuntimeError("the function's bridge is not installed")
        return self._sink
