"""A job as it travels, and what one delivery of it came to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from types import NoneType
from typing import Any, Final, Literal, TypeAlias

from ...errors import DeserializationError
from .registry import registry

#: The version of the layout of `to_dict`.
FORMAT = 1

#: What `to_dict` writes.
_KINDS: Final[Mapping[str, tuple[Any, ...]]] = {
    "job": (str,),
    "job_id": (str,),
    "queue": (str,),
    "priority": (int, NoneType),
    "arguments": (list, dict),
    "attempt": (int,),
    "failures": (Mapping, NoneType),
    "enqueued_ns": (int,),
    "due_ns": (int, NoneType),
    "headers": (Mapping, NoneType),
}

# The headers of a payload, by name.

#: The current attributes, by class and attribute.
CONTEXT: Final = "context"
#: The id of the batch that the job belongs to.
BATCH: Final = "batch"
#: Of a callback of a batch: the id of that batch.
BATCH_CALLBACK: Final = "batch_callback"
#: The key of the lock of a unique job.
UNIQUE: Final = "unique"
#: The key of the concurrency limit.
LIMIT: Final = "limit"
#: How often the job was put off without an attempt.
SNOOZED: Final = "snoozed"


class Payload:
    """The serialised job. Treat it as read-only: it is what is delivered again.

    `arguments` is JSON text and is the snapshot of the arguments. `job` is the class where the
    payload was made in this process; a payload that came through a transport finds its class by
    name. Times are nanoseconds since the epoch.
    """

    __slots__ = (
        "arguments",
        "attempt",
        "due_ns",
        "enqueued_ns",
        "failures",
        "headers",
        "job_id",
        "known_job",
        "name",
        "priority",
        "queue",
    )

    def __init__(
        self,
        job: type[Any] | None,
        name: str,
        job_id: str,
        queue: str,
        priority: int | None,
        arguments: str,
        attempt: int,
        failures: Mapping[str, int] | None,
        enqueued_ns: int,
        due_ns: int | None,
        headers: Mapping[str, object] | None = None,
    ) -> None:
        #: The job class; None until a payload from a transport was asked for its class.
        self.known_job = job
        self.name = name
        self.job_id = job_id
        self.queue = queue
        self.priority = priority
        self.arguments = arguments
        self.attempt = attempt
        self.failures = failures
        self.enqueued_ns = enqueued_ns
        self.due_ns = due_ns
        self.headers = headers

    @property
    def expires_ns(self) -> None:
        """Always None: the core's jobs do not expire."""
        return None

    @property
    def job(self) -> type[Any]:
        """The job class.

        Raises:
            UnknownJobError: when the payload came through a transport and no class has its name.
            AmbiguousJobError: when more than one has.
        """
        if self.known_job is None:
            self.known_job = registry.find(self.name)
        return self.known_job

    def snoozed(self, now_ns: int, due_ns: int | None) -> Payload:
        """Return the same attempt once more, for later.

        Args:
            now_ns: the time, in nanoseconds since the epoch.
            due_ns: when it is due; None for at once.
        """
        again, headers = copy(self), self.headers or {}
        times = headers.get(SNOOZED, 0)
        again.headers = {**headers, SNOOZED: times + 1 if isinstance(times, int) else 1}
        again.enqueued_ns, again.due_ns = now_ns, due_ns
        return again

    @property
    def is_first(self) -> bool:
        """Whether the application itself enqueued it: it is neither a retry nor put off."""
        return self.attempt == 1 and (self.headers is None or SNOOZED not in self.headers)

    def to_dict(self) -> dict[str, Any]:
        """Return the payload as JSON-safe data, for a transport.

        Raises:
            UnknownJobError: when the class lives inside a function and so cannot be found again.
            AmbiguousJobError: when another class has the same name.
        """
        if self.known_job is not None:
            registry.check_findable(self.known_job)
        return {
            "format": FORMAT,
            "job": self.name,
            "job_id": self.job_id,
            "queue": self.queue,
            "priority": self.priority,
            "arguments": json.loads(self.arguments),
            "attempt": self.attempt,
            "failures": dict(self.failures or {}),
            "enqueued_ns": self.enqueued_ns,
            "due_ns": self.due_ns,
            "headers": dict(self.headers or {}),
        }

    @classmethod
    def from_dict(cls, data: Any) -> Payload:
        """Return the payload that `to_dict` described.

        Raises:
            DeserializationError: when the data has another layout.
        """
        if not isinstance(data, Mapping) or data.get("format") != FORMAT:
            found = data.get("format") if isinstance(data, Mapping) else data
            raise DeserializationError(
                f"This payload has format {found!r}; this version of pytest-jobs reads "
                f"format {FORMAT}. It was not written by `Payload.to_dict`, or by a later version."
            )
        for name, kinds in _KINDS.items():
            if name not in data:
                raise DeserializationError(
                    f"This payload lacks {name!r}, which every payload of format {FORMAT} has."
                )
            if not isinstance(data[name], kinds):
                raise DeserializationError(
                    f"This payload has {name}={data[name]!r}, and `Payload.to_dict` writes no such value there: "
                    "it was changed on its way."
                )
        try:
            arguments = json.dumps(data["arguments"], separators=(",", ":"))
        except (RecursionError, TypeError, ValueError) as error:
            raise DeserializationError(
                f"The arguments of this payload are not JSON that can be written: {error}."
            ) from error
        return cls(
            None,
            data["job"],
            data["job_id"],
            data["queue"],
            data["priority"],
            arguments,
            data["attempt"],
            data["failures"] or None,
            data["enqueued_ns"],
            data["due_ns"],
            data["headers"] or None,
        )

    def __repr__(self) -> str:
        return f"<Payload {self.name} {self.arguments} job_id={self.job_id} attempt={self.attempt}>"


Status: TypeAlias = Literal[
    "performed", "retried", "discarded", "exhausted", "failed", "halted", "snoozed"
]

#: The statuses of the last delivery of a job that was given up.
GIVEN_UP: Final = frozenset(("failed", "exhausted", "discarded"))


@dataclass(slots=True, eq=False, repr=False)
class Execution:
    """What one delivery came to.

    `error` is what `perform` raised. `handled` says that the job's own declarations dealt with it;
    an error that is not handled is what a worker reports. Waits are nanoseconds. `aftermath` names
    what ran because the job was given up, in order.
    """

    status: Status
    result: object = None
    error: BaseException | None = None
    handled: bool = True
    wait_ns: int | None = None
    wait_bounds_ns: tuple[int, int] | None = None
    aftermath: tuple[str, ...] = field(default=(), init=False)

    def __repr__(self) -> str:
        return f"<Execution {self.status} result={self.result!r} error={self.error!r}>"


@dataclass(slots=True, eq=False, repr=False)
class DeadLetter:
    """A payload that will not be performed again, and why."""

    #: The payload as it was enqueued, readable or not.
    payload: Payload
    #: `failed`, `exhausted` or `discarded`.
    status: str
    #: What the last attempt raised.
    error: BaseException | None

    @property
    def attempts(self) -> int:
        """How many attempts were made."""
        return self.payload.attempt

    def __repr__(self) -> str:
        return (
            f"<DeadLetter {self.payload.name} {self.status} after {self.attempts}: {self.error!r}>"
        )
