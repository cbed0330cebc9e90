"""The whole of what was enqueued, one job after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from ..errors import CriterionError
from ..harness.active import current_jobs
from ..harness.jobs import Jobs
from ..harness.records.record import JobRecord
from ..harness.records.targets import Target
from ..harness.records.texts import record_line, short_name
from . import messages
from .advice import OTHER_ORDER
from .criteria import Criterion
from .frames import hide_ours
from .question import ENQUEUED_CRITERIA, EnqueuedCriteria, check_names
from .subjects import ENQUEUED, window_of
from .telling import told

#: A job, or a job and what else is expected of it.
ExpectedJob: TypeAlias = "object | tuple[object, EnqueuedCriteria]"

_NAME: Final = "assert_enqueued_in_order"
_KNOWN: Final = ENQUEUED_CRITERIA - {
    *("attempt", "count", "at_least", "at_most", "timeout", "within")
}


class AssertEnqueuedInOrder:
    """Assert that the application enqueued exactly these jobs, in this order.

    River's `RequireManyInserted` is its model. Retries and redeliveries do not count.
    """

    def __init__(self, find_jobs: Callable[[], Jobs] = current_jobs) -> None:
        self._find_jobs = find_jobs

    def __call__(
        self, expected: Sequence[ExpectedJob], /, *, within: Sequence[JobRecord] | None = None
    ) -> tuple[JobRecord, ...]:
        """Return the records, in order.

        Args:
            expected: the jobs; in the place of one also `(job, {"params": {...}})`, a job and
                criteria of `assert_enqueued`.
            within: what to look at instead of the whole test, such as a capture.

        Raises:
            AssertionError: names the index of the first that is another, and shows both lists.
            CriterionError: when a criterion can be true of no job.
        """
        jobs = self._find_jobs()
        try:
            wanted = [_Wanted(jobs, item) for item in _checked(expected)]
            records = _records(jobs, within)
            index = _first_difference(wanted, records)
        except Exception as error:
            hide_ours(error)
            raise
        if index is not None:
            inside = within is not None
            raise AssertionError(
                told(lambda: _text(wanted, records, index, inside=inside), jobs._reader)
            )
        for record in records:
            ENQUEUED.look(record)
        return tuple(records)

    def __repr__(self) -> str:
        return f"<{_NAME}>"


class _Wanted:
    """One place of the list."""

    def __init__(self, jobs: Jobs, item: object) -> None:
        job, criteria = _taken_apart(item)
        self._target: Target = jobs.targets.get(job)
        check_names(criteria, _KNOWN, self._target, _NAME)
        self._criteria: list[Criterion[JobRecord]] = ENQUEUED.parse(self._target, criteria)

    def is_met_by(self, record: JobRecord) -> bool:
        """Say whether the record is the one that is meant."""
        return self._target.is_job_of(record) and all(c.matches(record) for c in self._criteria)

    def verdicts(self, record: JobRecord) -> list[tuple[str, str, list[str]]]:
        """Return what differs, criterion by criterion; nothing when it is another job."""
        if not self._target.is_job_of(record):
            return []
        return [
            (c.name, "ok", []) if c.matches(record) else (c.name, "differs", c.explain(record))
            for c in self._criteria
        ]

    def __str__(self) -> str:
        asked = ", ".join(f"{c.name} {c.expected}" for c in self._criteria)
        name = short_name(self._target.name)
        return f"{name} with {asked}" if asked else name


def _records(jobs: Jobs, within: Sequence[JobRecord] | None) -> list[JobRecord]:
    window = window_of(within)
    return [
        record for record in jobs.ledger.first_enqueues() if window is None or window.holds(record)
    ]


def _first_difference(wanted: list[_Wanted], records: list[JobRecord]) -> int | None:
    for index, (want, got) in enumerate(zip(wanted, records, strict=False)):
        if not want.is_met_by(got):
            return index
    return None if len(wanted) == len(records) else min(len(wanted), len(records))


def _checked(expected: object) -> Sequence[object]:
    if isinstance(expected, Sequence) and not isinstance(expected, str):
        return expected
    raise CriterionError(
        f"{_NAME}({expected!r}) is given no list: write the jobs in the order in which they are enqueued, as in "
        "[Fetch, (Resize, {'params': {'size': 10}})]."
    )


def _taken_apart(item: object) -> tuple[object, Mapping[str, Any]]:
    if not isinstance(item, tuple):
        return item, {}
    if len(item) == 2 and isinstance(item[1], Mapping):
        return item
    raise CriterionError(
        f"{item!r} is no place in a list of jobs: write a job, or a pair such as (Resize, {{'params': {{'size': "
        "10}})."
    )


def _text(wanted: list[_Wanted], records: list[JobRecord], index: int, *, inside: bool) -> str:
    verdicts: list[tuple[str, str, list[str]]] = []
    if index >= len(records):
        what = messages.missing_at(index)
    elif index >= len(wanted):
        what = messages.too_many_from(index)
    else:
        what = messages.another_at(index)
        verdicts = wanted[index].verdicts(records[index])
    lists = (
        messages.numbered("Expected:", [str(want) for want in wanted], index),
        messages.numbered("Enqueued:", [record_line(record) for record in records], index),
    )
    differing = messages.closest(record_line(records[index]), verdicts) if verdicts else ""
    head = messages.in_order(len(wanted), inside=inside)
    return messages.whole([head, what, *lists, differing], [], OTHER_ORDER)
