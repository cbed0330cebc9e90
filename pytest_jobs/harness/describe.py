"""Records, deliveries and durations in words."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ..core.carrying import described

if TYPE_CHECKING:
    from .delivery import Delivery
    from .record import JobRecord

_VALUE_WIDTH = 60
_CALL_WIDTH = 100
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60))


class _ShortRepr(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = _VALUE_WIDTH
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = 6
        self.maxlevel = 4


def short_repr(value: object) -> str:
    """Return a value in one line of bearable length."""
    return shortened(_ShortRepr().repr(value), _VALUE_WIDTH)


def shortened(text: str, width: int) -> str:
    """Return a text, its middle left out where it is longer than the width."""
    if len(text) <= width:
        return text
    tail = width // 3
    return f"{text[: width - tail - 3]}...{text[-tail:]}"


def short_name(name: str) -> str:
    """Return a job's name without its module, or without the function it is defined in."""
    tail = name.rpartition("<locals>.")[2]
    pieces = tail.split(".")
    capital = next(
        (index for index, piece in enumerate(pieces) if piece[:1].isupper()), len(pieces) - 1
    )
    return ".".join(pieces[capital:])


def arguments_text(record: JobRecord) -> str:
    """Return the arguments of a record as they would be written in a call."""
    try:
        positional, named = record.args, record.kwargs
    except Exception as error:
        return f"unreadable: {type(error).__name__}"
    shown = [
        *map(short_repr, positional),
        *(f"{name}={short_repr(value)}" for name, value in named.items()),
    ]
    return shortened(", ".join(shown), _CALL_WIDTH)


def call_of(name: str, args: Sequence[object], kwargs: Mapping[str, object]) -> str:
    """Return a call as it would be written."""
    shown = [
        *map(short_repr, args),
        *(f"{word}={short_repr(value)}" for word, value in kwargs.items()),
    ]
    return f"{name}({', '.join(shown)})"


def call_text(record: JobRecord) -> str:
    """Return a record as the call that it stands for."""
    return f"{short_name(record.name)}({arguments_text(record)})"


def record_line(record: JobRecord) -> str:
    """Return a record in one line."""
    line = f"#{record.sequence} {call_text(record)} queue={record.queue!r}"
    if record.wait is not None:
        line += f" wait={duration(record.wait)}"
    if record.attempt > 1:
        line += f" attempt={record.attempt}"
    context = context_text(record)
    return f"{line} context={context}" if context else line


def context_text(record: JobRecord) -> str:
    """Return the current attributes that a record carries, as text; empty for none."""
    return described(record._envelope.headers) if record.bridge == "core" else ""


def delivery_line(delivery: Delivery) -> str:
    """Return a delivery in one line."""
    line = f"#{delivery.record.sequence} {call_text(delivery.record)} {delivery.status}"
    if delivery.wait is not None:
        line += f" again in {duration(delivery.wait)}"
    if delivery.error is not None:
        line += f": {error_text(delivery.error)}"
    return line


def error_text(error: BaseException) -> str:
    """Return the class and the first line of an error."""
    message = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def duration(delta: timedelta | float) -> str:
    """Return a duration in at most three units: `3s`, `1m 23s`, `20d 9h 49m`."""
    seconds = delta.total_seconds() if isinstance(delta, timedelta) else delta
    sign = "-" if seconds < 0 else ""
    rest = round(abs(seconds), 6)
    pieces = []
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            pieces.append(f"{int(count)}{unit}")
    if rest or not pieces:
        pieces.append(f"{_decimal(round(rest, 6))}s")
    return sign + " ".join(pieces[:3])


def _decimal(seconds: float) -> str:
    text = f"{seconds:g}"
    return f"{seconds:.6f}".rstrip("0") if "e" in text else text


def instant(moment: datetime | None) -> str:
    """Return an instant to the second, with its offset; a dash for none."""
    return "-" if moment is None else moment.isoformat(sep=" ", timespec="seconds")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return rows as aligned text columns."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
