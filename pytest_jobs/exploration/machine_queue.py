"""The deliveries of an example that are to be made, and the jobs in it that are done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import ExplorationError
from ..harness.records.bridge import Bridge
from ..harness.records.record import REMOVED, JobRecord


@dataclass(eq=False)
class Pending:
    """A delivery that is to be made."""

    label: str
    record: JobRecord
    #: Whether the payload was delivered before, so that this is a delivery of the same once more.
    again: bool = False
    #: How many deliveries in a row ended badly without being hindered.
    failures: int = 0

    @property
    def due_ns(self) -> int:
        """When it is due, in nanoseconds since the epoch; 0 for at once."""
        return 0 if self.again else self.record._envelope.due_ns or 0


class Queue:
    """Knows each job by a label, by which steps call it."""

    def __init__(self, short_name: Callable[[JobRecord], str]) -> None:
        """Begin with no job.

        Args:
            short_name: returns what steps call the job of a record, without its number.
        """
        self._short_name = short_name
        self._labels: dict[tuple[Bridge, str], str] = {}
        self._numbers: Counter[str] = Counter()
        self._pending: list[Pending] = []
        self._done: dict[str, JobRecord] = {}
        #: How many records were added so far.
        self.added = 0

    # Looking

    @property
    def any_job(self) -> bool:
        """Whether a job was enqueued."""
        return bool(self._labels)

    @property
    def done(self) -> list[str]:
        """The labels of the jobs that are done."""
        return list(self._done)

    @property
    def waiting(self) -> Sequence[Pending]:
        """The deliveries that are to be made, whether due or not."""
        return [item for item in self._pending if item.again or item.record._state is not REMOVED]

    @property
    def last_label(self) -> str:
        """The label of what was added last."""
        return self._pending[-1].label

    def due(self, now_ns: int) -> list[str]:
        """Return the labels of the jobs that are due at a time, in nanoseconds since the epoch."""
        return list(dict.fromkeys(item.label for item in self.waiting if item.due_ns <= now_ns))

    # Taking

    def take(self, item: Pending) -> None:
        """Take out a delivery that is about to be made."""
        self._pending.remove(item)

    def take_due(self, label: str, now_ns: int) -> Pending:
        """Take out the next delivery of a job that is due.

        Raises:
            ExplorationError: when there is none.
        """
        items = [item for item in self.waiting if item.label == label]
        due = next((item for item in items if item.due_ns <= now_ns), None)
        if due is None:
            why = "is not due yet: advance the clock first" if items else "is not pending"
            raise ExplorationError(
                f"{label} {why}. Due are: {', '.join(self.due(now_ns)) or 'none'}."
            )
        self.take(due)
        return due

    def once_more(self, label: str) -> Pending:
        """Return another delivery of a job that is done.

        Raises:
            ExplorationError: when it is not done.
        """
        record = self._done.get(label)
        if record is None:
            raise ExplorationError(
                f"{label} is not done. Done are: {', '.join(self._done) or 'none'}."
            )
        return Pending(label, record, again=True)

    # Putting

    def add(self, record: JobRecord) -> None:
        """Take in what was enqueued."""
        self.added += 1
        self._pending.append(Pending(self._label(record), record))

    def again(self, item: Pending, failures: int) -> Pending:
        """Let the payload of a delivery be delivered again; return that delivery."""
        following = Pending(item.label, item.record, again=True, failures=failures)
        self._pending.append(following)
        return following

    def finish(self, item: Pending) -> None:
        """Take note that a job is done."""
        self._done[item.label] = item.record

    def forgive(self) -> None:
        """Forget which deliveries ended badly."""
        for item in self._pending:
            item.failures = 0

    def _label(self, record: JobRecord) -> str:
        key = record._bridge, record.job_id
        if key not in self._labels:
            name = self._short_name(record)
            self._numbers[name] += 1
            self._labels[key] = f"{name}#{self._numbers[name]}"
        return self._labels[key]
