"""Values, calls and durations as short text."""

from __future__ import annotations

import reprlib
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, cast


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads the text of a failure."""

    #: Whether nothing is left out.
    verbose: bool = False
    #: Whether the stream can show nothing but ASCII.
    ascii: bool = False


@dataclass(frozen=True, slots=True)
class Folding:
    """How much of a long text, list or table is shown."""

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


WHOLE: Final = Folding(*[sys.maxsize] * 7)
_USUAL: Final = Folding()
_folding: Final[ContextVar[Folding | None]] = ContextVar("pytest_jobs_folding", default=None)


def folding() -> Folding:
    """Return how much is shown in this context."""
    return _folding.get() or _USUAL


@contextmanager
def folded(how: Folding) -> Generator[None, None, None]:
    """Set how much is shown in a block."""
    token = _folding.set(how)
    try:
        yield
    finally:
        _folding.reset(token)


#: No argument is cut to fewer characters.
_NARROW = 24
#: How many items of a list are shown at most.
_ITEMS = 6
#: How many items of a list and keys of a dict are tried one after the other when `_ITEMS` do not fit.
_FEWER = ((4, 4), (2, 2), (1, 4), (1, 2), (1, 1), (1, 0))


class _ShortRepr(reprlib.Repr):
    def __init__(self, items: int, text: int, keys: int | None = None) -> None:
        super().__init__()
        self.maxstring = self.maxother = text
        self.maxlist = self.maxtuple = self.maxset = items
        self.maxdict = items if keys is None else keys
        self.maxlevel = 4

    def repr_dict(self, x: dict[object, object], level: int) -> str:
        """Show a dict in its own order; reprlib sorts the keys."""
        if level <= 0 and x:
            return f"{{{self.fillvalue}}}"
        shown = [
            f"{self.repr1(key, level - 1)}: {self.repr1(value, level - 1)}"
            for key, value in islice(x.items(), self.maxdict)
        ]
        return f"{{{', '.join([*shown, *([self.fillvalue] if len(x) > self.maxdict else [])])}}}"

    def in_one_line(self, value: object) -> str:
        return self.repr(value).replace("\n", " ")


def short_repr(value: object, width: int | None = None) -> str:
    """Return a value in one short line.

    Args:
        value: any value.
        width: how many characters the line may have; None for the number that `folding` says.
    """
    limit = folding().value if width is None else width
    if _is_brief(value) and len(text := repr(value)) <= min(limit, _NARROW):
        return text
    if limit == WHOLE.value:
        try:
            return repr(value).replace("\n", " ")
        except (
            Exception
        ):  # The application's own `__repr__` raised: reprlib shows the type instead.
            return _ShortRepr(_ITEMS, limit).in_one_line(value)
    text = _ShortRepr(_ITEMS, limit).in_one_line(value)
    if len(text) > limit and isinstance(value, list | tuple | dict | set | frozenset):
        for items, keys in _FEWER:
            # Less than the limit, for the brackets and quotes around a text.
            text = _ShortRepr(items, max(limit - 8, 12), keys).in_one_line(value)
            if len(text) <= limit:
                return text
        text = _ShortRepr(1, limit, 0).in_one_line(value)
    return shortened(text, limit)


def _is_brief(value: object) -> bool:
    """Return whether a value certainly has a short text in one line, as most arguments do."""
    kind = type(value)
    if kind is str:
        return len(cast(str, value)) < _NARROW
    if kind is int:
        return cast(int, value).bit_length() < _NARROW
    return value is None or kind is bool


def shortened(text: str, width: int) -> str:
    """Return a text; when it is longer than the width, dots stand for its middle."""
    if len(text) <= width:
        return text
    tail = width // 3
    return f"{text[: width - tail - 3]}...{text[-tail:]}"


def listed(args: Iterable[object], kwargs: Mapping[str, object]) -> str:
    """Return arguments as they would be written in a call; wide ones are cut so that all can be seen."""
    values = [*(("", value) for value in args), *((f"{name}=", v) for name, v in kwargs.items())]
    limit = folding().call
    texts = [f"{name}{short_repr(value)}" for name, value in values]
    if len(", ".join(texts)) <= limit:
        return ", ".join(texts)
    fair = limit // len(texts) - 2
    narrow = [len(text) for text in texts if len(text) <= fair]
    # The wide ones share the room that the narrow ones do not use.
    share = (limit - sum(narrow) - 2 * len(texts)) // max(len(texts) - len(narrow), 1)
    shown = (
        text if len(text) <= fair else f"{name}{short_repr(value, max(_NARROW, share - len(name)))}"
        for text, (name, value) in zip(texts, values, strict=True)
    )
    return shortened(", ".join(shown), limit)


def call_of(name: str, args: Sequence[object], kwargs: Mapping[str, object]) -> str:
    """Return a call as it would be written, however long it gets."""
    shown = [
        *map(short_repr, args),
        *(f"{word}={short_repr(value)}" for word, value in kwargs.items()),
    ]
    return f"{name}({', '.join(shown)})"


#: For each open harness, the innermost last: returns the names of the jobs that its test knows.
known_names: Final[list[Callable[[], Iterable[str]]]] = []


def short_name(name: str) -> str:
    """Return a job's name without its module, or without the function it is defined in.

    It is as long as it must be to differ from the names of all other jobs that the test knows.
    """
    others = [other for other in known_names[-1]() if other != name] if known_names else []
    return next(
        (s for s in _endings(name) if not any(f".{o}".endswith(f".{s}") for o in others)), name
    )


def _endings(name: str) -> Iterator[str]:
    """Yield what a name may be shortened to, the shortest first."""
    pieces = name.rpartition("<locals>.")[2].split(".")
    capital = next(
        (index for index, piece in enumerate(pieces) if piece[:1].isupper()), len(pieces) - 1
    )
    for begin in range(capital, -1, -1):
        yield ".".join(pieces[begin:])


def counted(number: int, noun: str) -> str:
    """Return a number and its noun, such as `1 row`, `2 keys` or `2,000 deliveries`."""
    plural = f"{noun[:-1]}ies" if noun[-1] == "y" and noun[-2] not in "aeiou" else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def error_text(error: BaseException) -> str:
    """Return the class and the first line of an error, also when its message is not text or raises."""
    try:
        message = str(error).encode("utf-8", "backslashreplace").decode("utf-8")
    except (
        Exception
    ):  # The application's own `__str__` raised, and a report must not end with that.
        message = "<its message cannot be told>"
    first = next(iter(message.splitlines()), "")
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def duration(delta: timedelta | float) -> str:
    """Return a duration in at most three units: `3s`, `1m 23s`, `20d 9h 49m`."""
    seconds = delta.total_seconds() if isinstance(delta, timedelta) else delta
    sign = "-" if seconds < 0 else ""
    # Rounded first to the digits that are shown: rounded last, 59.99999 would be shown as 60 seconds.
    left = round(abs(seconds), 4 if abs(seconds) >= 10 else 6)
    pieces = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        count, left = divmod(left, size)
        if count:
            pieces.append(f"{int(count)}{unit}")
    if left or not pieces:
        left = round(left, 6)
        text = f"{left:g}"
        if "e" in text:
            text = f"{left:.6f}".rstrip("0")
        pieces.append(f"{text}s")
    return sign + " ".join(pieces[:3])


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
