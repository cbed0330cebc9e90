"""Records, deliveries and durations in words."""

from __future__ import annotations

import reprlib
import sys
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Final

from ...core.enqueueing.context import described

if TYPE_CHECKING:
    from .delivery import Delivery
    from .record import JobRecord


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads the text of a failure."""

    #: Whether everything is shown.
    verbose: bool = False
    #: Whether what is read can show nothing but ASCII.
    ascii: bool = False


@dataclass(frozen=True, slots=True)
class Folding:
    """How much is shown of what there may be a lot of."""

    #: Jobs or deliveries in a list.
    items: int = 5
    #: Rows of a table.
    rows: int = 20
    #: Lines of a difference.
    lines: int = 12
    #: Hints, and callbacks in one of them.
    hints: int = 3
    #: Criteria at the head, each of which comes again below.
    criteria: int = 12
    #: Characters of a value.
    value: int = 60
    #: Characters of a call.
    call: int = 100


_EVERYTHING: Final = sys.maxsize
WHOLE: Final = Folding(*[_EVERYTHING] * 7)
_USUAL: Final = Folding()
_folding: Final[ContextVar[Folding | None]] = ContextVar("pytest_jobs_folding", default=None)


def folding() -> Folding:
    """Return how much is shown here."""
    return _folding.get() or _USUAL


@contextmanager
def folded(how: Folding) -> Generator[None, None, None]:
    """Show so much in a block."""
    token = _folding.set(how)
    try:
        yield
    finally:
        _folding.reset(token)


#: No argument is cut to fewer characters.
_NARROW = 24
#: How many items of a list are shown at most.
_ITEMS = 6
#: How many items of a list and keys of a dict are tried where these are too many.
_FEWER = ((4, 4), (2, 2), (1, 4), (1, 2), (1, 1), (1, 0))
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60))


class _ShortRepr(reprlib.Repr):
    def __init__(self, items: int, text: int, keys: int | None = None) -> None:
        super().__init__()
        self.maxstring = self.maxother = text
        self.maxlist = self.maxtuple = self.maxset = items
        self.maxdict = items if keys is None else keys
        self.maxlevel = 4

    def repr_dict(self, x: dict[object, object], level: int) -> str:
        """Show a dict in its own order."""
        if level <= 0 and x:
            return f"{{{self.fillvalue}}}"
        shown = [
            f"{self.repr1(key, level - 1)}: {self.repr1(value, level - 1)}"
            for key, value in islice(x.items(), self.maxdict)
        ]
        return f"{{{', '.join([*shown, *([self.fillvalue] if len(x) > self.maxdict else [])])}}}"


def short_repr(value: object, width: int | None = None) -> str:
    """Return a value in one line of bearable length.

    Args:
        value: a value.
        width: how many characters it may have; None for as many as are shown here.
    """
    limit = folding().value if width is None else width
    if limit == WHOLE.value:
        return _in_one_line(_whole_repr(value))
    text = _in_one_line(_ShortRepr(_ITEMS, limit).repr(value))
    if len(text) > limit and isinstance(value, list | tuple | dict | set | frozenset):
        return _fitted(value, limit)
    return shortened(text, limit)


def _fitted(value: object, limit: int) -> str:
    """Return a collection with as many items of each list as fit."""
    for items, keys in _FEWER:
        # There are brackets and quotes around a text.
        text = _in_one_line(_ShortRepr(items, max(limit - 8, 12), keys).repr(value))
        if len(text) <= limit:
            return text
    return shortened(_in_one_line(_ShortRepr(1, limit, 0).repr(value)), limit)


def _whole_repr(value: object) -> str:
    try:
        return repr(value)
    except Exception:
        return _ShortRepr(_ITEMS, WHOLE.value).repr(value)


def listed(args: Iterable[object], kwargs: Mapping[str, object]) -> str:
    """Return arguments as they would be written in a call, the wide ones cut so that all are seen."""
    values = [*(("", value) for value in args), *((f"{name}=", v) for name, v in kwargs.items())]
    limit = folding().call
    texts = [f"{name}{short_repr(value)}" for name, value in values]
    if len(", ".join(texts)) <= limit:
        return ", ".join(texts)
    fair = limit // len(texts) - 2
    narrow = [len(text) for text in texts if len(text) <= fair]
    # What the narrow ones leave is for the wide ones.
    share = (limit - sum(narrow) - 2 * len(texts)) // max(len(texts) - len(narrow), 1)
    shown = (
        text if len(text) <= fair else f"{name}{short_repr(value, max(_NARROW, share - len(name)))}"
        for text, (name, value) in zip(texts, values, strict=True)
    )
    return shortened(", ".join(shown), limit)


def _in_one_line(text: str) -> str:
    return " ".join(text.split("\n")) if "\n" in text else text


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
    return listed(positional, named)


def is_readable(record: JobRecord) -> bool:
    """Say whether the arguments of a record can be read."""
    try:
        record.arguments()
    except Exception:
        return False
    return True


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
    return described(record.envelope.headers) if record.bridge == "core" else ""


def delivery_line(delivery: Delivery) -> str:
    """Return a delivery in one line."""
    line = f"#{delivery.record.sequence} {call_text(delivery.record)} {delivery.status}"
    if delivery.wait is not None:
        line += f" again in {duration(delivery.wait)}"
    if delivery.error is not None:
        line += f": {error_text(delivery.error)}"
    return line


def error_text(error: BaseException) -> str:
    """Return the class and the first line of an error, also when its message is no text or raises."""
    message = next(iter(_message(error).splitlines()), "")
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def _message(error: BaseException) -> str:
    try:
        return str(error).encode("utf-8", "backslashreplace").decode("utf-8")
    except Exception:  # It is the application's own `__str__`, and a report must not end with it.
        return "<its message cannot be told>"


def duration(delta: timedelta | float) -> str:
    """Return a duration in at most three units: `3s`, `1m 23s`, `20d 9h 49m`."""
    seconds = delta.total_seconds() if isinstance(delta, timedelta) else delta
    sign = "-" if seconds < 0 else ""
    # As many digits as are shown in the end: what is rounded only there would be 60 seconds.
    rest = round(abs(seconds), 4 if abs(seconds) >= 10 else 6)
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
