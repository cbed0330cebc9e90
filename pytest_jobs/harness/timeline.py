"""The retries of one job, as a schedule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from .delivery import Delivery, Status
from .describe import duration, error_text, table

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
        from .timeline_svg import draw

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
