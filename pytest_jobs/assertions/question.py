"""The keywords of an assertion: their types for callers, and how they are checked and parsed.

A criterion that can be true of no job is refused here, before anything is looked at: an assertion that expects no
job must not pass because of a slip.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from types import FunctionType
from typing import Any, Final, NamedTuple, Protocol, TypedDict, TypeVar

from ..core.arguments.records import RecordReference, references
from ..core.foundation.options import to_ns
from ..core.foundation.vocabulary import meant_keyword
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

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)

# What callers write


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


class _Counts(TypedDict, total=False):
    #: How many match.
    count: int
    #: How many match at least.
    at_least: int
    #: How many match at most.
    at_most: int


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
    """What `assert_enqueued` can ask about one job, which may be on its way."""

    #: How long to wait for it, in real time: seconds or a timedelta.
    timeout: float | timedelta


class CountedEnqueuedCriteria(AwaitedEnqueuedCriteria, _Counts, total=False):
    """What `assert_enqueued` can ask about several jobs."""


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
    within: Sequence[JobRecord] | Sequence[Delivery]


class StatusCriteria(DeliveredCriteria, total=False):
    """What `assert_delivered` can ask."""

    #: What the attempt came to.
    status: Status


class CountedStatusCriteria(StatusCriteria, _Counts, total=False):
    """What `assert_delivered` can ask about several deliveries."""


class CountedDeliveredCriteria(DeliveredCriteria, _Counts, total=False):
    """What the assertions about deliveries can ask about several."""


# How it is checked and parsed

ENQUEUED_CRITERIA: Final = frozenset(CountedEnqueuedCriteria.__annotations__)
DELIVERED_CRITERIA: Final = frozenset(CountedDeliveredCriteria.__annotations__)
COUNTS: Final = ("count", "at_least", "at_most")

#: The criteria that compare arguments, and what their values are.
_ARGUMENTS: Final = {
    "args": "a list or tuple of positional arguments",
    "kwargs": "a dict of keyword arguments",
    "params": "a dict of arguments by parameter name",
}
#: Modules whose types are not matchers: a value of them equals values of its own kind only.
_PLAIN: Final = frozenset(("builtins", "datetime", "decimal", "fractions"))
#: The types of most arguments. A record is never of one of them.
_SCALARS: Final = frozenset((str, int, float, bool, bytes, type(None)))


class Fields(Protocol[T_contra]):
    """Where the criteria find what they compare."""

    def record_of(self, item: T_contra, /) -> JobRecord:
        """Return the record of an item."""
        ...

    def at(self, item: T_contra, /) -> datetime | None:
        """Return the instant that is compared with `at`."""
        ...

    def wait(self, item: T_contra, /) -> timedelta | None:
        """Return the duration that is compared with `wait`."""
        ...


class Counts(NamedTuple):
    """How many matches are expected."""

    least: int
    most: int | None
    #: Whether the assertion returns its one match itself.
    singular: bool


def parse_counts(criteria: Mapping[str, Any]) -> Counts:
    """Return how many matches are expected: exactly one, unless a criterion says otherwise.

    Raises:
        CriterionError: for a wrong number, or numbers that contradict each other.
    """
    count, least, most = given = tuple(map(criteria.get, COUNTS))
    if given == (None, None, None):
        return Counts(1, 1, singular=True)
    for name, value in zip(COUNTS, given, strict=True):
        if value is not None and (type(value) is not int or value < 0):
            raise CriterionError(
                f"{name}={value!r} is not a number of jobs: write an int of at least 0."
            )
    if count is not None:
        if least is not None or most is not None:
            raise CriterionError("count= says exactly how many: leave at_least= and at_most= out.")
        return Counts(count, count, singular=False)
    if least is not None and most is not None and least > most:
        raise CriterionError(
            f"at_least={least} is more than at_most={most}: no number of jobs is both, so swap them."
        )
    return Counts(least or 0, most, singular=False)


def parse_timeout(criteria: Mapping[str, Any]) -> float | None:
    """Return how many seconds an assertion waits at most; None when it does not wait.

    Raises:
        CriterionError: when it is not a duration above 0.
    """
    timeout = criteria.get("timeout")
    if isinstance(timeout, timedelta):
        timeout = timeout.total_seconds()
    if timeout is None or (type(timeout) in (int, float) and 0 < timeout <= threading.TIMEOUT_MAX):
        return timeout
    raise CriterionError(
        f"timeout={criteria['timeout']!r} is not a time to wait: write seconds above 0, or a timedelta."
    )


def check_names(
    criteria: Mapping[str, Any], known: frozenset[str], target: Target | None, assertion: str
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
        if name in COUNTS and assertion.startswith("assert_not_"):
            raise CriterionError(
                f"{assertion}() knows no {name}=: it expects none, so there is nothing to count. Leave it out."
            )
        if name in DELIVERED_CRITERIA:
            raise CriterionError(
                f"{assertion}() knows no criterion {name!r}, which only deliveries have: ask for it with "
                "assert_performed(), say."
            )
        near = meant_keyword(name, sorted(known))
        meant = f"; did you mean {near}=?" if near else "."
        raise CriterionError(
            f"{assertion}() knows no criterion {name!r}{meant} It knows {', '.join(sorted(known))}."
        )


def parse_criteria(
    target: Target | None, criteria: Mapping[str, Any], fields: Fields[T]
) -> list[Criterion[T]]:
    """Return the criteria that were given, in the order in which messages show them.

    `where` comes last: it is asked only about items that are as expected otherwise.

    Raises:
        CriterionError: when one of them could be true of no job.
        NaiveDatetimeError: when `at` has no timezone.
    """
    record_of = fields.record_of
    # Criteria of deliveries alone are among them only if the assertion is about deliveries.
    parsed: list[Criterion[Any]] = _parse_arguments(target, criteria, record_of)

    def value(name: str, expected: object, get: Callable[[Any], object]) -> None:
        parsed.append(ValueCriterion(name, expected, get))

    if "queue" in criteria:
        queue = _possible("queue", criteria["queue"], str | None, "a text such as 'mailers'")
        value("queue", queue, lambda item: record_of(item).queue)
    if "priority" in criteria:
        priority = _possible("priority", criteria["priority"], int | None, "an int")
        value("priority", priority, lambda item: record_of(item).priority)
    tolerance = _parse_tolerance(criteria)
    if "at" in criteria:
        parsed.append(TimeCriterion("at", _instant(criteria["at"]), tolerance, fields.at))
    if "wait" in criteria:
        parsed.append(TimeCriterion("wait", _duration(criteria["wait"]), tolerance, fields.wait))
    if "attempt" in criteria:
        attempt = _possible("attempt", criteria["attempt"], int, "an int of at least 1")
        value("attempt", attempt, lambda item: record_of(item).attempt)
    if "status" in criteria:
        value("status", _status(criteria["status"]), lambda delivery: delivery.status)
    if "result" in criteria:
        value("result", criteria["result"], lambda delivery: delivery.result)
    if "error" in criteria:
        parsed.append(ErrorCriterion(_error(criteria["error"])))
    if "where" in criteria:
        parsed.append(WhereCriterion(criteria["where"]))
    return parsed


def _parse_arguments(
    target: Target | None, criteria: Mapping[str, Any], record_of: Callable[[Any], JobRecord]
) -> list[Criterion[Any]]:
    given = [name for name in _ARGUMENTS if name in criteria]
    if not given:
        return []
    if target is None:
        raise CriterionError(
            f"{given[0]}= is compared by the signature of a job: name the job too."
        )
    # Other libraries may pickle a record without a row; the core refuses it.
    with_row = target.bridge.name == "core"
    values: dict[str, Any] = {"args": [], "kwargs": {}}
    for name in given:
        value = criteria[name]
        if name == "args" and isinstance(value, Sequence) and not isinstance(value, str | bytes):
            values[name] = expected_value([*value], name, with_row)
        elif name != "args" and isinstance(value, Mapping):
            values[name] = expected_value({**value}, name, with_row)
        else:
            expected_value(value, name, with_row)
            raise CriterionError(f"{name}={value!r} is not {_ARGUMENTS[name]}.")
    parsed: list[Criterion[Any]] = []
    if given != ["params"]:
        parsed.append(ArgumentsCriterion(target, values["args"], values["kwargs"], record_of))
    if "params" in given:
        parsed.append(ParamsCriterion(target, values["params"], record_of))
    return parsed


def expected_value(value: Any, path: str, with_row: bool) -> Any:
    """Return what arguments are compared with: an expected value with a reference in place of every record.

    Args:
        value: the expected value, or a part of it.
        path: how messages name it, such as `kwargs['items'][2]`.
        with_row: whether a record has to have a row.

    Raises:
        CriterionError: for a function made on the spot, which no payload can carry, so that it was meant to be
            called; for a record without a row.
    """
    kind = type(value)
    if kind in _SCALARS:
        return value
    if isinstance(value, FunctionType) and "<" in value.__qualname__:
        raise CriterionError(
            f"{path} is a function made on the spot, and arguments are compared, so nothing calls it: write "
            "where=..., or a matcher that compares equal."
        )
    if isinstance(value, dict):
        items = {
            key: expected_value(item, f"{path}[{key!r}]", with_row) for key, item in value.items()
        }
        if kind is dict:
            return items
    elif isinstance(value, list | tuple):
        listed = [
            expected_value(item, f"{path}[{index}]", with_row) for index, item in enumerate(value)
        ]
        if kind is list or kind is tuple:
            return kind(listed)
    found = references.of(kind)
    asked = value if found is None else RecordReference(found, found.identify(value))
    if with_row and isinstance(asked, RecordReference) and asked.id is None:
        raise CriterionError(
            f"{path} is a {asked.cls.__qualname__} without a row, since it was not saved, was rolled back or is "
            "deleted: no job carries it, and the question would be true of none. Ask with one that has a row."
        )
    return asked


def _parse_tolerance(criteria: Mapping[str, Any]) -> timedelta:
    tolerance = criteria.get("tolerance", timedelta(seconds=1))
    if not isinstance(tolerance, timedelta) or tolerance < timedelta(0):
        raise CriterionError(
            f"tolerance={tolerance!r} is not a timedelta: write timedelta(seconds=5), say."
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
            f"at={expected!r} is not an instant: write an aware datetime, or wait= for a delay."
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
    raise CriterionError(f"wait={expected!r} is not a delay: write a timedelta or seconds.")


def _error(expected: Any) -> Any:
    is_class = isinstance(expected, type) and issubclass(expected, BaseException)
    if is_class or isinstance(expected, BaseException | None) or not _is_plain(expected):
        return expected
    raise CriterionError(
        f"error={expected!r} is not an exception: write a class such as ValueError, an exception, or a matcher."
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
    return type(value).__module__ in _PLAIN
