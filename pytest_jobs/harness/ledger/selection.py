"""Which of the pending jobs a verb performs."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias, TypedDict, cast

from ...errors import CriterionError
from ..records.record import ITS_TURN, PENDING, JobRecord
from ..records.targets import Targets

#: A job, several, or a callable that takes a record.
JobFilter: TypeAlias = object | Iterable[object] | Callable[[JobRecord], object]


class JobFilters(TypedDict, total=False):
    """The filters that every verb takes. A job is performed when all filters that are given admit it."""

    #: A job, several, or a callable that takes a record: no other is performed.
    only: JobFilter | None
    #: The same, for the jobs that are not performed.
    exclude: JobFilter | None
    #: The name of a queue, or several.
    queue: str | Iterable[str] | None


@dataclass(slots=True, eq=False, repr=False)
class Holding:
    """Keeps some jobs pending, whatever verb is called; see `Jobs.holding`."""

    #: Returns whether a record is held back.
    holds: Callable[[JobRecord], bool]
    #: The jobs as a message calls them.
    described: str
    #: All holdings in force, this one among them.
    _every: list[Holding]
    #: Called when it ends.
    _released: Callable[[], None]

    def __post_init__(self) -> None:
        self._every.append(self)

    def release(self) -> None:
        """Let the jobs be performed from now on; in inline mode those that are due are, at once."""
        if self in self._every:
            self._every.remove(self)
        self._released()

    def __enter__(self) -> Self:
        """Return the holding, which is in force already."""
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        """Release the jobs. After an error in the block nothing is performed."""
        if error is None:
            self.release()
        elif self in self._every:
            self._every.remove(self)

    def __repr__(self) -> str:
        return f"<Holding {self.described}>"


class Selection:
    """The filters of one verb call, and the records that they passed over meanwhile."""

    __slots__ = (
        "_exclude",
        "_excluded",
        "_given",
        "_holdings",
        "_only",
        "_passed_over",
        "_queues",
        "_since",
        "before",
        "selected",
        "unfiltered",
        "until_ns",
    )

    def __init__(
        self,
        targets: Targets,
        only: JobFilter | None = None,
        exclude: JobFilter | None = None,
        queue: str | Iterable[str] | None = None,
        *,
        since: int = 0,
        excluded: Container[int] | None = None,
        holdings: Sequence[Holding] = (),
    ) -> None:
        """Build the filters.

        Args:
            targets: finds the jobs that the filters name.
            only: the job or jobs to perform, or a callable that takes a record.
            exclude: the job or jobs not to perform, or such a callable.
            queue: the name of a queue, or several.
            since: the sequence of the first record to perform.
            excluded: sequences of records not to perform, asked anew for each.
            holdings: hold jobs back, asked anew for each.

        Raises:
            CriterionError: when a filter names something that is not a job.
        """
        self._only = None if only is None else record_test(only, targets, "only")
        self._exclude = None if exclude is None else record_test(exclude, targets, "exclude")
        self._queues: frozenset[str] | None = None
        if queue is not None:
            names: list[object] = (
                [queue] if isinstance(queue, str) or not isinstance(queue, Iterable) else [*queue]
            )
            if not all(isinstance(name, str) for name in names):
                raise CriterionError(
                    f"queue={queue!r} names no queue: write a name such as 'mailers', or several in a list."
                )
            self._queues = frozenset(cast("list[str]", names))
        self._since = since
        self._excluded = excluded
        self._holdings = holdings
        self._given = (only, exclude, queue)
        self._passed_over: list[JobRecord] = []
        self.unfiltered = (
            only is None and exclude is None and queue is None and excluded is None and not since
        )
        #: Whether the filters found any record.
        self.selected = False
        #: Records that are due later stay pending, also when the clock gets there; None for no end.
        self.until_ns: int | None = None
        #: The sequence of the first record that stays pending; None for no end.
        self.before: int | None = None

    @property
    def described(self) -> str:
        """The filters as they were written, for messages."""
        named = zip(("only", "exclude", "queue"), self._given, strict=True)
        return ", ".join(f"{name}={value!r}" for name, value in named if value is not None)

    def admits(self, record: JobRecord) -> bool:
        if self._holdings and self.is_held(record):
            return False
        if not self.unfiltered:
            if (
                record.sequence < self._since
                or (self._excluded is not None and record.sequence in self._excluded)
                or (self._only is not None and not self._only(record))
                or (self._queues is not None and record.queue not in self._queues)
            ):
                return False
            # Also by a record that is excluded: it is what the filter was to find.
            self.selected = True
            if self._exclude is not None and self._exclude(record):
                return False
        if record.blocked_until_ns == ITS_TURN:
            return False
        if self.before is not None and record.sequence >= self.before:
            return False
        if self.until_ns is None:
            return True
        due_ns = record.blocked_until_ns or record.envelope.due_ns
        return due_ns is None or due_ns - due_ns % 1000 <= self.until_ns

    def is_held(self, record: JobRecord) -> bool:
        """Return whether `jobs.holding` holds the record back."""
        return any(holding.holds(record) for holding in self._holdings)

    def pass_over(self, record: JobRecord) -> None:
        """Keep a record that is not admitted until the verb has ended."""
        if record.state is PENDING:
            self._passed_over.append(record)

    def passed_over(self) -> list[JobRecord]:
        """Return the records that were passed over and are still pending, and forget them."""
        # One that became unblocked has another place among the pending, and may have been performed.
        records, self._passed_over = self._passed_over, []
        return [record for record in records if record.state is PENDING]


def record_test(wanted: Any, targets: Targets, name: str) -> Callable[[JobRecord], bool]:
    """Return a function that says whether a record is of a job, of one of several, or satisfies a callable.

    Raises:
        CriterionError: when `wanted` is none of these.
    """
    target = targets.find(wanted)
    if target is not None:
        return target.is_job_of
    if isinstance(wanted, list | tuple | set | frozenset):
        several = [targets.get(job) for job in wanted]
        return lambda record: any(target.is_job_of(record) for target in several)
    if callable(wanted) and not isinstance(wanted, type):
        if targets.adopted(wanted) is not None:
            path = f"{wanted.__module__}.{wanted.__qualname__}"
            raise CriterionError(
                f"{name}={path} can be a job that was not enqueued yet, or a callable that takes a record: write "
                f"{name}=[{wanted.__name__}] for the job, and {name}=lambda record: {wanted.__name__}(record) for "
                "the callable."
            )
        return lambda record: bool(wanted(record))
    raise CriterionError(
        f"{name}={wanted!r} is not a job: name a job, a list of jobs, or write a callable that takes a record."
    )
