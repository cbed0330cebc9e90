"""Times of one history, as distances from the beginnings of its deliveries."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final, TypeAlias

from ....harness.records.texts import duration

_SECOND: Final = 1_000_000
_DAY: Final = 86_400 * _SECOND
#: What jobs round times down to, each with its name.
_BUCKETS: Final = (("minute", 60 * _SECOND), ("hour", 3_600 * _SECOND), ("day", _DAY))
#: A number that lies no further from the history may be a time.
_NEAR: Final = 400 * _DAY
#: A number of seconds, milliseconds, microseconds or nanoseconds: how many digits, and microseconds in one.
_UNITS: Final = ((10, 1_000_000.0), (13, 1_000.0), (16, 1.0), (19, 0.001))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

#: A date with a time, or a number that may be one, within a text.
_STAMP: Final = re.compile(
    # It begins with a digit, which the search for a place to begin is fast at: a text may have megabytes.
    r"\d(?<!\d\d)(?:\d{3}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?(?!\d)"
    r"|(?<!\.\d)\d{9}(?:(?:\.\d+)?(?![\d.]\d|\d)|(?:\d{3}|\d{6}|\d{9})(?![\d.]\d|\d)))"
)

_Distance: TypeAlias = "tuple[str, int]"


def stamps(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each part of a text that may be a time begins and ends."""
    return (found.span() for found in _STAMP.finditer(text))


class Time:
    """One time, as it compares with a time of another history.

    Two times are the same if they are equal, or if each lies equally far from the beginning of a delivery of
    its own history. Since either delivery may have written it, there are several distances.
    """

    __slots__ = ("_at", "_distances", "_text")

    def __init__(self, at: object, distances: frozenset[_Distance], text: str) -> None:
        #: What is equal for equal times.
        self._at = at
        #: The milliseconds or days from each beginning, each with what is measured from.
        self._distances = distances
        self._text = text

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        # Rows are put in order by it, and a later delivery is further from the same time.
        return "<time>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Time):
            return NotImplemented
        return self._at == other._at or not self._distances.isdisjoint(other._distances)

    def __hash__(self) -> int:
        # The distances of equal times may differ.
        return 0


class Timed(str):
    """A text in which there are times, such as an ISO date in JSON, or a time alone."""

    __slots__ = ("pieces",)

    pieces: tuple[str | Time, ...]

    @classmethod
    def of(cls, pieces: Sequence[str | Time]) -> Timed:
        made = cls("".join(map(str, pieces)))
        # Texts next to each other are one, and an empty one is none, so that equal texts have equal pieces.
        made.pieces = tuple(_merged(pieces))
        return made

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Timed) and self.pieces == other.pieces

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.pieces)


class Times:
    """The times at which the deliveries of a history began, which what they computed is measured from.

    They are whole seconds, so that a distance is the same after a database has cut a time to seconds.
    """

    def __init__(self, begins: Iterable[datetime]) -> None:
        """Measure from when the world was built and each delivery began, or would have without a pause, in UTC."""
        self._ordered = sorted(set(begins))
        self._begins = [_since_epoch(begin) for begin in self._ordered]
        first, last = self._begins[0] - _NEAR, self._begins[-1] + _NEAR
        self._near = [(first / factor, last / factor, factor) for _, factor in _UNITS]
        self._least = first / _SECOND

    @functools.cached_property
    def _local(self) -> list[int]:
        """The same times as a clock on the wall shows them, which a time without a zone may come from."""
        return [_since_epoch(begin.astimezone().replace(tzinfo=UTC)) for begin in self._ordered]

    def of_datetime(self, value: datetime) -> Timed:
        shown = value.isoformat()
        if value.tzinfo is None:
            at = _since_epoch(value.replace(tzinfo=UTC))
            both = list(dict.fromkeys((*self._begins, *self._local)))
            return self._time(at, both, ("naive", at), shown)
        at = _since_epoch(value)
        return self._time(at, self._begins, at, shown)

    def of_number(self, value: float) -> Timed | None:
        """Return a number as a time; None if it is too far away from the history."""
        if not self._least <= value:
            return None
        for first, last, factor in self._near:
            if first <= value <= last:
                at = round(value * factor)
                return self._time(at, self._begins, value, str(value))
        return None

    def of_date(self, value: date) -> Timed:
        days = value.toordinal()
        begins = (_EPOCH + begin * _MICROSECOND for begin in (*self._begins, *self._local))
        begun = {begin.toordinal() for begin in begins}
        distances = frozenset(("date", days - begin) for begin in begun)
        nearest = min(
            (distance for _, distance in distances), key=lambda distance: (abs(distance), -distance)
        )
        text = _text("today", timedelta(nearest)) if abs(nearest) <= 1 else value.isoformat()
        return Timed.of([Time(("date", days), distances, text)])

    def of_stamp(self, stamp: str) -> Timed | None:
        """Return a text that `stamps` has found as a time; None if it is something else."""
        return self.of_datetime_text(stamp) if "-" in stamp else self.of_number(float(stamp))

    def of_datetime_text(self, text: str) -> Timed | None:
        try:
            return self.of_datetime(datetime.fromisoformat(text))
        except ValueError:
            return None

    def of_date_text(self, text: str) -> Timed | None:
        try:
            return self.of_date(date.fromisoformat(text))
        except ValueError:
            return None

    def _time(self, at: int, begins: Sequence[int], equal: object, shown: str) -> Timed:
        distances: list[_Distance] = [("", round((at - begin) / 1000)) for begin in begins]
        nearest = _shown(at, begins)
        text = shown if nearest is None else _text("now", timedelta(microseconds=nearest))
        for name, size in _BUCKETS:
            if at % size == 0:
                distances += [
                    (name, (at - begin) // size + 1) for begin in begins if begin % size != 0
                ]
        return Timed.of([Time(equal, frozenset(distances), text)])


def _merged(pieces: Sequence[str | Time]) -> Iterator[str | Time]:
    for is_text, group in itertools.groupby(pieces, key=lambda piece: isinstance(piece, str)):
        if not is_text:
            yield from group
        elif text := "".join(map(str, group)):
            yield text


def _since_epoch(value: datetime) -> int:
    return (value - _EPOCH) // _MICROSECOND


def _shown(at: int, begins: Sequence[int]) -> int | None:
    """Return the distance that a report shows; None if a job hardly computed this time from its own."""
    distances = [at - begin for begin in begins]
    if 0 in distances:
        return 0
    distance = next((distance for distance in reversed(distances) if distance > 0), max(distances))
    is_round = abs(distance) <= _DAY or distance % (60 * _SECOND) == 0
    return distance if is_round and abs(distance) <= _NEAR else None


def _text(name: str, distance: timedelta) -> str:
    if not distance:
        return f"<{name}>"
    sign = "+" if distance > timedelta(0) else "-"
    return f"<{name} {sign} {duration(abs(distance))}>"
