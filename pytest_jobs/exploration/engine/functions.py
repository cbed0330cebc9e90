"""The bridge of a plain function that is explored as a job."""

from __future__ import annotations

import copy
import functools
import inspect
import itertools
from collections.abc import Awaitable, Callable, Iterator, Mapping
from types import MethodType
from typing import Any

from ...bridges.seam import Seam
from ...bridges.toolkit import (
    FIRST,
    Attempt,
    Delivery,
    DeliverySemantics,
    JobRecord,
    LibraryBridge,
    Message,
)
from ...harness.records.attributes import attributes_of
from .memory.places import CONSTANTS, NO_STATE


def _doubles_in(value: Any, is_double: Callable[[Any], bool]) -> Iterator[Any]:
    """Yield the doubles among the objects of which a value consists, as far as a copy of it does."""
    seen: dict[int, Any] = {}
    waiting = [value]
    while waiting:
        one = waiting.pop()
        kind = type(one)
        if kind in CONSTANTS or id(one) in seen:
            continue
        seen[id(one)] = one
        if issubclass(kind, dict):
            waiting += one.values()
        elif issubclass(kind, list | tuple | set | frozenset):
            waiting += one
        elif is_double(one):
            yield one
        elif not issubclass(kind, NO_STATE):
            waiting += attributes_of(one).values()
            waiting += [one.__self__] if kind is MethodType else []
            waiting += [one.func, *one.args] if kind is functools.partial else []


class _Call(Message):
    __slots__ = ("args", "kwargs")

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


class FunctionBridge(LibraryBridge[Callable[..., Any], _Call, None]):
    """Delivers calls of one function. Each delivery gets a copy of the arguments, but not of the outside."""

    name = "functions"
    capabilities = frozenset(("async",))

    def __init__(
        self, function: Callable[..., Any], is_double: Callable[[Any], bool] = lambda value: False
    ) -> None:
        """Prepare to deliver calls.

        Args:
            function: the job.
            is_double: returns whether a value stands for the outside, of which there is one for all deliveries.
        """
        super().__init__()
        self._is_double = is_double
        self._function = function
        self._awaits = inspect.iscoroutinefunction(inspect.unwrap(function))
        self._ids = itertools.count(1)

    def patch(self, seam: Seam) -> None:
        """Patch nothing: only a check enqueues the function, by `enqueue`."""

    def find(self, job: object) -> Callable[..., Any] | None:
        return self._function if job is self._function else None

    def task_of(self, message: _Call) -> Callable[..., Any]:
        return self._function

    def name_of(self, task: Callable[..., Any]) -> str:
        return getattr(task, "__qualname__", repr(task))

    def body_of(self, task: Callable[..., Any]) -> Callable[..., Any]:
        return task

    def decoded(self, message: _Call) -> tuple[tuple[Any, ...], dict[str, Any]]:
        given = message.args, dict(message.kwargs)
        doubles = {id(one): one for one in _doubles_in(given, self._is_double)}
        return copy.deepcopy(given, doubles)

    def is_coroutine(self, record: JobRecord) -> bool:
        return self._awaits

    def semantics_of(self, task: Callable[..., Any]) -> DeliverySemantics:
        return DeliverySemantics(
            acknowledged="after",
            redelivered_on_raise=True,
            redelivered_on_kill=True,
            redelivered_on_outage=True,
        )

    def send(
        self, task: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        call = _Call(self.name_of(task), str(next(self._ids)), self.sink.now_ns())
        call.args, call.kwargs = args, kwargs
        self.report(call, FIRST)

    def deliver(self, attempt: Attempt[_Call]) -> Delivery | Awaitable[Delivery]:
        args, kwargs = self.decoded(attempt.message)

        def call() -> Any:
            return self._function(*args, **kwargs)

        async def awaited() -> Delivery:
            try:
                return attempt.performed(await attempt.around(call))
            except Exception as error:
                return attempt.failed(error)

        if self._awaits:
            return awaited()
        try:
            return attempt.performed(attempt.around(call))
        except Exception as error:
            return attempt.failed(error)
