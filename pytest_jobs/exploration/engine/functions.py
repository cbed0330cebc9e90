"""The bridge of a plain function that is explored as a job."""

from __future__ import annotations

import copy
import functools
import inspect
import itertools
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from types import MethodType
from typing import Any, Final

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
from ...errors import ExplorationError
from ...harness.records.attributes import attributes_of
from ...harness.records.home import is_of_library
from ...harness.records.texts import call_of, short_name
from .acts import refuse_delivery
from .memory.places import CONSTANTS, NO_STATE

#: What consists of what was put into it.
_CONTAINERS: Final = (dict, list, tuple, set, frozenset, MethodType, functools.partial)
#: The modules of queues in memory, which cannot be copied.
_QUEUES: Final = frozenset(("queue", "_queue", "multiprocessing.queues"))


def _parts_of(value: Any) -> Iterable[Any]:
    """Return the objects of which a value consists, as far as a copy of it does."""
    kind = type(value)
    if issubclass(kind, dict):
        return list(value.values())
    if issubclass(kind, list | tuple | set | frozenset):
        return list(value)
    if issubclass(kind, NO_STATE):
        return ()
    parts = list(attributes_of(value).values())
    parts += [value.__self__] if kind is MethodType else []
    if kind is functools.partial:
        parts += [value.func, *value.args, *value.keywords.values()]
    return parts


def _doubles_in(value: Any, is_double: Callable[[Any], bool]) -> Iterator[Any]:
    """Yield the doubles in a value."""
    seen: dict[int, Any] = {}
    waiting = [value]
    while waiting:
        one = waiting.pop()
        kind = type(one)
        if kind in CONSTANTS or id(one) in seen:
            continue
        seen[id(one)] = one
        if not issubclass(kind, _CONTAINERS) and is_double(one):
            yield one
        else:
            waiting += _parts_of(one)


def _uncopied_in(
    value: Any, shared: Mapping[int, Any], seen: dict[int, Any] | None = None
) -> Iterator[Any]:
    """Yield what cannot be copied in a value, such as a pool of connections: it is no data of the job.

    An object of a library is copied as a whole or not at all.
    """
    seen = {} if seen is None else seen
    if id(value) in seen:
        return
    seen[id(value)] = value
    try:
        copy.deepcopy(value, dict(shared))
    except Exception:
        kind = type(value)
        if kind.__module__ in _QUEUES:
            raise ExplorationError(
                f"The job gets a {kind.__name__} in its arguments, and a check does not see what is put into it: "
                "give the job an object of a class of the test that has the methods which the job calls."
            ) from None
        is_whole = is_of_library(value) and not issubclass(kind, _CONTAINERS)
        parts = () if is_whole else _parts_of(value)
        inner = [one for part in parts for one in _uncopied_in(part, shared, seen)]
        yield from inner or [value]


class _Call(Message):
    __slots__ = ("args", "kwargs")

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


class FunctionBridge(LibraryBridge[Callable[..., Any], _Call, None]):
    """Delivers calls of one function. Each delivery gets a copy of the data in the arguments."""

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
        shared = {id(one): one for one in _doubles_in(given, self._is_double)}
        try:
            return copy.deepcopy(given, dict(shared))
        except Exception:
            shared |= {id(one): one for one in _uncopied_in(given, shared)}
            return copy.deepcopy(given, shared)

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
        # What is refused among them is refused before it is delivered.
        self.decoded(call)
        self.report(call, FIRST)

    def deliver(self, attempt: Attempt[_Call]) -> Delivery | Awaitable[Delivery]:
        args, kwargs = self.decoded(attempt.message)

        def call() -> Any:
            try:
                return self._function(*args, **kwargs)
            except TypeError as error:
                if getattr(error.__traceback__, "tb_next", None) is None:
                    # No line of the function has run, so its arguments do not fit: a job has lines of Python.
                    called = call_of(short_name(self.name_of(self._function)), args, kwargs)
                    refuse_delivery(
                        f"{called} cannot be called: {error}. It gets these arguments alone, as a plain function. "
                        "If a job library calls it in production, import in the test what tells the library so, "
                        "such as the worker settings of arq or SAQ, or name that by jobs_apps; otherwise give it "
                        "all its arguments."
                    )
                raise

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
