"""Schedulers of recurring jobs under a harness, and what they fired."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ...errors import CriterionError
from ..records.instants import to_datetime
from ..records.texts import instant
from ..time.clock import VirtualClock

if TYPE_CHECKING:
    from ..ledger.ledger import Ledger
    from ..records.targets import Targets


class Task(Protocol):
    """What fires."""

    @property
    def key(self) -> str:
        """The key, unique in its schedule."""
        ...

    def enqueue(self) -> Any:
        """Enqueue its job, and return what its library returns."""
        ...


@runtime_checkable
class Firings(Protocol):
    """A schedule, such as `pytest_jobs.load_schedule` returns."""

    @property
    def tasks(self) -> Mapping[str, Any]:
        """The tasks by their keys."""
        ...

    def firings_between(self, after_ns: int, until_ns: int) -> Sequence[tuple[int, Any]]:
        """Return when which tasks fire, after an instant and up to another, in order."""
        ...


class Firing:
    """A task and the time at which it fires."""

    __slots__ = ("_at_ns", "_task")

    def __init__(self, at_ns: int, task: Any) -> None:
        self._at_ns = at_ns
        self._task = task

    @property
    def at(self) -> datetime:
        """The time, in UTC."""
        return to_datetime(self._at_ns)

    @property
    def key(self) -> str:
        """The key of the task."""
        key: str = self._task.key
        return key

    @property
    def task(self) -> Any:
        """The task."""
        return self._task

    def __eq__(self, other: object) -> bool:
        """Compare time and task."""
        if not isinstance(other, Firing):
            return NotImplemented
        return self._at_ns == other._at_ns and self._task == other._task

    def __hash__(self) -> int:
        """Hash time and key."""
        return hash((self._at_ns, self.key))

    def __repr__(self) -> str:
        return f"<Firing {self.key} {instant(self.at)}>"


class Scheduler:
    """One process that fires the tasks of a schedule, as `jobs.recurring` returns it.

    Of several that have the same tasks only one fires each at each time, as with Solid Queue.
    """

    __slots__ = ("_clock", "_down", "_dropped", "_fired", "_missed", "_schedule", "_seen_ns")

    def __init__(self, schedule: Firings, clock: VirtualClock) -> None:
        self._schedule = schedule
        self._clock = clock
        self._seen_ns = clock.now_ns()
        self._down = False
        self._fired: list[Firing] = []
        self._dropped: list[Firing] = []
        #: Firings, and spans of time with whatever would have fired in them.
        self._missed: list[Firing | tuple[int, int]] = []

    @property
    def fired(self) -> tuple[Firing, ...]:
        """What this scheduler fired, in order: each time it asked for a job, and got one unless in `dropped`."""
        return tuple(self._fired)

    @property
    def dropped(self) -> tuple[Firing, ...]:
        """Which of those enqueued nothing: another job kept theirs out, or a callback or adapter refused it."""
        return tuple(self._dropped)

    @property
    def missed(self) -> tuple[Firing, ...]:
        """What it did not fire: it was down, enqueueing raised, or the clock moved otherwise than by `run_for`.

        Nothing of it is made up for later.
        """
        self._see(self._clock.now_ns())
        missed: list[Firing] = []
        for each in self._missed:
            if isinstance(each, Firing):
                missed.append(each)
            else:
                missed += [Firing(*pair) for pair in self._schedule.firings_between(*each)]
        return tuple(missed)

    @contextmanager
    def down(self) -> Generator[None, None, None]:
        """Be down for a block: what would fire meanwhile is missed."""
        before, self._down = self._down, True
        try:
            yield
        finally:
            self._down = before

    def _see(self, now_ns: int) -> None:
        if self._seen_ns < now_ns:
            self._missed.append((self._seen_ns, now_ns))
        self._seen_ns = now_ns

    def _coming(self, now_ns: int, until_ns: int) -> list[tuple[int, Any, Scheduler]]:
        self._see(now_ns)
        coming = self._schedule.firings_between(now_ns, until_ns)
        return [(ns, task, self) for ns, task in coming]

    def _enqueue(self, firing: Firing, ledger: Ledger) -> None:
        before = len(ledger.records)
        try:
            made = firing.task.enqueue()
        except BaseException:
            # Inline it may be the job that raised, which was enqueued then.
            (self._fired if len(ledger.records) > before else self._missed).append(firing)
            raise
        self._fired.append(firing)
        # The core alone says so; what waits for a commit counts as enqueued there.
        if getattr(made, "enqueued", True) is False:
            self._dropped.append(firing)

    def __repr__(self) -> str:
        state = " down" if self._down else ""
        dropped = f", {len(self._dropped)} of them dropped" if self._dropped else ""
        return f"<Scheduler{state} {len(self._fired)} fired{dropped}>"


class Round:
    """What fires while time passes: also while a job sleeps, for schedulers are processes of their own.

    It fires in the context in which the round was made, and not in that of the job.
    """

    __slots__ = ("_coming", "_context", "_error", "_fire", "_place")

    def __init__(
        self,
        coming: Sequence[tuple[int, Any, Scheduler]],
        fire: Callable[[int, Any, Scheduler], None],
    ) -> None:
        self._coming = coming
        self._fire = fire
        self._place = 0
        self._context = contextvars.copy_context()
        self._error: Exception | None = None

    @property
    def next_ns(self) -> int | None:
        """When something fires next; None when nothing does."""
        return self._coming[self._place][0] if self._place < len(self._coming) else None

    @property
    def left(self) -> int:
        """How many tasks are to fire still."""
        return len(self._coming) - self._place

    def reached(self) -> None:
        """Enqueue what fires next. The job that may be sleeping hears of no error: see `check`."""
        at_ns = self.next_ns
        while self._place < len(self._coming) and self._coming[self._place][0] == at_ns:
            coming = self._coming[self._place]
            self._place += 1
            try:
                self._context.copy().run(self._fire, *coming)
            except Exception as error:
                self._error = self._error or error

    def check(self) -> None:
        """Raise what an enqueue has raised."""
        error, self._error = self._error, None
        if error is not None:
            raise error


class Recurring:
    """The schedulers of one harness."""

    __slots__ = ("_clock", "_ledger", "_recorded", "_schedulers")

    def __init__(self, clock: VirtualClock, ledger: Ledger) -> None:
        self._clock = clock
        self._ledger = ledger
        self._schedulers: list[Scheduler] = []
        #: Which task fired at which time, as the table with which Solid Queue keeps schedulers apart.
        self._recorded: set[tuple[str, int]] = set()

    def add(self, schedule: object, targets: Targets) -> Scheduler:
        """Begin to fire the tasks of a schedule.

        Args:
            schedule: what fires.
            targets: knows the jobs that come here when they are enqueued.

        Raises:
            CriterionError: when it is no schedule, shares a key with another, for another task, or has a
                job that would be enqueued elsewhere.
        """
        if not isinstance(schedule, Firings):
            raise CriterionError(
                f"jobs.recurring({schedule!r}) is given no schedule: write "
                "jobs.recurring(load_schedule('recurring.yml'))."
            )
        _check_jobs(schedule, targets)
        for other in self._schedulers:
            known = other._schedule.tasks
            for key, task in schedule.tasks.items():
                if key in known and known[key] != task:
                    raise CriterionError(
                        f"jobs.recurring({schedule!r}) has a task {key!r}, and another schedule has another "
                        "task of that key, so only one of them would fire at a time: rename one."
                    )
        scheduler = Scheduler(schedule, self._clock)
        self._schedulers.append(scheduler)
        return scheduler

    def round(self, now_ns: int, until_ns: int) -> Round:
        """Return what fires after now and up to another time, to be passed by the clock."""
        coming = [
            each for scheduler in self._schedulers for each in scheduler._coming(now_ns, until_ns)
        ]
        coming.sort(key=lambda each: each[0])
        return Round(coming, self._fire)

    def passed(self, until_ns: int) -> None:
        """Note that a round is over, whatever fired in it."""
        for scheduler in self._schedulers:
            scheduler._seen_ns = max(scheduler._seen_ns, until_ns)

    def _fire(self, at_ns: int, task: Task, scheduler: Scheduler) -> None:
        scheduler._seen_ns = at_ns
        firing = Firing(at_ns, task)
        if scheduler._down:
            scheduler._missed.append(firing)
        elif (task.key, at_ns) not in self._recorded:
            self._recorded.add((task.key, at_ns))
            scheduler._enqueue(firing, self._ledger)


def _check_jobs(schedule: Firings, targets: Targets) -> None:
    for key, task in schedule.tasks.items():
        job = getattr(task, "job", None)
        if job is not None and targets.find(job) is None:
            raise CriterionError(
                f"jobs.recurring({schedule!r}) has a task {key!r}, whose job {job!r} is of no application that is "
                "bridged here, so that its firings would leave the test: name the application in jobs_apps."
            )
