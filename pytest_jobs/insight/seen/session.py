"""The values: what was seen in each test, and in a session."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple


class SeenJob(NamedTuple):
    """A job, by the name that its library has for it, and the place of its body."""

    bridge: str
    name: str
    #: The file of the body, and its first line, decorators included; "" and 0 when there is no body here.
    file: str = ""
    line: int = 0


class SeenRecord(NamedTuple):
    """An enqueued job."""

    sequence: int
    job: SeenJob
    #: The job as a call, such as `Pay(7)`; only its name when arguments were not asked for.
    call: str
    queue: str | None
    #: "enqueue", "retry" or "redelivery".
    origin: str
    attempt: int
    enqueued_ns: int
    due_ns: int | None
    #: The sequence of the job that enqueued it, and of the record that it retries.
    parent: int | None
    retry_of: int | None
    #: "pending", "taken" or "removed" when the harness was closed.
    state: str
    #: The id that the library gave it, which a retry and a redelivery keep.
    job_id: str = ""


class SeenDelivery(NamedTuple):
    """One attempt of a record, or one of a simulated job."""

    #: The sequence of the record; the number of the attempt in a simulation.
    record: int
    status: str
    began_ns: int
    ended_ns: int
    wait_ns: int | None
    #: The error in a line; "" without one.
    error: str
    #: The names of its classes, the nearest first, as in `["Timeout", "OSError"]`.
    error_classes: list[str]
    #: The functions that ran because the job was given up.
    aftermath: list[str]
    #: How many records there were when it began; 0 in a simulation.
    known: int = 0
    #: Where the error was raised; "" without one, and when arguments were not asked for.
    traceback: str = ""


class SeenTimeline(NamedTuple):
    """The retries of a job by `simulate_retries`."""

    job: SeenJob
    deliveries: list[SeenDelivery]


class SeenCheck(NamedTuple):
    """One check by `check_idempotent` or `check_handoff`."""

    #: What was checked: a job, or the function that hands work off.
    job: SeenJob
    is_handoff: bool
    #: What the report draws of it; None where nobody asked.
    map: dict[str, Any] | None = None


class SeenFiring(NamedTuple):
    """A recurring task that was due: of a schedule, or of a job library itself."""

    #: The key of the task in its schedule; "" for the schedules of libraries.
    key: str
    at_ns: int
    #: The sequences of the records that it enqueued.
    records: list[int]


@dataclass
class SeenTest:
    """What was seen in one harness: that of a test, or that of the session, whose node id is empty."""

    nodeid: str
    #: "passed", "failed" or "skipped"; "" until the test has ended.
    outcome: str = ""
    #: When the clock stopped to run by itself; None if it ran until the end.
    froze_ns: int | None = None
    records: list[SeenRecord] = field(default_factory=list)
    deliveries: list[SeenDelivery] = field(default_factory=list)
    timelines: list[SeenTimeline] = field(default_factory=list)
    checks: list[SeenCheck] = field(default_factory=list)
    firings: list[SeenFiring] = field(default_factory=list)


@dataclass
class SeenSession:
    """What was seen in all tests of a session."""

    tests: list[SeenTest] = field(default_factory=list)

    def add(self, other: SeenSession) -> None:
        """Take over what another process saw."""
        self.tests += other.tests
