"""Brokers: those of the process, how they acknowledge, the signatures of their tasks, and their results."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Iterable
from types import FunctionType
from typing import Any, Final
from weakref import WeakKeyDictionary

from taskiq import AsyncBroker, InMemoryBroker, TaskiqEvents
from taskiq.abc.result_backend import AsyncResultBackend
from taskiq.abc.serializer import TaskiqSerializer
from taskiq.brokers.shared_broker import AsyncSharedBroker
from taskiq.result import TaskiqResult
from taskiq.result_backends.dummy import DummyResultBackend
from taskiq_dependencies import DependencyGraph

from ...errors import ApplicationError
from ..applications import Applications
from ..lives import Started
from ..toolkit import JobRecord
from .schedules import LabelSchedules


class Brokers(Applications[AsyncBroker]):
    """The brokers of the process, in the order in which they are asked for a task by its name."""

    def __init__(self, named: Iterable[Any]) -> None:
        """Begin with the brokers that `jobs_apps` names."""
        super().__init__(
            map(_sending, named),
            AsyncBroker,
            wanted="a broker of taskiq: name the broker that the tasks are registered with",
            otherwise="the brokers of taskiq",
            tasks_of=lambda broker: broker.get_all_tasks(),
        )

    def is_one(self, kinds: tuple[type, ...]) -> bool:
        return super().is_one(kinds) and AsyncSharedBroker not in kinds

    def find(self, name: str) -> Any:
        """Return the task with a name, a shared one as well."""
        return super().find(name) or AsyncBroker.global_task_registry.get(name)


def _sending(broker: Any) -> Any:
    if isinstance(broker, AsyncSharedBroker):
        raise ApplicationError(
            f"{broker!r} is the broker of shared tasks and sends nothing itself: name the broker that it sends to."
        )
    return broker


def acknowledges(broker: AsyncBroker) -> bool:
    """Say whether a broker keeps a message until the worker acknowledges it, by the annotation of `listen`."""
    listen = inspect.unwrap(type(broker).listen)
    annotation = inspect.get_annotations(listen).get("return", "")
    return "AckableMessage" in (annotation if isinstance(annotation, str) else repr(annotation))


def obeys_delay(kind: type[AsyncBroker]) -> bool:
    """Say whether a class of brokers reads the label `delay`. Taskiq leaves it to them, so others send at once."""
    found = _obeying.get(kind)
    if found is None:
        own = kind.__mro__[: kind.__mro__.index(AsyncBroker)]
        values = (inspect.unwrap(value) for each in own for value in vars(each).values())
        found = _obeying[kind] = any(isinstance(f, FunctionType) and _says_delay(f) for f in values)
    return found


_obeying: Final[WeakKeyDictionary[type[AsyncBroker], bool]] = WeakKeyDictionary()


def _says_delay(function: FunctionType) -> bool:
    """Say whether a function, or a variable or function of its module that it names, has the name of the label."""
    named = [function.__globals__.get(name) for name in function.__code__.co_names]
    functions = [each.__code__ for each in (function, *named) if isinstance(each, FunctionType)]
    is_variable = any(type(each) is str and each == "delay" for each in named)
    return is_variable or any("delay" in code.co_consts for code in functions)


def plays_the_worker(broker: AsyncBroker) -> bool:
    """Say whether the `startup` of a broker runs the handlers of workers: then the application calls it."""
    return isinstance(broker, InMemoryBroker) or bool(broker.is_worker_process)


async def worker_life(broker: AsyncBroker) -> AsyncGenerator[AsyncBroker, None]:
    """Call the handlers of the start of a worker, and those of its end when the event loop closes."""
    await _call_handlers(broker, TaskiqEvents.WORKER_STARTUP)
    try:
        yield broker
    finally:
        await _call_handlers(broker, TaskiqEvents.WORKER_SHUTDOWN)


async def _call_handlers(broker: AsyncBroker, event: TaskiqEvents) -> None:
    for handler in broker.event_handlers[event]:
        called = handler(broker.state)
        if inspect.isawaitable(called):
            await called


def without_dependencies(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function with the signature that callers of a task see.

    A dependency is passed by keyword, so the parameters after it cannot be passed by position.
    """
    graph = DependencyGraph(function)
    dependencies = {
        dependency.param_name
        for dependent, found in graph.dependencies.items()
        if dependent.dependency is function
        for dependency in found
    }
    parameters: list[inspect.Parameter] = []
    by_position = True
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in dependencies:
            by_position = False
        elif by_position or parameter.kind is parameter.VAR_KEYWORD:
            parameters.append(parameter)
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            parameters.append(parameter.replace(kind=parameter.KEYWORD_ONLY))

    def called() -> None:
        """Have a signature."""

    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return called


class Store:
    """What result backends and schedule sources would keep."""

    __slots__ = ("labels", "progress", "results", "saved", "scheduled", "unsaved", "workers")

    def __init__(self) -> None:
        #: By the id of the task.
        self.results: dict[str, TaskiqResult[Any]] = {}
        #: The results as a server keeps them, by the id of the task.
        self.saved: dict[str, bytes] = {}
        #: Ids of tasks that were performed and left no result.
        self.unsaved: set[str] = set()
        #: The progress of tasks, by the id of the task.
        self.progress: dict[str, Any] = {}
        #: By the id of the schedule.
        self.scheduled: dict[str, JobRecord] = {}
        self.labels = LabelSchedules()
        #: The brokers whose handlers of `WORKER_STARTUP` have run.
        self.workers: Started[AsyncBroker] = Started()


class Results(AsyncResultBackend[Any]):  # type: ignore[misc]
    """A result backend that returns what deliveries came to, and never waits."""

    def __init__(
        self,
        broker: AsyncBroker,
        real: AsyncResultBackend[Any],
        find_store: Callable[[], Store],
        find_result: Callable[[str], TaskiqResult[Any]],
    ) -> None:
        """Stand in for a result backend, with the present store: a sandbox has its own."""
        self.broker = broker
        self.real = real
        self._find_store = find_store
        self._find_result = find_result

    async def set_result(self, task_id: str, result: TaskiqResult[Any]) -> None:
        """Keep a result as the backends keep it that have a serializer.

        Raises:
            Exception: when it cannot be encoded. A worker only logs that, and the result never comes.
        """
        store = self._find_store()
        serializer = getattr(self.real, "serializer", None)
        if isinstance(serializer, TaskiqSerializer):
            store.unsaved.add(task_id)
            store.saved[task_id] = serializer.dumpb(result.model_dump(mode="json"))
            store.unsaved.discard(task_id)
        store.results[task_id] = result

    async def is_result_ready(self, task_id: str) -> bool:
        """Return True, False for a task that left no result, or raise: what nobody performs is never ready."""
        if task_id in self._find_store().unsaved:
            return False
        self.check(task_id)
        return True

    async def get_result(self, task_id: str, with_logs: bool = False) -> TaskiqResult[Any]:
        result = self._find_result(task_id)
        if isinstance(self.real, DummyResultBackend):
            # The application has no result backend, so it gets no result in production either.
            return await self.real.get_result(task_id, with_logs)
        saved = self._find_store().saved.get(task_id)
        if saved is None:
            return result.model_copy()
        serializer: Any = getattr(self.real, "serializer", None)
        return TaskiqResult.model_validate(serializer.loadb(saved))

    async def set_progress(self, task_id: str, progress: Any) -> None:
        self._find_store().progress[task_id] = progress

    async def get_progress(self, task_id: str) -> Any:
        return self._find_store().progress.get(task_id)

    def check(self, task_id: str) -> None:
        """Raise a NotPerformedError when a task has no result."""
        self._find_result(task_id)
