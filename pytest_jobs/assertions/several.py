"""Assertions about several jobs at once: a chain, a batch, and everything that was enqueued, in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Never, TypeAlias, Unpack, cast

from ..errors import CriterionError
from ..harness.ledger.ledger import Ledger
from ..harness.records.bridge import Canvas, Steps
from ..harness.records.record import JobRecord, call_text, record_line
from ..harness.records.targets import Target, Targets
from ..harness.records.texts import folding, short_name
from .criteria import Criterion
from .failure import Assertion, hide_ours, missing
from .messages import (
    NO_SUCH_BATCH,
    OTHER_CHAIN,
    OTHER_ORDER,
    Verdict,
    closest,
    listing,
    numbered,
    render,
    whole,
)
from .question import ENQUEUED_CRITERIA, EnqueuedCriteria, check_names, parse_criteria
from .search import ENQUEUED, Search, window_of

#: A job; or a list of jobs that begin together; in such a list also a tuple, for a chain.
ExpectedStep: TypeAlias = "object | Sequence[object]"


class AssertFollowedBy(Assertion):
    """Assert what the library will enqueue after a job that was enqueued: the rest of its chain.

    Laravel's `assertChained` is its model.
    """

    _name = "assert_followed_by"

    def __call__(
        self, job: object, steps: Sequence[ExpectedStep], /, **criteria: Unpack[EnqueuedCriteria]
    ) -> JobRecord:
        """Return the record of the job.

        Args:
            job: what stands before the steps.
            steps: all of what comes after it, in order. Instead of a step a list holds those
                that begin together, in any order; a tuple inside it is a chain of its own.
            criteria: those of `assert_enqueued`, for the job.

        Raises:
            AssertionError: when no such job was enqueued, or something else comes after it.
            CriterionError: when its library has no chains.
        """
        jobs, asked = self._find_jobs(), cast(Mapping[str, Any], criteria)
        try:
            canvas = _canvas(jobs.harness.targets.get(job))
            expected = _expected(jobs.harness.targets, steps)
            search = Search(jobs, ENQUEUED, job, asked, assertion=self._name, negative=True)
        except Exception as error:
            hide_ours(error)
            raise
        if len(search.matches) != 1:
            raise AssertionError(missing(search))
        search.look()
        record = search.matches[0]
        actual = canvas.steps_after(record)
        if steps_text(actual) == steps_text(expected):
            return record

        def text() -> str:
            comes, wanted = (steps_text(one, short_name) or "nothing" for one in (actual, expected))
            verdict = f"{call_text(record)} is followed by {comes}, not by {wanted}."
            return whole([verdict, f"It is {record_line(record)}"], [], OTHER_CHAIN)

        raise AssertionError(render(text, jobs.harness.reader))


class AssertBatched(Assertion):
    """Assert that jobs were enqueued together, as one batch: a group, or the header of a chord.

    Laravel's `assertBatched` is its model.
    """

    _name = "assert_batched"

    def __call__(
        self,
        batch: Sequence[object],
        /,
        *rest: Never,
        then: Sequence[ExpectedStep] | None = None,
        within: Sequence[JobRecord] | None = None,
    ) -> tuple[JobRecord, ...]:
        """Return the records of the batch, in the order of enqueueing.

        Args:
            batch: all of its jobs, in any order; one that is in it twice is named twice.
            rest: nothing; jobs that are given here belong into the list.
            then: what comes after it, as the steps of `assert_followed_by`; None for whatever does.
            within: what to look at instead of the whole test, such as a capture.

        Raises:
            AssertionError: when there is no such batch, or more than one.
            CriterionError: when the library has no batches.
        """
        harness = self._find_jobs().harness
        try:
            given: object = batch
            _check_is_one_list(self._name, batch, *rest)
            if not isinstance(given, Sequence) or isinstance(given, str) or not given:
                raise CriterionError(
                    f"assert_batched({batch!r}) is given no list of jobs: name all the jobs of the batch."
                )
            targets = [harness.targets.get(job) for job in batch]
            wanted = Counter(target.name for target in targets)
            canvas = _canvas(targets[0])
            after = None if then is None else _expected(harness.targets, then)
            batches = _batches(harness.ledger, canvas, targets[0].bridge.name, within)
        except Exception as error:
            hide_ours(error)
            raise
        found = [
            records
            for records in batches
            if Counter(record.name for record in records) == wanted
            and (after is None or _steps_after(canvas, records) == {steps_text(after)})
        ]
        if len(found) == 1:
            for record in found[0]:
                ENQUEUED.look(record)
            return tuple(found[0])
        expected = _counted(wanted) + ("" if after is None else _then(after))
        others = [_batch_text(canvas, records) for records in batches]

        def text() -> str:
            head = f"Expected exactly 1 batch enqueued, of\n  {expected}"
            if not others:
                return whole(["Nothing was enqueued as a batch.", head], [], NO_SUCH_BATCH)
            such = f"{len(found)} batches are such." if found else f"No batch has just {expected}."
            shown = others[: folding().items]
            listed = listing("Batches enqueued:", shown, len(others) - len(shown))
            return whole([such, head, "", listed], [], NO_SUCH_BATCH)

        raise AssertionError(render(text, harness.reader))


def _check_is_one_list(name: str, *given: object) -> None:
    """Raise if several things are given where one list is to be."""
    if len(given) > 1:
        jobs = ", ".join(short_name(getattr(one, "__name__", repr(one))) for one in given)
        raise CriterionError(
            f"{name} is given {len(given)} things: write {name}([{jobs}]), one list."
        )


def steps_text(steps: Steps, name: Callable[[str], str] = str) -> str:
    """Return steps as text, the same for those that differ in the order of what begins together."""
    return " -> ".join(
        name(step)
        if isinstance(step, str)
        else f"[{', '.join(sorted(steps_text(branch, name) for branch in step))}]"
        for step in steps
    )


def _canvas(target: Target) -> Canvas:
    bridge: object = target.bridge
    if not isinstance(bridge, Canvas):
        raise CriterionError(
            f"{short_name(target.name)} is a job of {target.bridge.name}, which has no chains and no batches: a "
            "job enqueues what follows itself. Perform it, and look for that: "
            "assert_enqueued(..., within=delivery.enqueued)."
        )
    return bridge


def _expected(targets: Targets, steps: object) -> Steps:
    if not isinstance(steps, Sequence) or isinstance(steps, str):
        raise CriterionError(
            f"{steps!r} is not a list of steps: write the jobs that follow, as in [Resize, [Thumb, Index], "
            "Publish]."
        )
    return tuple(
        [_expected(targets, each if isinstance(each, tuple) else (each,)) for each in step]
        if isinstance(step, list)
        else targets.get(step).name
        for step in steps
    )


def _batches(
    ledger: Ledger, canvas: Canvas, name: str, within: Sequence[JobRecord] | None
) -> list[list[JobRecord]]:
    window = None if within is None else window_of(within)
    batches: dict[str, list[JobRecord]] = {}
    for record in ledger.first_enqueues():
        if record.bridge == name and (window is None or window.holds(record)):
            batch = canvas.batch_of(record)
            if batch is not None:
                batches.setdefault(batch, []).append(record)
    return list(batches.values())


def _steps_after(canvas: Canvas, records: list[JobRecord]) -> set[str]:
    return {steps_text(canvas.steps_after(record)) for record in records}


def _batch_text(canvas: Canvas, records: list[JobRecord]) -> str:
    steps = canvas.steps_after(records[0])
    same = len(_steps_after(canvas, records)) == 1
    then = _then(steps) if same else ", then each something else"
    return _counted(Counter(record.name for record in records)) + (then if steps else "")


def _counted(names: Counter[str]) -> str:
    return ", ".join(f"{count} {short_name(name)}" for name, count in sorted(names.items()))


def _then(steps: Steps) -> str:
    return f", then {steps_text(steps, short_name) or 'nothing'}"


#: A job, or a job and what else is expected of it.
ExpectedJob: TypeAlias = "object | tuple[object, EnqueuedCriteria]"

_KNOWN: Final = ENQUEUED_CRITERIA - {
    *("attempt", "count", "at_least", "at_most", "timeout", "within")
}


class AssertEnqueuedInOrder(Assertion):
    """Assert that the application enqueued exactly these jobs, in this order.

    River's `RequireManyInserted` is its model. Retries and redeliveries do not count.
    """

    _name = "assert_enqueued_in_order"

    def __call__(
        self,
        expected: Sequence[ExpectedJob],
        /,
        *rest: Never,
        within: Sequence[JobRecord] | None = None,
    ) -> tuple[JobRecord, ...]:
        """Return the records, in order.

        Args:
            expected: the jobs; instead of one also `(job, {"params": {...}})`, a job and
                criteria of `assert_enqueued`.
            rest: nothing; jobs that are given here belong into the list.
            within: what to look at instead of the whole test, such as a capture.

        Raises:
            AssertionError: names the index of the first that is another, and shows both lists.
            CriterionError: when a criterion can be true of no job.
        """
        harness = self._find_jobs().harness
        try:
            given: object = expected
            _check_is_one_list(self._name, expected, *rest)
            if not isinstance(given, Sequence) or isinstance(given, str):
                raise CriterionError(
                    f"{self._name}({expected!r}) is given no list: write the jobs in the order in which they are "
                    "enqueued, as in [Fetch, (Resize, {'params': {'size': 10}})]."
                )
            wanted = [_Wanted(harness.targets, item, self._name) for item in given]
            window = None if within is None else window_of(within)
            records = [
                record
                for record in harness.ledger.first_enqueues()
                if window is None or window.holds(record)
            ]
            index = _first_difference(wanted, records)
        except Exception as error:
            hide_ours(error)
            raise
        if index is not None:
            inside = within is not None
            raise AssertionError(
                render(lambda: _text(wanted, records, index, inside=inside), harness.reader)
            )
        for record in records:
            ENQUEUED.look(record)
        return tuple(records)


class _Wanted:
    """One place of the list."""

    def __init__(self, targets: Targets, item: object, assertion: str) -> None:
        job: object = item
        criteria: Mapping[str, Any] = {}
        if isinstance(item, tuple):
            if len(item) != 2 or not isinstance(item[1], Mapping):
                raise CriterionError(
                    f"{item!r} is not a place in a list of jobs: write a job, or a pair such as (Resize, "
                    f"{{'params': "
                    "{'size': 10}})."
                )
            job, criteria = item
        self._target: Target = targets.get(job)
        check_names(criteria, _KNOWN, self._target, assertion)
        self._criteria: list[Criterion[JobRecord]]
        self._criteria = parse_criteria(self._target, criteria, ENQUEUED)

    def is_met_by(self, record: JobRecord) -> bool:
        return self._target.is_job_of(record) and all(c.matches(record) for c in self._criteria)

    def verdicts(self, record: JobRecord) -> list[Verdict]:
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


def _first_difference(wanted: list[_Wanted], records: list[JobRecord]) -> int | None:
    for index, (want, got) in enumerate(zip(wanted, records, strict=False)):
        if not want.is_met_by(got):
            return index
    return None if len(wanted) == len(records) else min(len(wanted), len(records))


def _text(wanted: list[_Wanted], records: list[JobRecord], index: int, *, inside: bool) -> str:
    verdicts: list[Verdict] = []
    if index >= len(records):
        found = f"{wanted[index]} was not enqueued: the list ends before index {index}."
    elif index >= len(wanted):
        found = f"{call_text(records[index])} was enqueued too, at index {index}."
    else:
        found = f"{call_text(records[index])} was enqueued at index {index}, not {wanted[index]}."
        verdicts = wanted[index].verdicts(records[index])
    jobs = "1 job" if len(wanted) == 1 else f"{len(wanted)} jobs"
    parts = [
        found,
        f"Expected exactly {jobs} enqueued{' inside `within`' if inside else ''}, in this order",
        "",
        numbered("Expected:", [str(want) for want in wanted], index),
        numbered("Enqueued:", [record_line(record) for record in records], index),
        closest(record_line(records[index]), verdicts) if verdicts else "",
    ]
    return whole(parts, [], OTHER_ORDER)
