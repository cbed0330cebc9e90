"""One delivery through the receiver of Taskiq's worker."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import CoroutineType
from typing import Any

from taskiq import AsyncBroker, TaskiqMiddleware
from taskiq.acks import AckableMessage, AcknowledgeType
from taskiq.message import TaskiqMessage
from taskiq.receiver import Receiver
from taskiq.receiver.params_parser import parse_params
from taskiq.result import TaskiqResult

from ..toolkit import JOB_ERRORS, Attempt, ThisThread, waited_for
from .messages import SentMessage


class TaskAttempt(Attempt[SentMessage]):
    """One delivery of a task, with what is noted of it while it runs."""

    #: The message as the middlewares passed it on; None when no task was run.
    run_message: TaskiqMessage | None = None
    #: The time to which a middleware added its wait, in nanoseconds since the epoch.
    computed_from_ns: int | None = None


class _Witness(TaskiqMiddleware):  # type: ignore[misc]
    """Notes the error of an attempt, before the middlewares of the application can replace it."""

    def __init__(self, attempt: TaskAttempt) -> None:
        super().__init__()
        self._attempt = attempt

    def on_error(
        self, message: TaskiqMessage, result: TaskiqResult[Any], exception: BaseException
    ) -> None:
        """Note the error.

        Raises:
            BaseException: an error that ends the worker, so that no other middleware is called.
        """
        if message is not self._attempt.run_message:
            return
        if not isinstance(exception, JOB_ERRORS):
            raise exception
        self._attempt.error = exception


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """The options of `taskiq worker` that decide what becomes of a message."""

    #: When a message is acknowledged, unless its task says otherwise: `--ack-type`.
    ack_type: AcknowledgeType = AcknowledgeType.WHEN_SAVED
    #: Whether arguments are parsed as their annotations say: not `--no-parse`.
    validate_params: bool = True
    #: Whether dependencies get the error of a task: not `--no-propagate-errors`.
    propagate_exceptions: bool = True


class HarnessReceiver(Receiver):  # type: ignore[misc]
    """The receiver of a worker, for one message at a time, in the thread of the test."""

    #: The attempt that this copy of the receiver makes; see `receive`.
    _attempt: TaskAttempt

    def __init__(self, broker: AsyncBroker, options: WorkerOptions, *, is_ackable: bool) -> None:
        """Prepare a receiver, for a broker whose messages may be acknowledged or not."""
        self._prepared: dict[str, tuple[Callable[..., Any], bool]] = {}
        super().__init__(
            broker,
            executor=ThisThread(),
            validate_params=options.validate_params,
            max_async_tasks=1,
            propagate_exceptions=options.propagate_exceptions,
            run_startup=False,
            ack_type=options.ack_type,
        )
        self._is_ackable = is_ackable

    async def receive(self, attempt: TaskAttempt, data: bytes) -> None:
        """Perform one message.

        Raises:
            BaseException: an error of the task that does not derive from Exception, or the error of a middleware.
        """
        once = object.__new__(HarnessReceiver)
        once.__dict__ = {**self.__dict__, "_attempt": attempt}
        message = AckableMessage(data=data, ack=_acknowledge) if self._is_ackable else data
        middlewares, witness = self.broker.middlewares, _Witness(attempt)
        middlewares.append(witness)
        try:
            await once.callback(message, raise_err=True)
        finally:
            middlewares.remove(witness)

    def run_task(
        self, target: Callable[..., Any], message: TaskiqMessage, *rest: Any, **named: Any
    ) -> CoroutineType[Any, Any, TaskiqResult[Any]]:
        """Run a task, whose body is called by `around`."""
        around, now_ns = self._attempt.around, self._attempt.bridge.sink.now_ns

        async def awaited(*args: Any, **kwargs: Any) -> Any:
            return await around(functools.partial(target, *args, **kwargs))

        def called(*args: Any, **kwargs: Any) -> Any:
            call = functools.partial(around, functools.partial(target, *args, **kwargs))
            timeout = message.labels.get("timeout")
            return waited_for(timeout and float(timeout), now_ns, call)

        body = awaited if self._prepare(message.task_name, target) else called
        self._attempt.run_message = message
        running: CoroutineType[Any, Any, TaskiqResult[Any]]
        running = super().run_task(body, message, *rest, **named)
        return running

    def parse(self, message: TaskiqMessage) -> None:
        """Parse the arguments of a message as the annotations of its task say, as `run_task` does."""
        task = self.broker.find_task(message.task_name)
        if task is not None and self.validate_params:
            name = message.task_name
            self._prepare(name, task.original_func)
            parse_params(self.task_signatures[name], self.task_hints[name], message)

    def _prepare(self, name: str, target: Callable[..., Any]) -> bool:
        """Read the signature of a task, again when another function has taken the name.

        Returns:
            Whether it is a coroutine function.
        """
        known, is_coroutine = self._prepared.get(name, (None, False))
        if known is not target:
            super()._prepare_task(name, target)
            is_coroutine = inspect.iscoroutinefunction(target)
            self._prepared[name] = target, is_coroutine
        return is_coroutine

    def _prepare_task(self, name: str, handler: Callable[..., Any]) -> None:
        """Do nothing: a worker prepares all tasks when it starts, and a test performs few of them."""


async def _acknowledge() -> None:
    """There is no broker to tell."""
