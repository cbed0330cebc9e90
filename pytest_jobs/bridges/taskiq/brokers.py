"""The tasks of the bridged brokers."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

from taskiq import AsyncBroker, InMemoryBroker
from taskiq.acks import AcknowledgeType
from taskiq.brokers.shared_broker import AsyncSharedBroker
from taskiq.decor import AsyncTaskiqDecoratedTask
from taskiq.message import BrokerMessage
from taskiq_dependencies import DependencyGraph

from ...core.foundation.signature import Binder
from ...errors import AmbiguousJobError, ApplicationError, CriterionError, DeclarationError
from ...harness.records.bridge import DeliverySemantics
from ...harness.records.patches import Patches
from .results import Results, Store


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


def take_over(
    broker: AsyncBroker,
    patches: Patches,
    kick: Callable[[BrokerMessage], Awaitable[None]],
    find_store: Callable[[], Store],
) -> None:
    """Keep a broker from its server, as long as the patches hold.

    Args:
        broker: the broker.
        patches: put everything back.
        kick: is called with every message instead.
        find_store: returns where the results are.
    """
    patches.set(broker, "kick", kick)
    patches.set(broker, "listen", _hear_nothing)
    patches.set(broker, "result_backend", Results(broker.result_backend, find_store))
    if not isinstance(broker, InMemoryBroker):
        # The base class calls event handlers and middlewares; what a derived one adds is connections.
        patches.set(broker, "startup", functools.partial(AsyncBroker.startup, broker))
        patches.set(broker, "shutdown", functools.partial(AsyncBroker.shutdown, broker))


async def _hear_nothing() -> AsyncGenerator[bytes, None]:
    """Wait, as a worker inside the application does whose messages are performed by the test."""
    await asyncio.Event().wait()
    yield b""


def acknowledges(broker: AsyncBroker) -> bool:
    """Say whether a broker keeps a message until the worker acknowledges it, as `listen` is annotated."""
    annotation = inspect.get_annotations(type(broker).listen).get("return", "")
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


Task: TypeAlias = AsyncTaskiqDecoratedTask[Any, Any]


class Tasks:
    """Finds a task by what a test calls it."""

    def __init__(self, brokers: Sequence[Any]) -> None:
        """Look at brokers.

        Raises:
            ApplicationError: when one of them is no broker that can be bridged, or there is none.
        """
        self.brokers: tuple[AsyncBroker, ...] = tuple(checked(broker) for broker in brokers)
        if not self.brokers:
            raise ApplicationError(
                "There is no broker to bridge: name the broker that the tasks are registered with."
            )
        #: Names of tasks that were enqueued, of other services' tasks too.
        self.seen: set[str] = set()
        self._binders: dict[Callable[..., Any], Binder] = {}

    def owns(self, broker: object) -> bool:
        """Say whether a broker is one of those bridged."""
        return any(broker is each for each in self.brokers)

    def identify(self, job: object) -> str | None:
        """Return the name of a task of one of the brokers, of a shared task, or of a task that was enqueued.

        Raises:
            AmbiguousJobError: when it is a name, and two brokers have tasks of it.
        """
        if isinstance(job, AsyncTaskiqDecoratedTask):
            name: str = job.task_name
            return name if self.owns(job.broker) or _is_shared(job) else None
        if isinstance(job, str) and (self._find(job) is not None or job in self.seen):
            return job
        return None

    def is_same(self, task: Task, broker: AsyncBroker) -> bool:
        """Say whether a message that was sent to a broker is of this task, whose name it has."""
        found = broker.find_task(task.task_name)
        return found is None or found is task or _is_shared(task)

    def known(self, job: object) -> Task:
        """Return the task that is meant.

        Raises:
            AmbiguousJobError: when it is a name, and two brokers have tasks of it.
            CriterionError: when it is nothing of these brokers.
            DeclarationError: when there is no such task here, only its name.
        """
        if self.identify(job) is None:
            raise CriterionError(f"{job!r} is no task of {self}.")
        task = self._find(job) if isinstance(job, str) else job
        if not isinstance(task, AsyncTaskiqDecoratedTask):
            raise DeclarationError(
                f"{job!r} is registered with none of {self}, so there is no function to look at: import the "
                "module that declares the task, or name what this service declares."
            )
        return task

    def broker_of(self, job: object) -> AsyncBroker:
        """Return the broker to which a task is sent.

        Raises:
            CriterionError: when it is a shared task and nothing says to which.
        """
        task = self.known(job)
        broker = task.broker
        if _is_shared(task):
            broker = getattr(broker, "_default_broker", None) or broker
        if self.owns(broker):
            return broker
        if len(self.brokers) == 1:
            return self.brokers[0]
        raise CriterionError(
            f"{task.task_name} is a shared task, and which of {self} it goes to is not known: write "
            "`async_shared_broker.default_broker(broker)`."
        )

    def binder(self, job: object) -> Binder:
        """Return what binds the arguments that a caller passes, dependencies left out."""
        task = self.known(job)
        function: Callable[..., Any] = task.original_func
        if function not in self._binders:
            self._binders[function] = Binder(_called(function), label=task.task_name)
        return self._binders[function]

    def _find(self, name: str) -> Task | None:
        found = {
            id(task): task
            for broker in self.brokers
            if (task := broker.find_task(name)) is not None
        }
        if len(found) > 1:
            raise AmbiguousJobError(
                f"{name!r} names a task of each of {self}, so it can mean any of them: name the task object."
            )
        return next(iter(found.values()), None)

    def __str__(self) -> str:
        return " and ".join(repr(broker) for broker in self.brokers)


def _is_shared(task: Task) -> bool:
    return isinstance(task.broker, AsyncSharedBroker)


def _called(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function with the signature that callers see.

    A dependency comes by keyword. What stands after one cannot be passed by position.
    """
    dependencies = _dependencies(function)
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


def _dependencies(function: Callable[..., Any]) -> set[str]:
    graph = DependencyGraph(function)
    return {
        dependency.param_name
        for dependent, dependencies in graph.dependencies.items()
        if dependent.dependency is function
        for dependency in dependencies
    }
