"""Brokers: how they acknowledge, what callers pass to their tasks, and what stands in for their result backend."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from taskiq import AsyncBroker
from taskiq.abc.result_backend import AsyncResultBackend
from taskiq.acks import AcknowledgeType
from taskiq.brokers.shared_broker import AsyncSharedBroker
from taskiq.result import TaskiqResult
from taskiq.result_backends.dummy import DummyResultBackend
from taskiq_dependencies import DependencyGraph

from ...errors import ApplicationError
from ..toolkit import DeliverySemantics, JobRecord


def checked(broker: Any) -> AsyncBroker:
    """Return a broker that can be bridged.

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
    """Say whether a broker keeps a message until the worker acknowledges it, as `listen` is annotated."""
    listen = inspect.unwrap(type(broker).listen)
    annotation = inspect.get_annotations(listen).get("return", "")
    return "AckableMessage" in (annotation if isinstance(annotation, str) else repr(annotation))


def semantics_of(
    broker: AsyncBroker, labels: Mapping[str, Any], ack_type: AcknowledgeType
) -> DeliverySemantics:
    """Return what a broker does with a message whose worker fails.

    Args:
        broker: the broker.
        labels: those of the task, of which `ack_type` goes before the option of the worker.
        ack_type: the option of the worker.
    """
    named = str(getattr(labels.get("ack_type"), "value", labels.get("ack_type") or ack_type.value))
    is_kept = acknowledges(broker) and named.lower() != AcknowledgeType.WHEN_RECEIVED.value
    return DeliverySemantics(
        acknowledged="after" if is_kept else "before",
        # A task that acknowledges by hand has not done so when it raises.
        redelivered_on_raise=is_kept and named.lower() == "manual",
        redelivered_on_kill=is_kept,
        redelivered_on_outage=is_kept,
    )


def without_dependencies(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that has the signature which callers of a task see.

    A dependency comes by keyword. Parameters after one cannot be passed by position.
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
        #: Ids of tasks that were performed and asked for no result to be saved.
        self.unsaved: set[str] = set()
        #: How far tasks have come, by the id of the task.
        self.progress: dict[str, Any] = {}
        #: By the id of the schedule.
        self.scheduled: dict[str, JobRecord] = {}


class Results(AsyncResultBackend[Any]):  # type: ignore[misc]
    """Serves results from deliveries, and never waits."""

    def __init__(
        self,
        broker: AsyncBroker,
        real: AsyncResultBackend[Any],
        find_store: Callable[[], Store],
        find_result: Callable[[str], TaskiqResult[Any]],
    ) -> None:
        """Take the place of a result backend.

        Args:
            broker: whose result backend it is.
            real: that result backend.
            find_store: returns where the results are now, which in a sandbox is elsewhere.
            find_result: returns the result of the task with an id. Raises a NotPerformedError when there is none,
                for which the library would wait.
        """
        self.broker = broker
        self.real = real
        self._find_store = find_store
        self._find_result = find_result

    async def set_result(self, task_id: str, result: TaskiqResult[Any]) -> None:
        """Keep a result."""
        self._find_store().results[task_id] = result

    async def is_result_ready(self, task_id: str) -> bool:
        """Return True, or raise: a task that nobody performs will never be ready."""
        self.check(task_id)
        return True

    async def get_result(self, task_id: str, with_logs: bool = False) -> TaskiqResult[Any]:
        """Return a result."""
        result = self._find_result(task_id)
        if isinstance(self.real, DummyResultBackend):
            # The application was given no result backend, so it gets no result from a worker either.
            return await self.real.get_result(task_id, with_logs)
        return result.model_copy()

    async def set_progress(self, task_id: str, progress: Any) -> None:
        """Keep how far a task has come."""
        self._find_store().progress[task_id] = progress

    async def get_progress(self, task_id: str) -> Any:
        """Return how far a task has come; None when it did not say."""
        return self._find_store().progress.get(task_id)

    def check(self, task_id: str) -> None:
        """Raise when a task has no result."""
        self._find_result(task_id)
