"""Brokers: how they acknowledge, the signatures of their tasks, and the stand-in for their result backend."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from taskiq import AsyncBroker
from taskiq.abc.result_backend import AsyncResultBackend
from taskiq.brokers.shared_broker import AsyncSharedBroker
from taskiq.result import TaskiqResult
from taskiq.result_backends.dummy import DummyResultBackend
from taskiq_dependencies import DependencyGraph

from ...errors import ApplicationError
from ..toolkit import JobRecord


def checked(broker: Any) -> AsyncBroker:
    """Return a broker, if it can be bridged.

    Raises:
        ApplicationError: for anything else.
    """
    if isinstance(broker, AsyncSharedBroker):
        raise ApplicationError(
            f"{broker!r} is the broker of shared tasks and sends nothing itself: name the broker that it sends to."
        )
    if not isinstance(broker, AsyncBroker):
        raise ApplicationError(
            f"{broker!r} is no broker of taskiq: name the broker that the tasks are registered with."
        )
    return broker


def acknowledges(broker: AsyncBroker) -> bool:
    """Say whether a broker keeps a message until the worker acknowledges it, by the annotation of `listen`."""
    listen = inspect.unwrap(type(broker).listen)
    annotation = inspect.get_annotations(listen).get("return", "")
    return "AckableMessage" in (annotation if isinstance(annotation, str) else repr(annotation))


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

    __slots__ = ("progress", "results", "scheduled", "unsaved")

    def __init__(self) -> None:
        #: By the id of the task.
        self.results: dict[str, TaskiqResult[Any]] = {}
        #: Ids of tasks that raised NoResultError when they were performed.
        self.unsaved: set[str] = set()
        #: The progress of tasks, by the id of the task.
        self.progress: dict[str, Any] = {}
        #: By the id of the schedule.
        self.scheduled: dict[str, JobRecord] = {}


class Results(AsyncResultBackend[Any]):  # type: ignore[misc]
    """A result backend that returns what deliveries came to, and never waits."""

    def __init__(
        self,
        broker: AsyncBroker,
        real: AsyncResultBackend[Any],
        find_store: Callable[[], Store],
        find_result: Callable[[str], TaskiqResult[Any]],
    ) -> None:
        """Stand in for a result backend.

        Args:
            broker: the broker.
            real: the result backend of the broker.
            find_store: returns the present store; a sandbox has its own.
            find_result: returns the result of the task with an id, or raises a NotPerformedError.
        """
        self.broker = broker
        self.real = real
        self._find_store = find_store
        self._find_result = find_result

    async def set_result(self, task_id: str, result: TaskiqResult[Any]) -> None:
        self._find_store().results[task_id] = result

    async def is_result_ready(self, task_id: str) -> bool:
        """Return True, or raise: a task that nobody performs will never be ready."""
        self.check(task_id)
        return True

    async def get_result(self, task_id: str, with_logs: bool = False) -> TaskiqResult[Any]:
        result = self._find_result(task_id)
        if isinstance(self.real, DummyResultBackend):
            # The application has no result backend, so it gets no result in production either.
            return await self.real.get_result(task_id, with_logs)
        return result.model_copy()

    async def set_progress(self, task_id: str, progress: Any) -> None:
        self._find_store().progress[task_id] = progress

    async def get_progress(self, task_id: str) -> Any:
        return self._find_store().progress.get(task_id)

    def check(self, task_id: str) -> None:
        """Raise a NotPerformedError when a task has no result."""
        self._find_result(task_id)
