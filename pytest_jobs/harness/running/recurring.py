"""Schedulers of recurring jobs under a harness, and the tasks that they fired."""

from __future__ import annotations

import contextvars
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from ...errors import CriterionError
from ..ledger.ledger import Ledger
from ..records.bridge import Bridges, FiresTasks
from ..records.instants import to_datetime
from ..records.targets import Targets
from ..records.texts import instant
from ..time.clock import VirtualClock

if TYPE_CHECKING:
    from ..records.home import Home


class Task(Protocol):
    """A task of a schedule, which enqueues a job when it fires."""

    @property
    def key(self) -> str:
        """The key, unique in its schedule."""
        ...

    def enqueue(self) -> Any:
        """Enqueue its job, and return what the job's library returns."""
        ...


@runtime_checkable
class Firings(Protocol):
    """A schedule, such as `pytest_jobs.load_schedule` returns."""

    @property
    def tasks(self) -> Mapping[str, Any]:
        """The tasks by their keys."""
        ...

    def firings_between(self, after_ns: int, until_ns: int) -> Sequence[tuple[int, Any]]:
        """Return the time and the task of each firing after an instant and up to another, in order."""
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
        if not isinstance(other, Firing):
            return NotImplemented
        return self._at_ns == other._at_ns and self._task == other._task

    def __hash__(self) -> int:
        return hash((self._at_ns, self.key))

    def __repr__(self) -> str:
        return f"<Firing {self.key} {instant(self.at)}>"


class Scheduler:
    """One process that fires the tasks of a schedule; `jobs.recurring` returns it.

    Of several schedulers with the same task one fires it at each time, as with Solid Queue.
    """

    __slots__ = ("_clock", "_down", "_dropped", "_fired", "_missed", "_schedule", "_seen_ns")

    def __init__(self, schedule: Firings, clock: VirtualClock) -> None:
        self._schedule = schedule
        self._clock = clock
        self._seen_ns = clock.now_ns()
        self._down = False
        self._fired: list[Firing] = []
        self._dropped: list[Firing] = []
        #: Single firings, and spans of time in which nothing fired.
        self._missed: list[Firing | tuple[int, int]] = []

    @property
    def fired(self) -> tuple[Firing, ...]:
        """The firings of this scheduler, in order. Each enqueued a job, except those in `dropped`."""
        return tuple(self._fired)

    @property
    def dropped(self) -> tuple[Firing, ...]:
        """The firings that enqueued nothing: another job kept theirs out, or a callback or adapter refused it."""
        return tuple(self._dropped)

    @property
    def missed(self) -> tuple[Firing, ...]:
        """What it did not fire: it was down, enqueueing raised, or the clock moved otherwise than by `run_for`.

        It does not catch up on these later.
        """
        self._miss_until(self._clock.now_ns())
        missed: list[Firing] = []
        for each in self._missed:
            if isinstance(each, Firing):
                missed.append(each)
            else:
                missed += [Firing(*pair) for pair in self._schedule.firings_between(*each)]
        return tuple(missed)

    @contextmanager
    def down(self) -> Generator[None, None, None]:
        """Be down for a block: firings in it are missed."""
        before, self._down = self._down, True
        try:
            yield
        finally:
            self._down = before

    def _miss_until(self, now_ns: int) -> None:
        if self._seen_ns < now_ns:
            self._missed.append((self._seen_ns, now_ns))
        self._seen_ns = now_ns

    def __repr__(self) -> str:
        state = " down" if self._down else ""
        dropped = f", {len(self._dropped)} of them dropped" if self._dropped else ""
        return f"<Scheduler{state} {len(self._fired)} fired{dropped}>"


class Round:
    """The firings while time passes: also while a job sleeps, since schedulers are processes of their own.

    They fire in the context in which the round was made, not in that of the job. The clock calls it: it
    is a `Stops`.
    """

    __slots__ = ("_coming", "_context", "_error", "_place")

    def __init__(self, coming: Sequence[tuple[int, Callable[[], object]]]) -> None:
        #: The time of each firing, in order, and what enqueues its job.
        self._coming = coming
        self._place = 0
        self._context = contextvars.copy_context()
        self._error: Exception | None = None

    @property
    def next_ns(self) -> int | None:
        """The time of the next firing; None when there is none."""
        return self._coming[self._place][0] if self._place < len(self._coming) else None

    @property
    def left(self) -> int:
        """How many firings are still to come."""
        return len(self._coming) - self._place

    def reached(self) -> None:
        """Fire what is due now. An error does not reach the job that may be sleeping: `check` raises it later."""
        at_ns = self.next_ns
        while self._place < len(self._coming) and self._coming[self._place][0] == at_ns:
            _, fire = self._coming[self._place]
            self._place += 1
            try:
                self._context.copy().run(fire)
            except Exception as error:
                self._error = self._error or error

    def check(self) -> None:
        """Raise the first error of a firing."""
        error, self._error = self._error, None
        if error is not None:
            raise error


class Recurring:
    """The schedulers of one harness, and those of its job libraries."""

    __slots__ = (
        "_bridges",
        "_clock",
        "_home",
        "_ledger",
        "_recorded",
        "_schedulers",
        "firings",
        "left_out",
        "origin_ns",
    )

    def __init__(
        self,
        bridges: Bridges,
        clock: VirtualClock,
        ledger: Ledger,
        find_home: Callable[[], Home | None],
    ) -> None:
        self._bridges = bridges
        # Finding it takes longer than opening a harness, and most tests let no time pass.
        self._home = cache(find_home)
        self._clock = clock
        self._ledger = ledger
        self._schedulers: list[Scheduler] = []
        #: Which task fired at which time. Solid Queue has a table of these, so that only one scheduler fires.
        self._recorded: set[tuple[str, int]] = set()
        #: Of each task that was due: its key ("" for one of a job library), the time, and what it enqueued.
        self.firings: list[tuple[str, int, list[int]]] = []
        #: How often something was due of an application that does not belong to the test, by its path.
        self.left_out: Counter[str] = Counter()
        #: The time of the system from which the first round counted on, if the test had not chosen the time:
        #: what fires then depends on when the test runs. None otherwise, and without schedules.
        self.origin_ns: int | None = None

    def add(self, schedule: object, targets: Targets) -> Scheduler:
        """Begin to fire the tasks of a schedule.

        Args:
            schedule: the schedule, of any type: it is checked.
            targets: finds the jobs that this harness knows.

        Raises:
            CriterionError: when it is not a schedule, when another schedule has another task with the same
                key, or when a job would be enqueued outside of the harness.
        """
        if not isinstance(schedule, Firings):
            raise CriterionError(
                f"jobs.recurring({schedule!r}) is given no schedule: write "
                "jobs.recurring(load_schedule('recurring.yml'))."
            )
        for key, task in schedule.tasks.items():
            job = getattr(task, "job", None)
            if job is not None and targets.find(job) is None:
                raise CriterionError(
                    f"jobs.recurring({schedule!r}) has a task {key!r}, whose job {job!r} is of no application "
                    "that is bridged here, so that its firings would leave the test: name the application in "
                    "jobs_apps."
                )
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
        """Return the firings after now and up to another time, for the clock to pass them."""
        coming: list[tuple[int, Callable[[], object]]] = []
        for scheduler in self._schedulers:
            scheduler._miss_until(now_ns)
            firings = scheduler._schedule.firings_between(now_ns, until_ns)
            coming += [
                (ns, partial(self._noted, task.key, ns, partial(self._fire, ns, task, scheduler)))
                for ns, task in firings
            ]
        for ns, fire, path in self._of_libraries(now_ns, until_ns):
            if path:
                self.left_out[path] += 1
            else:
                coming.append((ns, partial(self._noted, "", ns, fire)))
        if (coming or self._schedulers) and self.origin_ns is None:
            self.origin_ns = self._clock.origin_ns
        coming.sort(key=lambda each: each[0])
        return Round(coming)

    def firings_between(
        self, now_ns: int, until_ns: int, source: object = None
    ) -> list[tuple[int, Callable[[], object]]]:
        """Return the firings for a world of its own: nothing is noted, and each call returns them again.

        Args:
            now_ns: when the span begins.
            until_ns: when it ends.
            source: the one bridge whose library is asked, which may configure its applications. None for all.
        """
        coming = [
            (ns, cast("Callable[[], object]", task.enqueue))
            for scheduler in self._schedulers
            for ns, task in scheduler._schedule.firings_between(now_ns, until_ns)
        ]
        coming += [
            (ns, fire)
            for ns, fire, path in self._of_libraries(now_ns, until_ns, source)
            if not path
        ]
        return sorted(coming, key=lambda each: each[0])

    def _of_libraries(
        self, now_ns: int, until_ns: int, source: object = None
    ) -> Iterator[tuple[int, Callable[[], object], str]]:
        """Yield what the schedulers of the job libraries fire, and the path of an application that is left out."""
        for bridge in self._bridges:
            if isinstance(bridge, FiresTasks) and source in (None, bridge):
                # Asking takes some ms, and a task of each minute comes ten thousand times in a week.
                paths: dict[tuple[int, ...], str] = {}
                for ns, fire, *far in bridge.firings_between(now_ns, until_ns):
                    key = tuple(map(id, far))
                    if key not in paths:
                        paths[key] = self._left_out(bridge.name, far)
                    yield ns, fire, paths[key]

    def _left_out(self, library: str, far: Sequence[object]) -> str:
        """Return the path of an application that does not belong to the test; empty if it does.

        Args:
            library: the name of its library.
            far: the application, and what else is known of its task; nothing if somebody has named or used it.
        """
        home = self._home() if far else None
        if home is None or any(map(home.has, far)):
            return ""
        return f"{library}:{home.path_of(far[0])}"

    def passed(self, until_ns: int) -> None:
        """Note that a round is over: time up to here is not missed."""
        for scheduler in self._schedulers:
            scheduler._seen_ns = max(scheduler._seen_ns, until_ns)

    def _noted(self, key: str, at_ns: int, fire: Callable[[], object]) -> None:
        """Fire a task, and note what it enqueued, also if the job then failed inline."""
        records = self._ledger.records
        before = len(records)
        try:
            fire()
        finally:
            enqueued = [record.sequence for record in records[before:] if record.parent is None]
            self.firings.append((key, at_ns, enqueued))

    def _fire(self, at_ns: int, task: Task, scheduler: Scheduler) -> None:
        scheduler._seen_ns = at_ns
        firing = Firing(at_ns, task)
        if scheduler._down:
            scheduler._missed.append(firing)
            return
        if (task.key, at_ns) in self._recorded:
            return
        self._recorded.add((task.key, at_ns))
        before = len(self._ledger.records)
        try:
            made = task.enqueue()
        except BaseException:
            # In inline mode the error may be of the job, which was enqueued then.
            enqueued = len(self._ledger.records) > before
            (scheduler._fired if enqueued else scheduler._missed).append(firing)
            raise
        scheduler._fired.append(firing)
        # Only jobs of the core have this attribute; it is True for one that waits for a commit.
        if getattr(made, "enqueued", True) is False:
            scheduler._dropped.append(firing)
