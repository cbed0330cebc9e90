"""Which of the pending jobs a verb performs."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias, cast

from ...errors import CriterionError
from ..records.record import PENDING, JobRecord

if TYPE_CHECKING:
    from ..records.targets import Target, Targets


class Holding:
    """Keeps some jobs pending, whatever verb is called; see `Jobs.holding`."""

    __slots__ = ("_every", "_holds", "_released", "described")

    def __init__(
        self,
        holds: Callable[[JobRecord], bool],
        described: str,
        every: list[Holding],
        released: Callable[[], None],
    ) -> None:
        """Begin to hold.

        Args:
            holds: says of a record whether it is held back.
            described: how a message names the jobs.
            every: those in force, of which this is one from now on.
            released: called when it ends.
        """
        self._holds = holds
        self.described = described
        self._every = every
        self._released = released
        every.append(self)

    def holds(self, record: JobRecord) -> bool:
        """Say whether a record is held back."""
        return self._holds(record)

    def release(self) -> None:
        """Let the jobs be performed from now on; in inline mode those that are due are, at once."""
        self._end()
        self._released()

    def __enter__(self) -> Self:
        """The jobs are held back already."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let the jobs be performed from now on."""
        if error is None:
            self.release()
        else:
            self._end()

    def _end(self) -> None:
        if self in self._every:
            self._every.remove(self)

    def __repr__(self) -> str:
        return f"<Holding {self.described}>"


#: A job, several, or a callable that takes a record.
JobFilter: TypeAlias = "object | Iterable[object] | Callable[[JobRecord], object]"
Test: TypeAlias = Callable[[JobRecord], bool]


class Selection:
    """The filters of one verb call, and the records that they held back meanwhile."""

    __slots__ = (
        "_exclude",
        "_held",
        "_holdings",
        "_left_alone",
        "_only",
        "_queues",
        "_since",
        "before",
        "described",
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
        since: int = 0,
        left_alone: Container[int] | None = None,
        holdings: Sequence[Holding] = (),
    ) -> None:
        """Build the filters.

        Args:
            targets: finds the jobs that are meant.
            only: the job or jobs to perform, or a callable that takes a record.
            exclude: the job or jobs to leave alone, or such a callable.
            queue: the name of a queue, or several.
            since: the sequence of the first record to perform.
            left_alone: sequences of records not to perform, asked anew for each.
            holdings: hold jobs back, asked anew for each.

        Raises:
            CriterionError: when something named is no job.
        """
        self._only = None if only is None else record_test(only, targets, "only")
        self._exclude = None if exclude is None else record_test(exclude, targets, "exclude")
        self._queues = None if queue is None else _queue_names(queue)
        self._held: list[JobRecord] = []
        self._since = since
        self._left_alone = left_alone
        self._holdings = holdings
        filters = (only, exclude, queue, left_alone)
        self.unfiltered = all(given is None for given in filters) and not since
        #: Whether any record was ever selected.
        self.selected = False
        #: What is due after this stays pending, also when the clock has come there; None for no end.
        self.until_ns: int | None = None
        #: The sequence of the first record that stays pending; None for no end.
        self.before: int | None = None
        given = {"only": only, "exclude": exclude, "queue": queue}
        #: How a message names the filters.
        self.described = ", ".join(
            f"{name}={value!r}" for name, value in given.items() if value is not None
        )

    def admits(self, record: JobRecord) -> bool:
        """Say whether the record is one of those to perform."""
        if self._holdings and self.holds(record):
            return False
        if self.unfiltered:
            return self._comes(record)
        admitted = (
            record.sequence >= self._since
            and (self._left_alone is None or record.sequence not in self._left_alone)
            and (self._only is None or self._only(record))
            and (self._exclude is None or not self._exclude(record))
            and (self._queues is None or record.queue in self._queues)
        )
        self.selected = self.selected or admitted
        return admitted and self._comes(record)

    def _comes(self, record: JobRecord) -> bool:
        if self.before is not None and record.sequence >= self.before:
            return False
        if self.until_ns is None:
            return True
        due_ns = record.blocked_until_ns or record.envelope.due_ns
        return due_ns is None or due_ns - due_ns % 1000 <= self.until_ns

    def holds(self, record: JobRecord) -> bool:
        """Say whether `jobs.holding` holds the record back."""
        return any(holding.holds(record) for holding in self._holdings)

    def keep(self, record: JobRecord) -> None:
        """Hold a record back until the verb has ended."""
        if record.state is PENDING:
            self._held.append(record)

    def held(self) -> list[JobRecord]:
        """Give up what was held back, and was not performed all the same, as one that became unblocked."""
        held, self._held = self._held, []
        return [record for record in held if record.state is PENDING]


def record_test(wanted: Any, targets: Targets, name: str) -> Test:
    """Return what says whether a record is of a job, of one of several, or fulfils a callable.

    Raises:
        CriterionError: when something named is no job.
    """
    target = targets.find(wanted)
    if target is not None:
        return target.is_job_of
    if isinstance(wanted, list | tuple | set | frozenset):
        several: list[Target] = [targets.get(job) for job in wanted]
        return lambda record: any(target.is_job_of(record) for target in several)
    if callable(wanted) and not isinstance(wanted, type):
        return lambda record: bool(wanted(record))
    raise CriterionError(
        f"{name}={wanted!r} is no job: name a job, a list of jobs, or write a callable that takes a record."
    )


def _queue_names(queue: str | Iterable[str]) -> frozenset[str]:
    names: list[object] = (
        [queue] if isinstance(queue, str) or not isinstance(queue, Iterable) else [*queue]
    )
    if not all(isinstance(name, str) for name in names):
        raise CriterionError(
            f"queue={queue!r} names no queue: write a name such as 'mailers', or several in a list."
        )
    return frozenset(cast("list[str]", names))
