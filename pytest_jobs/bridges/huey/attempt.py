"""One delivery of a task of Huey."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from huey import signals
from huey.api import Task

from ...errors import BridgeError
from ..toolkit import Attempt, Delivery
from .messages import TaskMessage

#: The signals of a task that is dropped with an error, when it has no retries left.
_DROPPING: Final = frozenset(
    (signals.SIGNAL_CANCELED, signals.SIGNAL_LOCKED, getattr(signals, "SIGNAL_RATE_LIMITED", ""))
)


class HueyAttempt(Attempt[TaskMessage]):
    """One delivery of a task, with what is noted of it while it runs."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        #: The task that `Huey.execute` is called with.
        self.task: Task | None = None
        #: The signals of this task.
        self.signals: set[str] = set()
        #: The time that Huey has read last, to which it adds the wait of a retry.
        self.read_ns = self.now_ns
        #: An error that ends a worker.
        self.ending: BaseException | None = None
        #: The task while it goes through the schedule to the worker; None at other times.
        self.on_the_way: bytes | None = None

    def run(self, body: Callable[[], Any]) -> Any:
        try:
            return self.around(body)
        except Exception as error:
            self.error = error
            raise
        except BaseException as error:
            # Huey takes a KeyboardInterrupt for the end of its consumer, and goes on.
            self.ending = error
            raise

    def outcome(self, value: object) -> Delivery:
        """Return what the delivery came to.

        Raises:
            BridgeError: when nothing was performed.
        """
        error, seen = self.error, self.signals
        if self.again is not None:
            return self.retried(error, is_exact=True)
        if signals.SIGNAL_COMPLETE in seen:
            return self.performed(value)
        if signals.SIGNAL_REVOKED in seen:
            return Delivery(self.record, self.now_ns, "cancelled")
        if signals.SIGNAL_EXPIRED in seen:
            return Delivery(self.record, self.now_ns, "discarded")
        if signals.SIGNAL_CANCELED in seen and error is None:
            return Delivery(self.record, self.now_ns, "halted")
        if seen & _DROPPING and error is not None:
            return Delivery(self.record, self.now_ns, "discarded", error=error)
        if error is not None:
            return self.failed(error, "exhausted" if self.message.retries_at_first else "failed")
        raise BridgeError(
            f"{type(self.message.huey).__name__}.execute performed nothing of {self.record!r}: it did not run the "
            "task, and sent no signal that says why. Let it call `super().execute(task, timestamp)`."
        )
