"""The retries of one job, as a schedule: simulated, and as text."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ...errors import CriterionError, NotPerformedError
from ..ledger.ledger import Ledger
from ..ledger.selection import Selection
from ..records.delivery import Delivery, Status
from ..records.record import JobRecord
from ..records.targets import Target, Targets
from ..records.texts import duration, error_text, short_name, table
from .faults import RAISE_INSIDE, Raising, checked_error, fresh_error, skipped_word
from .performer import Body, SimulatedBody
from .verbs import Plan

#: The characters of the longest bar in the text.
_BAR_WIDTH = 24


@dataclass(frozen=True, slots=True)
class TimelineAttempt:
    """One attempt of a simulated job."""

    #: Its number, counted from 1.
    number: int
    #: When it began.
    at: datetime
    #: How long after the first attempt it began.
    offset: timedelta
    #: How it ended.
    status: Status
    #: The time until the next attempt is due; None for the last attempt.
    wait: timedelta | None
    #: The shortest and the longest that jitter could have made that wait.
    bounds: tuple[timedelta, timedelta] | None
    #: The error that it raised.
    error: BaseException | None
    #: The queue it was taken from.
    queue: str | None


class RetryTimeline:
    """The attempts of one job, from `jobs.simulate_retries`. `str()` draws them."""

    __slots__ = ("_attempts", "_name", "_word")

    def __init__(self, name: str, deliveries: Sequence[Delivery], word: str = "") -> None:
        """Describe a simulation.

        Args:
            name: the name of the job.
            deliveries: its attempts.
            word: how the body asks for a retry itself, where it did not run; empty if the library decides alone.
        """
        self._name = name
        self._word = word
        start = deliveries[0].at
        self._attempts = tuple(
            TimelineAttempt(
                delivery.record.attempt,
                delivery.at,
                delivery.at - start,
                delivery.status,
                delivery.wait,
                delivery.wait_bounds,
                delivery.error,
                delivery.record.queue,
            )
            for delivery in deliveries
        )

    @property
    def name(self) -> str:
        """The name of the job."""
        return self._name

    @property
    def attempts(self) -> tuple[TimelineAttempt, ...]:
        """The attempts, in order."""
        return self._attempts

    @property
    def waits(self) -> list[timedelta]:
        """The waits between the attempts.

        Raises:
            NotPerformedError: when the body decides about them, and did not run; see `undecided`.
        """
        if self.undecided:
            raise NotPerformedError(f"The waits of {self._name} are not known. {self.undecided}")
        return [attempt.wait for attempt in self._attempts if attempt.wait is not None]

    @property
    def wait_seconds(self) -> list[float]:
        """The waits between the attempts in seconds, as `waits` has them; whole seconds are ints."""
        seconds = (wait.total_seconds() for wait in self.waits)
        return [int(wait) if wait == int(wait) else wait for wait in seconds]

    @property
    def total(self) -> timedelta:
        """The time from the first to the last attempt."""
        return self._attempts[-1].offset

    @property
    def status(self) -> Status:
        """How the last attempt ended; `retried` when the simulation stopped before the job did."""
        return self._attempts[-1].status

    @property
    def undecided(self) -> str:
        """Why it does not show what production does, and what to write instead; empty if it does.

        A body that asks for its retries itself decides about them, and it did not run.
        """
        if not self._word:
            return ""
        return (
            f"The body asks for its retries itself by {self._word}, and the error was raised in its place, so it "
            f"asked for none. {RAISE_INSIDE}"
        )

    @property
    def headline(self) -> str:
        """The timeline in one line."""
        if self._word:
            return f"{self._name}: not decided, since its body asks for retries and did not run"
        count = len(self._attempts)
        attempts = "1 attempt" if count == 1 else f"{count} attempts"
        status = "still retried" if self.status == "retried" else self.status
        return f"{self._name}: {status} after {attempts} in {duration(self.total)}"

    def __str__(self) -> str:
        waits = (attempt.wait for attempt in self._attempts if attempt.wait is not None)
        longest = max((wait.total_seconds() for wait in waits), default=0)
        rows = []
        for attempt in self._attempts:
            wait, bar = "-", ""
            if attempt.wait is not None:
                wait = duration(attempt.wait)
                if attempt.bounds is not None and attempt.bounds[0] != attempt.bounds[1]:
                    wait += f" ({duration(attempt.bounds[0])} to {duration(attempt.bounds[1])})"
                if longest:
                    share = attempt.wait.total_seconds() / longest
                    bar = "#" * max(1, round(_BAR_WIDTH * share))
            starts = f"+{duration(attempt.offset)}"
            rows.append((str(attempt.number), starts, wait, bar, _end_text(attempt)))
        parts = [self.headline, self.undecided] if self.undecided else [self.headline]
        return "\n".join((*parts, table(("attempt", "starts", "waits", "", "ends"), rows)))

    def __repr__(self) -> str:
        return f"<RetryTimeline {self.headline}>"


def _end_text(attempt: TimelineAttempt) -> str:
    if attempt.error is None:
        return attempt.status
    return f"{attempt.status}: {error_text(attempt.error)}"


class Simulation:
    """Performs one job that fails again and again, and perhaps succeeds at last, in a sandbox."""

    __slots__ = ("_limit", "_raising", "_succeed_on", "_target")

    def __init__(
        self, target: Target, raising: Raising, *, succeed_on: int | None, limit: int
    ) -> None:
        self._target = target
        self._raising = checked_error(raising, "raising")
        if succeed_on is not None and (type(succeed_on) is not int or succeed_on < 1):
            raise CriterionError(
                f"succeed_on={succeed_on!r} is not an attempt: write the number of the attempt that succeeds, "
                "from 1."
            )
        if type(limit) is not int or limit < 1:
            raise CriterionError(
                f"limit={limit!r} is not a number of attempts: write an int of at least 1."
            )
        self._succeed_on = succeed_on
        self._limit = limit

    def enqueue(
        self, ledger: Ledger, args: Sequence[Any] | None, kwargs: Mapping[str, Any] | None
    ) -> Awaitable[object] | None:
        """Enqueue the job. Without any arguments None stands for each that is required.

        Returns:
            An awaitable that enqueues it, where the library is asynchronous; otherwise None.
        """
        # Now, so that no real time passes between the first attempt and its retry.
        ledger.clock.freeze()
        bridge, job = self._target.bridge, self._target.job
        if args is not None or kwargs is not None:
            return bridge.enqueue(job, tuple(args or ()), kwargs or {})
        blank, named = bridge.signature(job).blank()
        try:
            enqueueing = bridge.enqueue(job, blank, named)
        except ImportError:
            # A driver of the broker is missing, whatever the arguments are.
            raise
        except Exception as error:
            raise self._not_enqueued_blank(error) from error
        return None if enqueueing is None else self._enqueued_blank(enqueueing)

    def first(self, ledger: Ledger) -> JobRecord:
        """Return the record of the job, among those that its callbacks may have enqueued.

        Raises:
            CriterionError: when it was not enqueued.
        """
        first = next(filter(self._target.is_job_of, ledger.records), None)
        if first is None:
            raise CriterionError(
                f"{self._target.name} was not enqueued: a callback halted it, so there is nothing to simulate. "
                "Give the arguments with which it is enqueued."
            )
        return first

    async def _enqueued_blank(self, enqueueing: Awaitable[object]) -> None:
        try:
            await enqueueing
        except Exception as error:
            raise self._not_enqueued_blank(error) from error

    def _not_enqueued_blank(self, error: Exception) -> CriterionError:
        return CriterionError(
            f"{self._target.name} cannot be enqueued with None for each argument ({type(error).__name__}: "
            f"{error}): give simulate_retries the args= or kwargs= with which it is enqueued."
        )

    def plan(self, ledger: Ledger, targets: Targets, first: JobRecord) -> Plan[list[Delivery]]:
        """Perform the job and its retries, but no job that they enqueue."""
        selection = Selection(targets, only=lambda record: record.job_id == first.job_id)
        deliveries: list[Delivery] = []
        while len(deliveries) < self._limit:
            record = ledger.take(selection)
            if record is not None:
                deliveries.append((yield record))
                continue
            due_ns = ledger.next_due_ns(selection)
            if due_ns is None:
                break
            ledger.clock.reach_ns(due_ns)
        return deliveries

    def timeline(self, first: JobRecord, deliveries: Sequence[Delivery]) -> RetryTimeline:
        is_raised = any(delivery.record.attempt != self._succeed_on for delivery in deliveries)
        word = skipped_word(self._target, self._raising) if is_raised else ""
        return RetryTimeline(short_name(first.name), deliveries, word)

    def body(self, record: JobRecord) -> Body:
        error = None if record.attempt == self._succeed_on else fresh_error(self._raising)
        return SimulatedBody(error, record.source.is_coroutine(record))
