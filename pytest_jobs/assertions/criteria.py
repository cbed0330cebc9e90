"""What an assertion asks of a job, one class for each kind of criterion."""

from __future__ import annotations

import difflib
import inspect
import pprint
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Any, ClassVar, Final, Generic, TypeVar

from ..core.foundation.registry import nearest_name
from ..errors import CriterionError
from ..harness.records.delivery import Delivery
from ..harness.records.record import JobRecord
from ..harness.records.targets import Target
from ..harness.records.texts import (
    duration,
    error_text,
    folding,
    instant,
    listed,
    short_name,
    short_repr,
)

T = TypeVar("T")

_WIDE = 60
#: Stands for an argument that is not given, or not expected.
_NOTHING: Final = object()
#: So many characters are shown before and after the place where two long values begin to differ.
_AROUND = 20


class Criterion(ABC, Generic[T]):
    """One thing that is expected of a record or a delivery."""

    #: The keyword that asks for it.
    name: str

    @property
    @abstractmethod
    def expected(self) -> str:
        """What is expected, in words."""

    @abstractmethod
    def matches(self, item: T, /) -> bool:
        """Say whether the item is as expected."""

    @abstractmethod
    def explain(self, item: T, /) -> list[str]:
        """Return how the item differs, in lines."""

    @abstractmethod
    def actual(self, item: T, /) -> str:
        """Return what the item has instead, in a few words."""

    def in_brief(self, item: T, /) -> str:
        """Return what the item has, and what it should have, in one line."""
        return f"{self.name}={self.actual(item)}, not {self.expected}"


class ValueCriterion(Criterion[T]):
    """A field that equals a value. The value stands on the left of `==`, so that matchers are asked first."""

    def __init__(self, name: str, expected: object, get: Callable[[T], object]) -> None:
        self.name = name
        self._expected = expected
        self._get = get

    @property
    def expected(self) -> str:
        return short_repr(self._expected)

    def matches(self, item: T, /) -> bool:
        return bool(self._expected == self._get(item))

    def explain(self, item: T, /) -> list[str]:
        return _cut(difference(self._expected, self._get(item)))

    def actual(self, item: T, /) -> str:
        return short_repr(self._get(item))

    def in_brief(self, item: T, /) -> str:
        return f"{self.name}={_apart(self._expected, self._get(item))}"


class _OfArguments(Criterion[T]):
    """A criterion of arguments, which are read by the signature of the job."""

    def __init__(self, target: Target, record_of: Callable[[T], JobRecord]) -> None:
        self._signature = target.bridge.signature(target.job)
        self._record_of = record_of

    def _read(self, item: T) -> dict[str, Any] | Exception:
        """Return the arguments by parameter name, or the error of a payload that cannot be read."""
        try:
            record = self._record_of(item)
            return self._signature.named(record.args, record.kwargs)
        except Exception as error:
            return error

    def explain(self, item: T, /) -> list[str]:
        actual = self._read(item)
        if isinstance(actual, Exception):
            return [f"the arguments cannot be read: {error_text(actual)}"]
        lines = []
        for name, expected, got in self._differing(actual):
            if got is _NOTHING:
                lines.append(f"{name}: expected {short_repr(expected)}, not given")
            elif expected is _NOTHING:
                lines.append(f"{name}: not expected, got {short_repr(got)}")
            else:
                first, *rest = difference(expected, got)
                lines += [f"{name}: {first}", *(f"  {line}" for line in rest)]
        return _cut(lines)

    def in_brief(self, item: T, /) -> str:
        actual = self._read(item)
        if isinstance(actual, Exception):
            return "arguments that cannot be read"
        briefs = []
        for name, expected, got in self._differing(actual):
            if got is _NOTHING:
                briefs.append(f"no {name}, which should be {short_repr(expected)}")
            elif expected is _NOTHING:
                briefs.append(f"{name}={short_repr(got)}, which is not expected")
            else:
                briefs.append(f"{name}={_apart(expected, got)}")
        return in_one_line(briefs)

    def _differing(self, actual: Mapping[str, Any]) -> Iterator[tuple[str, object, object]]:
        """Yield the parameters that differ, with what is expected and what there is, or `_NOTHING`."""
        asked = self._asked()
        for name, expected in asked.items():
            if name not in actual or not bool(expected == actual[name]):
                yield name, expected, actual.get(name, _NOTHING)
        if self._asks_for_all:
            yield from ((name, _NOTHING, actual[name]) for name in actual if name not in asked)

    #: Whether there is to be no other argument.
    _asks_for_all: ClassVar[bool]

    @abstractmethod
    def _asked(self) -> Mapping[str, Any]:
        """Return what is expected, by parameter name."""

    def actual(self, item: T, /) -> str:
        actual = self._read(item)
        return "unreadable" if isinstance(actual, Exception) else self._shown(actual)

    @abstractmethod
    def _shown(self, actual: dict[str, Any]) -> str: ...


class ArgumentsCriterion(_OfArguments[T]):
    """The whole call: arguments bound to the signature, so that how they were passed makes no difference."""

    name = "args"
    _asks_for_all = True

    def __init__(
        self,
        target: Target,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        record_of: Callable[[T], JobRecord],
    ) -> None:
        super().__init__(target, record_of)
        self._args, self._kwargs = args, kwargs
        try:
            self._values = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            name = short_name(target.name)
            raise CriterionError(
                f"No {name} can have the arguments {self.expected}: {self._signature.misfit(error, name)} To ask "
                "for some of them only, write params={...}."
            ) from None

    @property
    def expected(self) -> str:
        return f"({listed(self._args, self._kwargs)})"

    def matches(self, item: T, /) -> bool:
        try:
            args, kwargs = self._record_of(item).arguments()
            actual = self._signature.bind(*args, **kwargs)
        except Exception:
            return False
        return bool(self._values == actual)

    def _asked(self) -> Mapping[str, Any]:
        return self._signature.named(tuple(self._args), self._kwargs)

    def _shown(self, actual: dict[str, Any]) -> str:
        return f"({listed((), actual)})"


class ParamsCriterion(_OfArguments[T]):
    """Some of the arguments, by parameter name."""

    name = "params"
    _asks_for_all = False

    def __init__(
        self, target: Target, params: Mapping[str, Any], record_of: Callable[[T], JobRecord]
    ) -> None:
        super().__init__(target, record_of)
        self._params = params
        for name in params:
            if not self._signature.accepts(name):
                names = self._signature.names
                near = nearest_name(name, names)
                meant = f"did you mean {near!r}? It" if near else "it"
                raise CriterionError(
                    f"{short_name(target.name)} has no parameter {name!r}, so params={{{name!r}: ...}} can match "
                    f"nothing: {meant} takes {', '.join(names) or 'none'}."
                )

    @property
    def expected(self) -> str:
        return listed((), self._params) or "{}"

    def matches(self, item: T, /) -> bool:
        actual = self._read(item)
        return not isinstance(actual, Exception) and all(
            name in actual and bool(expected == actual[name])
            for name, expected in self._params.items()
        )

    def _asked(self) -> Mapping[str, Any]:
        return self._params

    def _shown(self, actual: dict[str, Any]) -> str:
        given = {name: actual[name] for name in self._params if name in actual}
        return listed((), given) or "not given"


class TimeCriterion(Criterion[T]):
    """An instant or a duration, within a tolerance; None for none."""

    def __init__(
        self,
        name: str,
        expected: object,
        tolerance: timedelta,
        get: Callable[[T], datetime | timedelta | None],
    ) -> None:
        self.name = name
        self._expected = expected
        self._tolerance = tolerance
        self._get = get

    @property
    def expected(self) -> str:
        shown = _time_text(self._expected)
        if not isinstance(self._expected, datetime | timedelta):
            return shown
        exact = f"+-{duration(self._tolerance)}" if self._tolerance else "exactly"
        return f"{shown} ({exact})"

    def _distance(self, actual: object) -> timedelta | None:
        """Return how much later or longer a time is than expected; None where there are not two times."""
        expected = self._expected
        if isinstance(expected, datetime) and isinstance(actual, datetime):
            return actual - expected
        if isinstance(expected, timedelta) and isinstance(actual, timedelta):
            return actual - expected
        return None

    def matches(self, item: T, /) -> bool:
        actual = self._get(item)
        distance = self._distance(actual)
        if distance is None:
            return bool(self._expected == actual)
        return abs(distance) <= self._tolerance

    def explain(self, item: T, /) -> list[str]:
        actual = self._get(item)
        line = f"expected {self.expected}, got {_time_text(actual)}"
        distance = self._distance(actual)
        if distance is not None:
            more, less = ("later", "earlier") if self.name == "at" else ("longer", "shorter")
            line += f", {duration(abs(distance))} {more if distance > timedelta(0) else less}"
        return [line]

    def actual(self, item: T, /) -> str:
        return _time_text(self._get(item))


class ErrorCriterion(Criterion[Delivery]):
    """The error of a delivery: of a class, like another error, or equal to a matcher."""

    name = "error"

    def __init__(self, expected: object) -> None:
        self._expected = expected

    @property
    def expected(self) -> str:
        expected = self._expected
        return expected.__name__ if isinstance(expected, type) else short_repr(expected)

    def matches(self, item: Delivery, /) -> bool:
        expected, error = self._expected, item.error
        if isinstance(expected, type) and issubclass(expected, BaseException):
            return isinstance(error, expected)
        if isinstance(expected, BaseException) and error is not None:
            return type(expected) is type(error) and expected.args == error.args
        return bool(expected == error)

    def explain(self, item: Delivery, /) -> list[str]:
        return [f"expected {self.expected}, got {self.actual(item)}"]

    def actual(self, item: Delivery, /) -> str:
        return "None" if item.error is None else error_text(item.error)


class WhereCriterion(Criterion[T]):
    """A function of the user, which says whether an item is meant."""

    name = "where"

    def __init__(self, where: Callable[[T], object]) -> None:
        self._where = where
        if not callable(where):
            raise CriterionError(
                f"where={where!r} is not callable: write a function that takes the record."
            )
        if inspect.iscoroutinefunction(where):
            raise CriterionError(
                f"where={self.expected} is a coroutine function, and nothing awaits it: write a plain one."
            )

    @property
    def expected(self) -> str:
        name = getattr(self._where, "__qualname__", repr(self._where))
        return str(name).rpartition("<locals>.")[2]

    def matches(self, item: T, /) -> bool:
        return bool(self._where(item))

    def explain(self, item: T, /) -> list[str]:
        return [f"{self.expected} returned {self.actual(item)}"]

    def in_brief(self, item: T, /) -> str:
        return f"where={self.expected} returning {self.actual(item)}"

    def actual(self, item: T, /) -> str:
        return short_repr(self._where(item))


def in_one_line(briefs: Sequence[str]) -> str:
    """Return the first two differences, and how many more there are."""
    more = len(briefs) - 2
    return ", and ".join([*briefs[:2], *([f"{more} more"] if more > 0 else [])])


def _apart(expected: object, actual: object) -> str:
    """Return two values in one line: long ones from where they begin to differ."""
    shown, wanted = short_repr(actual, _WIDE), short_repr(expected, _WIDE)
    if shown != wanted:
        return f"{shown}, not {wanted}"
    try:
        left, right = repr(actual), repr(expected)
    except Exception:
        # The application's own `__repr__` raised.
        left = right = shown
    pairs = enumerate(zip_longest(left, right))
    place = next((place for place, (one, other) in pairs if one != other), None)
    if place is None:
        return f"{shown}, which is not equal to what prints the same"
    there = slice(max(place - _AROUND, 0), place + _AROUND)
    return f"...{left[there]}..., not ...{right[there]}..."


def difference(expected: object, actual: object) -> list[str]:
    """Return how two values differ, in one line or as a diff."""
    left, right = repr(expected), repr(actual)
    if all(len(text) <= _WIDE and "\n" not in text for text in (left, right)):
        return [f"expected {left}, got {right}"]
    if folding().lines == 1:
        return [f"expected {short_repr(expected)}, got {short_repr(actual)}"]
    wanted = pprint.pformat(expected, width=_WIDE, sort_dicts=False).splitlines()
    got = pprint.pformat(actual, width=_WIDE, sort_dicts=False).splitlines()
    # The first two lines name files.
    lines = [*difflib.unified_diff(wanted, got, lineterm="", n=1)][2:]
    if not lines:
        return [f"expected {short_repr(expected)}, got what prints the same and is not equal"]
    shown = [f"{line[0]} {line[1:]}" for line in lines if not line.startswith("@@")]
    return ["- expected, + got:", *shown]


def _cut(lines: list[str]) -> list[str]:
    shown = folding().lines
    if len(lines) <= shown + 1:
        return lines
    return [*lines[:shown], f"... and {len(lines) - shown} more lines"]


def _time_text(value: object) -> str:
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, timedelta):
        return duration(value)
    return short_repr(value)
