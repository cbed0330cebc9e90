"""The retries of one job, as a schedule."""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from typing import TYPE_CHECKING, Any

from ...errors import CriterionError
from ..ledger.ledger import Ledger
from ..ledger.selection import Selection
from ..records.delivery import Delivery, Status
from ..records.record import JobRecord
from ..records.texts import duration, error_text, table
from ..time.clock import VirtualClock
from .faults import Raising, checked_error, fresh_error
from .performer import Body, SimulatedBody
from .verbs import Plan

if TYPE_CHECKING:
    from ..records.targets import Target, Targets


_ROW = 30
_TOP = 64
_LEFT = 56
_PLOT = 460
_TEXT = 300
_WIDTH = _LEFT + _PLOT + _TEXT
_TICKS = (1, 10, 60, 600, 3_600, 21_600, 86_400, 604_800, 2_592_000, 31_536_000)
_COLOURS = {"performed": "#2da44e", "retried": "#bf8700", "discarded": "#6e7781"}
_FAILURE = "#cf222e"
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_OPENING = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
    'font-family="ui-sans-serif, system-ui, sans-serif" font-size="13">'
)


def draw(timeline: RetryTimeline) -> str:
    """Return an SVG document."""
    attempts = timeline.attempts
    height = _TOP + _ROW * len(attempts) + 16
    last = max(attempt.offset.total_seconds() + _longest_wait(attempt) for attempt in attempts)
    scale = _Scale(last)
    headline = _escaped(timeline.headline)
    parts = [
        _OPENING.format(width=_WIDTH, height=height),
        f"<title>{headline}</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="26" font-size="15" font-weight="600" fill="#1f2328">{headline}</text>',
        *_axis(scale, last, height),
    ]
    for row, attempt in enumerate(attempts):
        parts += _attempt(attempt, _TOP + _ROW * row + _ROW / 2, scale)
    return "\n".join((*parts, "</svg>", ""))


def _escaped(text: str) -> str:
    return escape(_NOT_IN_XML.sub("\ufffd", text))


class _Scale:
    """Seconds to pixels; the first second takes as much room as a tenfold later on."""

    def __init__(self, last: float) -> None:
        self._range = math.log10(1 + max(last, 1.0))

    def x(self, seconds: float) -> float:
        return round(_LEFT + _PLOT * math.log10(1 + seconds) / self._range, 1)


def _longest_wait(attempt: TimelineAttempt) -> float:
    if attempt.wait is None:
        return 0.0
    return (attempt.bounds[1] if attempt.bounds else attempt.wait).total_seconds()


def _axis(scale: _Scale, last: float, height: int) -> list[str]:
    parts = []
    for seconds in (0, *_TICKS):
        if seconds > last:
            break
        x = scale.x(seconds)
        parts.append(
            f'<line x1="{x}" y1="{_TOP - 8}" x2="{x}" y2="{height - 12}" stroke="#eaeef2"/>'
        )
        label = duration(float(seconds))
        parts.append(
            f'<text x="{x}" y="{_TOP - 14}" fill="#6e7781" font-size="11" text-anchor="middle">{label}</text>'
        )
    return parts


def _attempt(attempt: TimelineAttempt, y: float, scale: _Scale) -> list[str]:
    start = attempt.offset.total_seconds()
    colour = _COLOURS.get(attempt.status, _FAILURE)
    x = scale.x(start)
    end = x
    parts = [f'<text x="20" y="{y + 4}" fill="#6e7781">{attempt.number}</text>']
    if attempt.wait is not None:
        end = scale.x(start + _longest_wait(attempt))
        sure = scale.x(start + attempt.wait.total_seconds())
        parts.append(_svg_bar(x, end, y, "#fff1cc"))
        parts.append(_svg_bar(x, sure, y, "#f2cf7a"))
    parts.append(f'<circle cx="{x}" cy="{y}" r="6" fill="{colour}"/>')
    parts.append(
        f'<text x="{end + 14}" y="{y + 4}" fill="#1f2328">{_escaped(_label(attempt))}</text>'
    )
    return parts


def _svg_bar(start: float, end: float, y: float, colour: str) -> str:
    return f'<rect x="{start}" y="{y - 5}" width="{round(end - start, 1)}" height="10" rx="5" fill="{colour}"/>'


def _label(attempt: TimelineAttempt) -> str:
    if attempt.wait is not None:
        return f"again in {duration(attempt.wait)}"
    return (
        attempt.status
        if attempt.error is None
        else f"{attempt.status}: {error_text(attempt.error)}"
    )


_BAR_WIDTH = 24


@dataclass(frozen=True, slots=True)
class TimelineAttempt:
    """One attempt of a simulated job."""

    #: Its number, counted from 1.
    number: int
    #: When it began.
    at: datetime
    #: How long after the first attempt that is.
    offset: timedelta
    #: What it came to.
    status: Status
    #: How long after it the next attempt is due; None for the last.
    wait: timedelta | None
    #: The shortest and the longest that jitter could have made that wait.
    bounds: tuple[timedelta, timedelta] | None
    #: What it raised.
    error: BaseException | None
    #: The queue it was taken from.
    queue: str | None


class RetryTimeline:
    """What `jobs.simulate_retries` returns. `str()` draws it, `svg()` draws it as a picture."""

    __slots__ = ("_attempts", "_name")

    def __init__(self, name: str, deliveries: Sequence[Delivery]) -> None:
        self._name = name
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
        """What the job is called."""
        return self._name

    @property
    def attempts(self) -> tuple[TimelineAttempt, ...]:
        """The attempts, in order."""
        return self._attempts

    @property
    def waits(self) -> list[timedelta]:
        """The waits between the attempts."""
        return [attempt.wait for attempt in self._attempts if attempt.wait is not None]

    @property
    def wait_seconds(self) -> list[float]:
        """The waits between the attempts in seconds; whole seconds are ints."""
        return [_whole(wait.total_seconds()) for wait in self.waits]

    @property
    def total(self) -> timedelta:
        """How long the first and the last attempt lie apart."""
        return self._attempts[-1].offset

    @property
    def status(self) -> Status:
        """What the last attempt came to; `retried` when the simulation stopped before the job did."""
        return self._attempts[-1].status

    @property
    def headline(self) -> str:
        """The timeline in one line."""
        count = len(self._attempts)
        noun = "attempt" if count == 1 else "attempts"
        if self.status == "retried":
            return f"{self._name}: still retried after {count} {noun} in {duration(self.total)}"
        return f"{self._name}: {self.status} after {count} {noun} in {duration(self.total)}"

    def svg(self) -> str:
        """Return the timeline as an SVG picture."""
        return draw(self)

    def __str__(self) -> str:
        header = ("attempt", "starts", "waits", "", "ends")
        longest = max((wait.total_seconds() for wait in self.waits), default=0)
        rows = [
            (
                str(attempt.number),
                f"+{duration(attempt.offset)}",
                _wait_text(attempt),
                _bar(attempt, longest),
                attempt.status
                if attempt.error is None
                else f"{attempt.status}: {error_text(attempt.error)}",
            )
            for attempt in self._attempts
        ]
        return f"{self.headline}\n{table(header, rows)}"

    def __repr__(self) -> str:
        return f"<RetryTimeline {self.headline}>"


def _whole(seconds: float) -> float:
    return int(seconds) if seconds == int(seconds) else seconds


def _wait_text(attempt: TimelineAttempt) -> str:
    if attempt.wait is None:
        return "-"
    text = duration(attempt.wait)
    if attempt.bounds is None or attempt.bounds[0] == attempt.bounds[1]:
        return text
    low, high = attempt.bounds
    return f"{text} ({duration(low)} to {duration(high)})"


def _bar(attempt: TimelineAttempt, longest: float) -> str:
    if attempt.wait is None or not longest:
        return ""
    return "#" * max(1, round(_BAR_WIDTH * attempt.wait.total_seconds() / longest))


class Simulation:
    """One job that fails again and again, and perhaps succeeds at last."""

    __slots__ = ("_limit", "_raising", "_succeed_on", "_target")

    def __init__(
        self, target: Target, raising: Raising, *, succeed_on: int | None, limit: int
    ) -> None:
        self._target = target
        self._raising = checked_error(raising, "raising")
        if succeed_on is not None and (type(succeed_on) is not int or succeed_on < 1):
            raise CriterionError(
                f"succeed_on={succeed_on!r} is no attempt: write the number of the attempt that succeeds, from 1."
            )
        if type(limit) is not int or limit < 1:
            raise CriterionError(
                f"limit={limit!r} is no number of attempts: write an int of at least 1."
            )
        self._succeed_on = succeed_on
        self._limit = limit

    def enqueue(
        self, ledger: Ledger, args: Sequence[Any] | None, kwargs: Mapping[str, Any] | None
    ) -> Awaitable[object] | None:
        """Enqueue the job; where no arguments are given, None stands for each that is required.

        Returns:
            What is to be awaited until it is enqueued, where its library does so.
        """
        # Stopped now, so that no real time passes between the first attempt and its retry.
        ledger.clock.advance_ns(0)
        bridge, job = self._target.bridge, self._target.job
        if args is not None or kwargs is not None:
            return bridge.enqueue(job, tuple(args or ()), kwargs or {})
        blank, named = bridge.signature(job).blank()
        try:
            enqueueing = bridge.enqueue(job, blank, named)
        except Exception as error:
            raise self._not_enqueued_blank(error) from error
        return None if enqueueing is None else self._explained(enqueueing)

    def first(self, ledger: Ledger) -> JobRecord:
        """Return the record of the job; its callbacks may have enqueued others.

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

    async def _explained(self, enqueueing: Awaitable[object]) -> None:
        try:
            await enqueueing
        except Exception as error:
            raise self._not_enqueued_blank(error) from error

    def _not_enqueued_blank(self, error: Exception) -> CriterionError:
        return CriterionError(
            f"{self._target.name} cannot be enqueued with None for each argument ({type(error).__name__}: "
            f"{error}): give simulate_retries the args= or kwargs= with which it is enqueued."
        )

    def plan(
        self, ledger: Ledger, clock: VirtualClock, targets: Targets, first: JobRecord
    ) -> Plan[list[Delivery]]:
        """Perform the job and its retries, and nothing that they enqueue."""
        selection = Selection(targets, only=_with_id(first.job_id))
        deliveries: list[Delivery] = []
        while len(deliveries) < self._limit:
            record = ledger.take(selection)
            if record is not None:
                deliveries.append((yield record))
                continue
            due_ns = ledger.next_due_ns(selection)
            if due_ns is None:
                break
            clock.reach_ns(due_ns)
        return deliveries

    def body(self, record: JobRecord) -> Body:
        """Return what runs instead of the body."""
        error = None if record.attempt == self._succeed_on else fresh_error(self._raising)
        return SimulatedBody(error, is_coroutine=record.source.is_coroutine(record))


def _with_id(job_id: str) -> Callable[[JobRecord], bool]:
    return lambda record: record.job_id == job_id
