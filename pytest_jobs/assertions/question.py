"""One call of an assertion, parsed and checked before anything is looked at."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import FunctionType
from typing import Any, Final, Generic, TypedDict, TypeVar

from ..core.arguments.records import RecordReference, with_references
from ..core.foundation.options import to_ns
from ..errors import CriterionError
from ..harness.records.delivery import STATUSES, Delivery, Status
from ..harness.records.record import JobRecord
from ..harness.records.targets import Target
from ..harness.records.texts import short_name
from .criteria import (
    ArgumentsCriterion,
    Criterion,
    ErrorCriterion,
    ParamsCriterion,
    TimeCriterion,
    ValueCriterion,
    WhereCriterion,
)


def values_asked(target: Target, value: Any, path: str) -> Any:
    """Return an expected value with a reference in place of every record.

    Args:
        target: the job that is asked for.
        value: what its arguments are compared with.
        path: what it is called in messages.

    Raises:
        CriterionError: when a record in it has no row, and so can be the argument of no job.
    """
    asked = with_references(value)
    # What another library pickles may be a record without a row.
    if target.bridge.name == "core":
        _check_rows(asked, path)
    return asked


def check_no_function(value: object, path: str) -> None:
    """Raise when an expectation is a function that no payload can carry: it was meant to be asked.

    Args:
        value: what arguments are compared with.
        path: what it is called in messages.

    Raises:
        CriterionError: when it is one, or has one in it.
    """
    if isinstance(value, FunctionType) and "<" in value.__qualname__:
        raise CriterionError(
            f"{path} is a function made on the spot, and arguments are compared, so nothing calls it: write "
            "where=..., or a matcher that compares equal."
        )
    for item, item_path in _items(value, path):
        check_no_function(item, item_path)


def _check_rows(value: object, path: str) -> None:
    if isinstance(value, RecordReference) and value.id is None:
        raise CriterionError(
            f"{path} is a {value.cls.__qualname__} without a row, since it was not saved, was rolled back or is "
            "deleted: no job carries it, and the question would be true of none. Ask with one that has a row."
        )
    for item, item_path in _items(value, path):
        _check_rows(item, item_path)


def _items(value: object, path: str) -> list[tuple[object, str]]:
    if isinstance(value, dict):
        return [(item, f"{path}[{key!r}]") for key, item in value.items()]
    if isinstance(value, list | tuple):
        return [(item, f"{path}[{index}]") for index, item in enumerate(value)]
    return []


T = TypeVar("T")


Window = Sequence[JobRecord] | Sequence[Delivery]


class _Common(TypedDict, total=False):
    #: The positional arguments; with `kwargs` the whole call.
    args: Sequence[Any]
    #: The keyword arguments; with `args` the whole call.
    kwargs: Mapping[str, Any]
    #: Some of the arguments, by parameter name.
    params: Mapping[str, Any]
    #: The name of the queue.
    queue: object
    #: The priority.
    priority: object
    #: The number of the attempt, counted from 1.
    attempt: object
    #: How far times may lie from what is expected; 1 s by default.
    tolerance: timedelta


class EnqueuedCriteria(_Common, total=False):
    """What `assert_enqueued` can ask."""

    #: When it is due: an aware datetime; None for at once.
    at: object
    #: How long after its enqueueing it is due: a timedelta or seconds; None for at once.
    wait: object
    #: A callable that takes the record.
    where: Callable[[JobRecord], object]
    #: What to look at instead of the whole test, such as a capture.
    within: Sequence[JobRecord]


class AwaitedEnqueuedCriteria(EnqueuedCriteria, total=False):
    """The same, where the job may be on its way."""

    #: How long to wait for it, in real time: seconds or a timedelta.
    timeout: float | timedelta


class CountedEnqueuedCriteria(AwaitedEnqueuedCriteria, total=False):
    """The same, for several."""

    #: How many match.
    count: int
    #: How many match at least.
    at_least: int
    #: How many match at most.
    at_most: int


class DeliveredCriteria(_Common, total=False):
    """What the assertions about deliveries can ask."""

    #: When the attempt began: an aware datetime.
    at: object
    #: How long after it the next attempt is due: a timedelta or seconds; None for no next attempt.
    wait: object
    #: What the job returned.
    result: object
    #: What the job raised: a class, an exception, or a matcher.
    error: object
    #: A callable that takes the delivery.
    where: Callable[[Delivery], object]
    #: What to look at instead of the whole test: records or deliveries.
    within: Window


class StatusCriteria(DeliveredCriteria, total=False):
    """The same, of any attempt."""

    #: What the attempt came to.
    status: Status


class CountedStatusCriteria(StatusCriteria, total=False):
    """The same, for several."""

    #: How many match.
    count: int
    #: How many match at least.
    at_least: int
    #: How many match at most.
    at_most: int


class CountedDeliveredCriteria(DeliveredCriteria, total=False):
    """The same, for several."""

    #: How many match.
    count: int
    #: How many match at least.
    at_least: int
    #: How many match at most.
    at_most: int


_ARGUMENTS = ("args", "kwargs", "params")
_COUNTS = ("count", "at_least", "at_most")
#: What job libraries call a criterion.
_ELSEWHERE = {"countdown": "wait", "delay": "wait", "eta": "at", "run_at": "at"}
#: Where the types live whose values are no matchers.
_PLAIN = frozenset(("builtins", "datetime", "decimal", "fractions"))
ENQUEUED_CRITERIA: Final = frozenset(CountedEnqueuedCriteria.__annotations__)
DELIVERED_CRITERIA: Final = frozenset(CountedDeliveredCriteria.__annotations__)


@dataclass(frozen=True, slots=True)
class Fields(Generic[T]):
    """Where the criteria find what they compare."""

    record_of: Callable[[T], JobRecord]
    at: Callable[[T], datetime | None]
    wait: Callable[[T], timedelta | None]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many matches are expected."""

    least: int
    most: int | None
    #: Whether the assertion returns its one match itself.
    singular: bool

    def admit(self, found: int) -> bool:
        """Say whether so many are as expected."""
        return found >= self.least and (self.most is None or found <= self.most)


def parse_counts(criteria: Mapping[str, Any]) -> Counts:
    """Return how many matches are expected: exactly one, unless a criterion says otherwise.

    Raises:
        CriterionError: when the counts cannot be meant.
    """
    for name in _COUNTS:
        value = criteria.get(name)
        if value is not None and (type(value) is not int or value < 0):
            raise CriterionError(
                f"{name}={value!r} is no number of jobs: write an int of at least 0."
            )
    count, least, most = (criteria.get(name) for name in _COUNTS)
    if count is not None:
        if least is not None or most is not None:
            raise CriterionError("count= says exactly how many: leave at_least= and at_most= out.")
        return Counts(count, count, singular=False)
    if least is None and most is None:
        return Counts(1, 1, singular=True)
    if least is not None and most is not None and least > most:
        raise CriterionError(
            f"at_least={least} is more than at_most={most}: no number of jobs is both, so swap them."
        )
    return Counts(least or 0, most, singular=False)


def check_names(
    criteria: Mapping[str, Any], known: Iterable[str], target: Target | None, assertion: str
) -> None:
    """Raise when a criterion has a name that the assertion does not know.

    Raises:
        CriterionError: names what was likely meant.
    """
    for name in criteria:
        if name in known:
            continue
        if target is not None and name in target.bridge.signature(target.job).names:
            raise CriterionError(
                f"{assertion}() knows no criterion {name!r}, a parameter of {short_name(target.name)}: ask "
                f"for it with params={{{name!r}: ...}}."
            )
        if name in _COUNTS and assertion.startswith("assert_not_"):
            raise CriterionError(
                f"{assertion}() knows no {name}=: it expects none, so there is nothing to count. Leave it out."
            )
        if name in DELIVERED_CRITERIA:
            raise CriterionError(
                f"{assertion}() knows no criterion {name!r}, which only deliveries have: ask for it with "
                "assert_performed(), say."
            )
        near = difflib.get_close_matches(_ELSEWHERE.get(name, name), known, n=1)
        meant = f"; did you mean {near[0]}=?" if near else "."
        raise CriterionError(
            f"{assertion}() knows no criterion {name!r}{meant} It knows {', '.join(sorted(known))}."
        )


def parse_criteria(
    target: Target | None, criteria: Mapping[str, Any], fields: Fields[T]
) -> list[Criterion[T]]:
    """Return the criteria that were given, in the order in which messages show them.

    Raises:
        CriterionError: when one of them could be true of no job.
        NaiveDatetimeError: when `at` has no timezone.
    """
    parsed: list[Criterion[T]] = [*_argument_criteria(target, criteria, fields)]
    record_of = fields.record_of
    if "queue" in criteria:
        queue = _possible("queue", criteria["queue"], str | None, "a text such as 'mailers'")
        parsed.append(ValueCriterion("queue", queue, lambda item: record_of(item).queue))
    if "priority" in criteria:
        priority = _possible("priority", criteria["priority"], int | None, "an int")
        parsed.append(ValueCriterion("priority", priority, lambda item: record_of(item).priority))
    tolerance = _tolerance(criteria)
    if "at" in criteria:
        parsed.append(TimeCriterion("at", _instant(criteria["at"]), tolerance, fields.at))
    if "wait" in criteria:
        parsed.append(TimeCriterion("wait", _duration(criteria["wait"]), tolerance, fields.wait))
    if "attempt" in criteria:
        attempt = _possible("attempt", criteria["attempt"], int, "an int of at least 1")
        parsed.append(ValueCriterion("attempt", attempt, lambda item: record_of(item).attempt))
    return parsed


def parse_where(criteria: Mapping[str, Any]) -> list[WhereCriterion[Any]]:
    """Return the callable that is asked last, of what is as expected otherwise."""
    return [WhereCriterion(criteria["where"])] if "where" in criteria else []


def parse_outcome(criteria: Mapping[str, Any]) -> list[Criterion[Delivery]]:
    """Return the criteria that only deliveries have."""
    parsed: list[Criterion[Delivery]] = []
    if "status" in criteria:
        status = _status(criteria["status"])
        parsed.append(ValueCriterion("status", status, lambda delivery: delivery.status))
    if "result" in criteria:
        parsed.append(
            ValueCriterion("result", criteria["result"], lambda delivery: delivery.result)
        )
    if "error" in criteria:
        parsed.append(ErrorCriterion(_error(criteria["error"])))
    return parsed


def _argument_criteria(
    target: Target | None, criteria: Mapping[str, Any], fields: Fields[T]
) -> Iterable[Criterion[T]]:
    given = [name for name in _ARGUMENTS if name in criteria]
    if not given:
        return
    if target is None:
        raise CriterionError(
            f"{given[0]}= is compared by the signature of a job: name the job too."
        )
    for name in given:
        check_no_function(criteria[name], name)
    if "args" in criteria or "kwargs" in criteria:
        args = _checked(
            criteria.get("args", ()), "args", Sequence, "a list or tuple of positional arguments"
        )
        kwargs = _checked(
            criteria.get("kwargs", {}), "kwargs", Mapping, "a dict of keyword arguments"
        )
        yield ArgumentsCriterion(
            target,
            values_asked(target, list(args), "args"),
            values_asked(target, dict(kwargs), "kwargs"),
            fields.record_of,
        )
    if "params" in criteria:
        params = _checked(
            criteria["params"], "params", Mapping, "a dict of arguments by parameter name"
        )
        yield ParamsCriterion(
            target, values_asked(target, dict(params), "params"), fields.record_of
        )


def _checked(value: Any, name: str, kind: type, wanted: str) -> Any:
    if not isinstance(value, kind) or isinstance(value, str | bytes):
        raise CriterionError(f"{name}={value!r} is not {wanted}.")
    return value


def _tolerance(criteria: Mapping[str, Any]) -> timedelta:
    tolerance = criteria.get("tolerance", timedelta(seconds=1))
    if not isinstance(tolerance, timedelta) or tolerance < timedelta(0):
        raise CriterionError(
            f"tolerance={tolerance!r} is no timedelta: write timedelta(seconds=5), say."
        )
    if "tolerance" in criteria and "at" not in criteria and "wait" not in criteria:
        raise CriterionError(
            "tolerance= is for at= and wait=, and neither is given: give one, or leave it out."
        )
    return tolerance


def _instant(expected: Any) -> Any:
    if isinstance(expected, datetime):
        to_ns(expected, "at")
    elif expected is not None and _is_plain(expected):
        raise CriterionError(
            f"at={expected!r} is no instant: write an aware datetime, or wait= for a delay."
        )
    return expected


def _duration(expected: Any) -> Any:
    try:
        if isinstance(expected, int | float) and not isinstance(expected, bool):
            return timedelta(seconds=expected)
    except (OverflowError, ValueError):
        pass
    else:
        if isinstance(expected, timedelta | None) or not _is_plain(expected):
            return expected
    raise CriterionError(f"wait={expected!r} is no delay: write a timedelta or seconds.")


def _error(expected: Any) -> Any:
    is_class = isinstance(expected, type) and issubclass(expected, BaseException)
    if is_class or isinstance(expected, BaseException | None) or not _is_plain(expected):
        return expected
    raise CriterionError(
        f"error={expected!r} is no exception: write a class such as ValueError, an exception, or a matcher."
    )


def _status(expected: Any) -> Any:
    if _is_plain(expected) and expected not in STATUSES:
        raise CriterionError(
            f"No attempt comes to status={expected!r}: write one of {', '.join(STATUSES)}, or a matcher."
        )
    return expected


def _possible(name: str, expected: Any, kinds: Any, wanted: str) -> Any:
    impossible = name == "attempt" and isinstance(expected, int) and expected < 1
    if impossible or (_is_plain(expected) and not isinstance(expected, kinds)):
        raise CriterionError(f"No job has {name}={expected!r}: write {wanted}, or a matcher.")
    return expected


def _is_plain(value: object) -> bool:
    """Say whether a value is no matcher, and so equals values of its own kind only."""
    return type(value).__module__ in _PLAIN
