"""What the report of a session shows, in plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from ..reached.reached import JobsReached
from ..seen.audited import ShownAudit

#: How good or bad something is: it has a colour and a sign.
Tone: TypeAlias = Literal["ok", "wait", "bad", "crash", "quiet"]

#: The tone of each status of a delivery, and of what became of a job without one.
TONES: Final[dict[str, Tone]] = {
    "performed": "ok",
    "retried": "wait",
    "snoozed": "wait",
    "discarded": "quiet",
    "halted": "quiet",
    "cancelled": "quiet",
    "exhausted": "bad",
    "failed": "bad",
    "crashed": "crash",
    "pending": "quiet",
    "removed": "quiet",
}
#: How a job ends that was not done.
LOST: Final = ("failed", "exhausted", "crashed")


@dataclass(frozen=True, slots=True)
class ShownAttempt:
    """One delivery of a job. Times are seconds since the first job of the test, by its virtual clock."""

    number: int
    at: float
    ended: float
    status: str
    #: The seconds until the next attempt; None without one.
    wait: float | None = None
    #: The error in one line; empty without one.
    error: str = ""
    #: Its place among everything that happened in the test.
    order: int = 0
    #: Where the error was raised; empty without one.
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class ShownJob:
    """One enqueued job with its deliveries: retries and redeliveries of it included."""

    #: The number of its first record.
    sequence: int
    name: str
    #: The job as a call: `charge(7)`.
    call: str
    library: str
    queue: str | None
    enqueued: float
    #: When it is due; None for at once.
    due: float | None = None
    #: The number of the first record of the job that enqueued it.
    parent: int | None = None
    attempts: tuple[ShownAttempt, ...] = ()
    #: What became of it: the status of the last delivery, or `pending` or `removed`.
    outcome: str = "pending"
    order: int = 0


@dataclass(frozen=True, slots=True)
class ShownTest:
    """One test and its jobs."""

    nodeid: str
    outcome: str
    #: When its first job was enqueued, by the virtual clock.
    began: str
    jobs: tuple[ShownJob, ...]


@dataclass(frozen=True, slots=True)
class Schedule:
    """The waits between the attempts of some jobs."""

    names: Sequence[str]
    waits: Sequence[float]
    #: How the job ended that went furthest.
    outcome: str


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything that a report shows."""

    title: str
    tests: Sequence[ShownTest] = ()
    #: How long jobs wait before each further attempt, in tests and in what `simulate_retries` returned.
    schedules: Sequence[Schedule] = ()
    #: How the tests reach each job; None where nobody looked.
    reached: JobsReached | None = None
    #: What checks found line by line; see `exploration.report.mapped`.
    maps: Sequence[dict[str, Any]] = ()
    #: What the lint found: rule, path, line and message; None where it did not run.
    findings: Sequence[dict[str, Any]] | None = None
    #: When and how pytest was called, with how many tests, of which commit, and with which versions.
    about: Sequence[str] = ()
    #: What `--jobs-audit` says; None where it did not run.
    audit: ShownAudit | None = None
