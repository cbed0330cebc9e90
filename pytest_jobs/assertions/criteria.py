"""What an assertion asks of a job, one class a kind of question."""

from __future__ import annotations

import difflib
import inspect
import pprint
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Generic, Protocol, TypeVar

from ..core.foundation.signature import Binder
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
T_contra = TypeVar("T_contra", contravariant=True)

_WIDE = 60


class Criterion(Protocol[T_contra]):
    """One thing that is expected of a record or a delivery."""

    @property
    def name(self) -> str:
        """The keyword that asks for it."""
        ...

    @property
    def expected(self) -> str:
        """What is expected, in words."""
        ...

    def matches(self, item: T_contra, /) -> bool:
        """Say whether the item is as expected."""
        ...

    def explain(self, item: T_contra, /) -> list[str]:
        """Return how it differs, in lines."""
        ...

    def actual(self, item: T_contra, /) -> str:
        """Return what the item has instead, in a few words."""
        ...


class ValueCriterion(Generic[T]):
    """A field that equals a value, the expectation being asked first."""

    def __init__(self, name: str, expected: object, get: Callable[[T], object]) -> None:
        self.name = name
        self._expected = expected
        self._get = get

    @property
    def expected(self) -> str:
        """The value."""
        return short_repr(self._expected)

    def matches(self, item: T, /) -> bool:
        """Compare the field."""
        return bool(self._expected == self._get(item))

    def explain(self, item: T, /) -> list[str]:
        """Return both values."""
        return _cut(difference(self._expected, self._get(item)))

    def actual(self, item: T, /) -> str:
        """Return the field."""
        return short_repr(self._get(item))


class ArgumentsCriterion(Generic[T]):
    """The whole call: arguments bound to the signature, so that how they were passed is no difference."""

    def __init__(
        self,
        target: Target,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        record_of: Callable[[T], JobRecord],
    ) -> None:
        self.name = "args"
        self._args, self._kwargs = args, kwargs
        self._signature = target.bridge.signature(target.job)
        self._record_of = record_of
        try:
            self._values = self._signature.bind(*args, **kwargs)
            self._expected = self._signature.named(tuple(args), kwargs)
        except TypeError as error:
            name = short_name(target.name)
            raise CriterionError(
                f"No {name} can have the arguments {self.expected}: {self._signature.misfit(error, name)} To ask "
                "for some of them only, write params={...}."
            ) from None

    @property
    def expected(self) -> str:
        """The arguments."""
        return f"({listed(self._args, self._kwargs)})"

    def matches(self, item: T, /) -> bool:
        """Bind and compare."""
        record = self._record_of(item)
        try:
            args, kwargs = record.arguments()
            actual = self._signature.bind(*args, **kwargs)
        except Exception:
            return False
        return bool(self._values == actual)

    def explain(self, item: T, /) -> list[str]:
        """Return the parameters that differ."""
        actual = _read(self._signature, self._record_of(item))
        if isinstance(actual, Exception):
            return [_unreadable(actual)]
        lines = _differences(self._expected, actual)
        lines += [
            f"{name}: not expected, got {short_repr(value)}"
            for name, value in actual.items()
            if name not in self._expected
        ]
        return _cut(lines)

    def actual(self, item: T, /) -> str:
        """Return the call."""
        actual = _read(self._signature, self._record_of(item))
        return "unreadable" if isinstance(actual, Exception) else f"({listed((), actual)})"


class ParamsCriterion(Generic[T]):
    """Some of the arguments, by parameter name."""

    def __init__(
        self, target: Target, params: Mapping[str, Any], record_of: Callable[[T], JobRecord]
    ) -> None:
        self.name = "params"
        self._signature = target.bridge.signature(target.job)
        self._params = params
        self._record_of = record_of
        for name in params:
            if not self._signature.accepts(name):
                raise CriterionError(
                    f"{short_name(target.name)} has no parameter {name!r}, so params={{{name!r}: ...}} can match "
                    "nothing: name the parameters as `perform` does."
                )

    @property
    def expected(self) -> str:
        """The arguments that are asked for."""
        return listed((), self._params) or "{}"

    def matches(self, item: T, /) -> bool:
        """Compare the named arguments and no others."""
        actual = _read(self._signature, self._record_of(item))
        return not isinstance(actual, Exception) and all(
            name in actual and bool(expected == actual[name])
            for name, expected in self._params.items()
        )

    def explain(self, item: T, /) -> list[str]:
        """Return the named arguments that differ."""
        actual = _read(self._signature, self._record_of(item))
        if isinstance(actual, Exception):
            return [_unreadable(actual)]
        return _cut(_differences(self._params, actual))

    def actual(self, item: T, /) -> str:
        """Return the named arguments."""
        actual = _read(self._signature, self._record_of(item))
        if isinstance(actual, Exception):
            return "unreadable"
        given = {name: actual[name] for name in self._params if name in actual}
        return listed((), given) or "not given"


class TimeCriterion(Generic[T]):
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
        """The time, and how far it may lie off."""
        exact = "exactly" if not self._tolerance else f"+-{duration(self._tolerance)}"
        shown = _time_text(self._expected)
        is_time = isinstance(self._expected, datetime | timedelta)
        return f"{shown} ({exact})" if is_time else shown

    def matches(self, item: T, /) -> bool:
        """Compare within the tolerance."""
        actual = self._get(item)
        expected = self._expected
        if isinstance(expected, datetime) and isinstance(actual, datetime):
            return abs(expected - actual) <= self._tolerance
        if isinstance(expected, timedelta) and isinstance(actual, timedelta):
            return abs(expected - actual) <= self._tolerance
        return bool(expected == actual)

    def explain(self, item: T, /) -> list[str]:
        """Return both times, and how far they lie apart."""
        actual = self._get(item)
        line = f"expected {self.expected}, got {_time_text(actual)}"
        expected = self._expected
        if isinstance(expected, datetime) and isinstance(actual, datetime):
            line += f", {_apart(actual - expected, 'later', 'earlier')}"
        elif isinstance(expected, timedelta) and isinstance(actual, timedelta):
            line += f", {_apart(actual - expected, 'longer', 'shorter')}"
        return [line]

    def actual(self, item: T, /) -> str:
        """Return the time."""
        return _time_text(self._get(item))


class ErrorCriterion:
    """The error of a delivery: of a class, like another error, or equal to a matcher."""

    def __init__(self, expected: object) -> None:
        self.name = "error"
        self._expected = expected

    @property
    def expected(self) -> str:
        """The class, or the error."""
        expected = self._expected
        return expected.__name__ if isinstance(expected, type) else short_repr(expected)

    def matches(self, item: Delivery, /) -> bool:
        """Compare the error."""
        expected, error = self._expected, item.error
        if isinstance(expected, type) and issubclass(expected, BaseException):
            return isinstance(error, expected)
        if isinstance(expected, BaseException) and error is not None:
            return type(expected) is type(error) and expected.args == error.args
        return bool(expected == error)

    def explain(self, item: Delivery, /) -> list[str]:
        """Return both errors."""
        return [f"expected {self.expected}, got {self.actual(item)}"]

    def actual(self, item: Delivery, /) -> str:
        """Return the error."""
        return "None" if item.error is None else error_text(item.error)


class WhereCriterion(Generic[T]):
    """A callable of the user's."""

    def __init__(self, where: Callable[[T], object]) -> None:
        if not callable(where):
            raise CriterionError(
                f"where={where!r} is not callable: write a function that takes the record."
            )
        if inspect.iscoroutinefunction(where):
            raise CriterionError(
                f"where={_name_of(where)} is a coroutine function, and nothing awaits it: write a plain one."
            )
        self.name = "where"
        self.expected = _name_of(where)
        self._where = where

    def matches(self, item: T, /) -> bool:
        """Ask the callable."""
        return bool(self._where(item))

    def explain(self, item: T, /) -> list[str]:
        """Return what it said."""
        return [f"{self.expected} returned {short_repr(self._where(item))}"]

    def actual(self, item: T, /) -> str:
        """Return what it said."""
        return short_repr(self._where(item))


def _name_of(function: object) -> str:
    return str(getattr(function, "__qualname__", repr(function))).rpartition("<locals>.")[2]


def difference(expected: object, actual: object) -> list[str]:
    """Return how two values differ, in one line or as a diff."""
    left, right = repr(expected), repr(actual)
    if all(len(text) <= _WIDE and "\n" not in text for text in (left, right)):
        return [f"expected {left}, got {right}"]
    if folding().lines == 1:
        return [f"expected {short_repr(expected)}, got {short_repr(actual)}"]
    wanted = pprint.pformat(expected, width=_WIDE, sort_dicts=False).splitlines()
    got = pprint.pformat(actual, width=_WIDE, sort_dicts=False).splitlines()
    _from, _to, *lines = [*difflib.unified_diff(wanted, got, lineterm="", n=1)] or ("", "")
    if not lines:
        return [f"expected {short_repr(expected)}, got what prints the same and is not equal"]
    shown = [f"{line[0]} {line[1:]}" for line in lines if not line.startswith("@@")]
    return ["- expected, + got:", *shown]


def _differences(expected: Mapping[str, Any], actual: Mapping[str, Any]) -> list[str]:
    lines = []
    for name, value in expected.items():
        if name not in actual:
            lines.append(f"{name}: expected {short_repr(value)}, not given")
        elif not bool(value == actual[name]):
            first, *rest = difference(value, actual[name])
            lines += [f"{name}: {first}", *(f"  {line}" for line in rest)]
    return lines


def _cut(lines: list[str]) -> list[str]:
    shown = folding().lines
    if len(lines) <= shown + 1:
        return lines
    return [*lines[:shown], f"... and {len(lines) - shown} more lines"]


def _read(signature: Binder, record: JobRecord) -> dict[str, Any] | Exception:
    try:
        return signature.named(record.args, record.kwargs)
    except Exception as error:
        return error


def _unreadable(error: Exception) -> str:
    return f"the arguments cannot be read: {error_text(error)}"


def _time_text(value: object) -> str:
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, timedelta):
        return duration(value)
    return short_repr(value)


def _apart(delta: timedelta, more: str, less: str) -> str:
    return f"{duration(abs(delta))} {more if delta > timedelta(0) else less}"
