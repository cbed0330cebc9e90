"""What the deliveries of a test session show: the rules of `--jobs-lint` that no text can answer."""

from __future__ import annotations

import dis
import inspect
import json
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path, PurePath
from typing import Any, Final
from uuid import UUID

from ...harness.records.record import JobRecord
from .rules.rule import Finding
from .settings import LintSettings

#: The rules that are answered here.
WATCHED: Final = ("JOB291", "JOB292", "JOB391")
#: Types that JSON does not have: a value of one of them that arrives as another type has changed on the way.
_BENT: Final = (
    tuple, set, frozenset, bytes, datetime, date, time, timedelta, Decimal, UUID, Enum, PurePath,
)  # fmt: skip
#: Bridges that make what the annotation says of the values themselves, when the job is performed.
_PARSED: Final = frozenset(("taskiq",))
_KIB: Final = 1024
#: An entry of what a process saw: rule, job, file, line, detail.
Entry = tuple[str, str, str, int, str]


class Watch:
    """Looks at deliveries. Its notes travel from the workers of pytest-xdist as plain values."""

    def __init__(self, settings: LintSettings) -> None:
        self._settings = settings
        self._entries: dict[Entry, None] = {}
        #: The attributes that each task object had after its last delivery.
        self._kept: dict[int, set[str]] = {}

    def delivered(self, record: JobRecord) -> None:
        """Look at a record of which a delivery was made."""
        body = _body(record)
        if body is None:
            return
        place = body.__code__.co_filename, body.__code__.co_firstlineno
        self._note("JOB291", record.name, place, self._weight(record))
        for detail in _changed(record, body):
            self._note("JOB292", record.name, place, detail)
        for detail in self._remembered(record, body):
            self._note("JOB391", record.name, place, detail)

    def to_dict(self) -> dict[str, Any]:
        return {"entries": [list(entry) for entry in self._entries]}

    def add(self, found: Mapping[str, Any]) -> None:
        """Take over what another process saw."""
        self._entries |= dict.fromkeys(map(tuple, found["entries"]))

    def findings(self, base: Path) -> Iterator[Finding]:
        """Yield what was seen, in the order of the files."""
        by_place = sorted({*self._entries}, key=lambda one: (one[2], one[3], one[0]))
        for rule, _, file, line, detail in by_place:
            if self._settings.wants(rule):
                path = Path(file)
                shown = path.relative_to(base).as_posix() if path.is_relative_to(base) else file
                yield Finding(rule, shown, line, 1, detail)

    def _note(self, rule: str, job: str, place: tuple[str, int], detail: str) -> None:
        if detail:
            self._entries[(rule, job, *place, detail)] = None

    def _weight(self, record: JobRecord) -> str:
        limit = self._settings.max_payload * _KIB
        size = _size([record.args, record.kwargs])
        if size <= limit:
            return ""
        return (
            f"The arguments of {record.name} are more than {self._settings.max_payload} KiB as JSON, and "
            "each delivery carries them through the broker. Store them, and pass an id."
        )

    def _remembered(self, record: JobRecord, body: Callable[..., Any]) -> Iterator[str]:
        """Yield the attributes of a task object that one delivery wrote and the next one read."""
        task = record.job
        if isinstance(task, type | types.FunctionType | str) or not hasattr(task, "__dict__"):
            return
        stored, read = _attributes(body)
        before = self._kept.get(id(task), set())
        self._kept[id(task)] = stored & vars(task).keys()
        for name in sorted(before & read):
            yield (
                f"{record.name} read the attribute {name!r} of its task object, which the delivery before "
                "had written: in another process it is not there. Use a local variable, or a row."
            )


def _body(record: JobRecord) -> Callable[..., Any] | None:
    try:
        body = inspect.unwrap(record.source.resolve(record.job))
    except Exception:
        # A job that is not known here has no body, and each bridge says so in its own way.
        return None
    return body if inspect.isroutine(body) and hasattr(body, "__code__") else None


def _attributes(body: Callable[..., Any]) -> tuple[set[str], set[str]]:
    """Return the attributes of its first parameter that a body writes, and those that it reads."""
    code = body.__code__
    first = code.co_varnames[0] if code.co_argcount else ""
    stored: set[str] = set()
    read: set[str] = set()
    before = ""
    for one in dis.get_instructions(code):
        if before == first and first:
            if one.opname == "STORE_ATTR":
                stored.add(one.argval)
            elif one.opname in ("LOAD_ATTR", "LOAD_METHOD"):
                read.add(one.argval)
        before = _loaded(one)
    return stored, read


def _loaded(one: dis.Instruction) -> str:
    """Return the variable that an instruction has loaded last; empty when it loads none."""
    if not one.opname.startswith(("LOAD_FAST", "STORE_FAST_LOAD_FAST")):
        return ""
    return str(one.argval[-1] if isinstance(one.argval, tuple) else one.argval)


def _changed(record: JobRecord, body: Callable[..., Any]) -> Iterator[str]:
    """Yield the arguments that have another type than the annotations of their parameters say."""
    if record.bridge in _PARSED:
        return
    try:
        hints = typing.get_type_hints(body)
        signature = inspect.signature(body)
        parameters = [*signature.parameters.values()]
        if parameters and parameters[0].name == "self":
            signature = signature.replace(parameters=parameters[1:])
        given = signature.bind_partial(*record.args, **record.kwargs).arguments
    except (NameError, TypeError, ValueError, AttributeError):
        return
    for name, value in given.items():
        wanted = _types(hints.get(name))
        if (
            wanted
            and all(issubclass(one, _BENT) for one in wanted)
            and not isinstance(value, (*wanted, type(None)))
        ):
            expected = " or ".join(one.__name__ for one in wanted)
            yield (
                f"{name} of {record.name} is annotated with {expected} and arrives as "
                f"{type(value).__name__}: the message changed it on the way. Pass what the message can "
                "carry, and make the value in the job."
            )


def _types(hint: object) -> tuple[type, ...]:
    """Return the classes that an annotation allows; nothing when one of them is not a class."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        parts = [_types(one) for one in typing.get_args(hint) if one is not type(None)]
        return tuple(one for part in parts for one in part) if all(parts) else ()
    origin = typing.get_origin(hint) or hint
    return (origin,) if isinstance(origin, type) else ()


def _size(value: object) -> int:
    """Return how many bytes a value is as JSON."""
    try:
        return len(json.dumps(value, default=_written, ensure_ascii=False).encode())
    except (TypeError, ValueError, RecursionError):
        return len(repr(value))


def _written(value: object) -> object:
    return value.decode("latin-1") if isinstance(value, bytes) else repr(value)
