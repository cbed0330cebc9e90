"""Makes the data of a report of what a session saw: records and deliveries become jobs with attempts."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from ..seen.session import SeenDelivery, SeenRecord, SeenTest
from .data import Schedule, ShownAttempt, ShownJob, ShownTest

_SECOND: Final = 1_000_000_000


def shown_tests(tests: Iterable[SeenTest]) -> list[ShownTest]:
    """Return the tests that enqueued jobs, or performed some: one for each harness that was open."""
    return [_shown(test) for test in tests if test.records]


def shown_maps(tests: Iterable[SeenTest]) -> list[dict[str, Any]]:
    """Return the maps of all checks, those that have found something first.

    What a test expects to be found, as by `pytest.raises`, is nothing wrong: that test has passed.
    """
    found = [
        {**check.map, "nodeid": test.nodeid, **_expected(check.map, test)}
        for test in tests
        for check in test.checks
        if check.map is not None
    ]
    return sorted(found, key=lambda drawn: drawn["tone"] != "bad")


def _expected(drawn: Mapping[str, Any], test: SeenTest) -> dict[str, Any]:
    if drawn["tone"] != "bad" or test.outcome != "passed":
        return {}
    return {"tone": "wait", "verdict": f"{drawn['verdict']}, as the test expects"}


def schedules(tests: Iterable[SeenTest], shown: Iterable[ShownTest]) -> list[Schedule]:
    """Return the waits of jobs, the longest first. Of one job the longest run counts: others ended earlier."""
    runs = [
        (job.name, [one.wait for one in job.attempts], job.outcome)
        for test in shown
        for job in test.jobs
    ]
    for timeline in (one for test in tests for one in test.timelines if one.deliveries):
        seconds = [one.wait_ns and one.wait_ns / _SECOND for one in timeline.deliveries]
        runs.append((timeline.job.name, seconds, timeline.deliveries[-1].status))
    longest: dict[str, tuple[tuple[float, ...], str]] = {}
    for name, several, outcome in runs:
        waits = tuple(wait for wait in several if wait is not None)
        if len(waits) > len(longest.get(name, ((), ""))[0]):
            longest[name] = waits, outcome
    alike: dict[tuple[float, ...], list[str]] = {}
    for name, (waits, _) in sorted(longest.items()):
        alike.setdefault(waits, []).append(name)
    found = [Schedule(names, waits, longest[names[0]][1]) for waits, names in alike.items()]
    return sorted(found, key=lambda one: (-len(one.waits), *one.names))


def _shown(test: SeenTest) -> ShownTest:
    began, clock = _clock(test)
    orders = _Orders(test.deliveries)
    deliveries: dict[int, list[tuple[int, SeenDelivery]]] = {}
    for place, delivery in enumerate(test.deliveries):
        deliveries.setdefault(delivery.record, []).append((orders.delivery(place), delivery))
    first = _firsts(test.records)
    several: dict[int, list[SeenRecord]] = {}
    for record in test.records:
        several.setdefault(first[record.sequence], []).append(record)
    jobs = tuple(_job(records, deliveries, clock, first, orders) for records in several.values())
    # A time in the local zone of whoever made the page would differ from machine to machine.
    moment = datetime.fromtimestamp(began / _SECOND, UTC)
    nodeid = test.nodeid or "outside of tests: session_jobs"
    return ShownTest(nodeid, test.outcome or "passed", f"{moment:%Y-%m-%d %H:%M} UTC", jobs)


def _job(
    records: Sequence[SeenRecord],
    deliveries: dict[int, list[tuple[int, SeenDelivery]]],
    clock: Callable[[int], float],
    first: dict[int, int],
    orders: _Orders,
) -> ShownJob:
    """Return a job of its record, and of those of its retries and redeliveries."""
    head, last = records[0], records[-1]
    attempts = tuple(
        _attempt(delivery, record.attempt, clock, order)
        for record in records
        for order, delivery in deliveries.get(record.sequence, ())
    )
    ended = attempts[-1].status if attempts else ""
    is_left = last.state in ("pending", "removed") and not deliveries.get(last.sequence)
    return ShownJob(
        head.sequence,
        head.job.name,
        head.call,
        head.job.bridge,
        head.queue,
        clock(head.enqueued_ns),
        None if head.due_ns is None else clock(head.due_ns),
        None if head.parent is None else first.get(head.parent, head.parent),
        attempts,
        last.state if is_left or not ended else ended,
        orders.record(head.sequence),
    )


def _attempt(
    delivery: SeenDelivery, number: int, clock: Callable[[int], float], order: int
) -> ShownAttempt:
    return ShownAttempt(
        number,
        clock(delivery.began_ns),
        clock(delivery.ended_ns),
        delivery.status,
        None if delivery.wait_ns is None else delivery.wait_ns / _SECOND,
        delivery.error,
        order,
        delivery.traceback,
    )


def _firsts(records: Sequence[SeenRecord]) -> dict[int, int]:
    """Return by the sequence of each record that of the first record of its job."""
    first: dict[int, int] = {}
    by_id: dict[tuple[str, str], int] = {}
    for record in records:
        key = record.job.bridge, record.job_id
        if record.origin == "enqueue":
            first[record.sequence] = by_id[key] = record.sequence
        else:
            origin = record.retry_of
            known = by_id.get(key, record.sequence) if origin is None else first.get(origin)
            first[record.sequence] = record.sequence if known is None else known
    return first


def _clock(test: SeenTest) -> tuple[int, Callable[[int], float]]:
    """Return when a test began, and what turns times into virtual seconds since then.

    Before the clock is first moved it runs by itself. That time is the machine's, and no part of the axis.
    """
    due = {
        _moment(one.due_ns): _moment(one.enqueued_ns)
        for one in test.records
        if one.due_ns is not None
    }
    times = sorted(
        {
            *due,
            *(_moment(record.enqueued_ns) for record in test.records),
            *(_moment(one.began_ns) for one in test.deliveries),
            *(_moment(one.ended_ns) for one in test.deliveries),
        }
    )
    began = before = times[0]
    shown: dict[int, float] = {}
    seconds = 0.0
    for time in times:
        if test.froze_ns is not None and time > test.froze_ns:
            seconds += _seconds(time - max(before, test.froze_ns))
        enqueued = due.get(time)
        if enqueued in shown:
            # Of two jobs that wait equally long, both are due at once, however slowly the test enqueued them.
            seconds = max(shown.get(before, 0.0), shown[enqueued] + _seconds(time - enqueued))
        shown[time] = seconds = round(seconds, 3)
        before = time
    return began, lambda time: shown[_moment(time)]


def _moment(ns: int) -> int:
    """Return a time as clocks show it: they have microseconds, and an attempt begins when its job is due."""
    return ns - ns % 1_000


def _seconds(ns: int) -> float:
    """Return a time in seconds; what is longer than one of them lasts some milliseconds more by computing."""
    return round(ns / _SECOND, 3 if ns < _SECOND else 1)


class _Orders:
    """The order in which jobs were enqueued and attempts began.

    A delivery knows how many records there were when it began. So it comes after those, and before the next.
    """

    def __init__(self, deliveries: Sequence[SeenDelivery]) -> None:
        # A job that was performed inline inside another one ended first and began last.
        places = sorted(range(len(deliveries)), key=lambda place: deliveries[place].known)
        self._known = [deliveries[place].known for place in places]
        self._ranks = {place: rank for rank, place in enumerate(places)}

    def delivery(self, place: int) -> int:
        rank = self._ranks[place]
        return self._known[rank] + rank

    def record(self, sequence: int) -> int:
        return sequence + bisect_right(self._known, sequence)
