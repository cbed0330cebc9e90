"""The retries of one job, as a schedule: simulated, as text and as a picture."""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
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
    """The attempts of one job, from `jobs.simulate_retries`. `str()` draws them, `svg()` as a picture."""

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

    def svg(self) -> str:
        """Return the timeline as an SVG picture."""
        return _picture(self)

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


# The picture. Times are on a logarithmic axis: a second takes as much room as ten times as long later on.

_ROW = 30
_TOP = 80
_LEFT = 56
_PLOT = 460
_WIDTH = _LEFT + _PLOT + 300  # the last part is for the texts
_TICKS = (0, 1, 10, 60, 600, 3_600, 21_600, 86_400, 604_800, 2_592_000, 31_536_000)
_COLOURS = {"performed": "#2da44e", "retried": "#bf8700", "discarded": "#6e7781"}
_FAILURE = "#cf222e"
_FONT = 'font-family="ui-sans-serif, system-ui, sans-serif" font-size="13"'
_CHARACTER = 6  # about the width of one, in the labels of the axis
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def _picture(timeline: RetryTimeline) -> str:
    attempts = timeline.attempts
    height = _TOP + _ROW * len(attempts) + 16
    last = max(attempt.offset.total_seconds() + _longest_wait(attempt) for attempt in attempts)
    whole = math.log10(1 + max(last, 1.0))

    def x_of(seconds: float) -> float:
        return round(_LEFT + _PLOT * math.log10(1 + seconds) / whole, 1)

    headline = _escaped(timeline.headline)
    size = f'width="{_WIDTH}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {_WIDTH} {height}" {_FONT}>',
        f"<title>{headline}</title>",
        f'<rect {size} fill="#ffffff"/>',
        f'<text x="16" y="26" font-size="15" font-weight="600" fill="#1f2328">{headline}</text>',
    ]
    axis = f'x1="{_LEFT}" y1="{_TOP - 8}" x2="{_LEFT + _PLOT}" y2="{_TOP - 8}"'
    parts += [
        f'<text x="{_LEFT}" y="{_TOP - 32}" fill="#57606a" font-size="11">time since the first attempt</text>',
        f'<line {axis} stroke="#8c959f"/>',
    ]
    for x, label in _ticks(x_of, last, timeline.total.total_seconds()):
        parts += [
            f'<line x1="{x}" y1="{_TOP - 8}" x2="{x}" y2="{height - 12}" stroke="#eaeef2"/>',
            f'<text x="{x}" y="{_TOP - 14}" fill="#6e7781" font-size="11" text-anchor="middle">{label}</text>',
        ]
    for row, attempt in enumerate(attempts):
        y = _TOP + _ROW * row + _ROW / 2
        start = attempt.offset.total_seconds()
        x = end = x_of(start)
        label = _end_text(attempt)
        parts.append(f'<text x="20" y="{y + 4}" fill="#6e7781">{attempt.number}</text>')
        if attempt.wait is not None:
            # A pale bar up to the longest wait that jitter could have made, and a dark one on top of it.
            end = x_of(start + _longest_wait(attempt))
            wait = x_of(start + attempt.wait.total_seconds())
            label = f"again in {duration(attempt.wait)}"
            parts += [
                f'<rect x="{x}" y="{y - 5}" width="{round(to - x, 1)}" height="10" rx="5" fill="{colour}"/>'
                for to, colour in ((end, "#fff1cc"), (wait, "#f2cf7a"))
            ]
        colour = _COLOURS.get(attempt.status, _FAILURE)
        parts += [
            f'<circle cx="{x}" cy="{y}" r="6" fill="{colour}"/>',
            f'<text x="{end + 14}" y="{y + 4}" fill="#1f2328">{_escaped(label)}</text>',
        ]
    return "\n".join((*parts, "</svg>", ""))


def _ticks(x_of: Callable[[float], float], last: float, end: float) -> list[tuple[float, str]]:
    """Return the places and labels of the axis: round times, and the end of the run.

    Args:
        x_of: returns the place of a number of seconds.
        last: where the axis ends.
        end: when the last attempt began.
    """
    ticks = [(x_of(seconds), duration(float(seconds))) for seconds in _TICKS if seconds <= last]
    if end in _TICKS:
        return ticks
    place, label = x_of(end), duration(end)
    # The end is worth more than a round time whose label would touch its own.
    apart = [
        (x, text)
        for x, text in ticks
        if abs(place - x) > _CHARACTER * (len(label) + len(text)) / 2 + _CHARACTER
    ]
    return sorted([*apart, (place, label)])


def _longest_wait(attempt: TimelineAttempt) -> float:
    if attempt.wait is None:
        return 0.0
    return (attempt.bounds[1] if attempt.bounds else attempt.wait).total_seconds()


def _escaped(text: str) -> str:
    return escape(_NOT_IN_XML.sub("\ufffd", text))
