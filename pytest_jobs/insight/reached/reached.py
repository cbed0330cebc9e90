"""How tests reach each job, and which cases something that was seen shows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

from ...harness.records.home import is_of_project, is_of_tests, is_test_file
from ..seen.session import SeenDelivery, SeenJob, SeenSession, SeenTest
from ..source.jobs import DeclaredJob
from ..source.module import first_line
from ..source.project import Project
from .cases import Base, Case, Cases

#: What tests do with a job: in a harness, by `simulate_retries`, by a check, by a direct call, and by an enqueue
#: that a mock kept from its queue.
Way: TypeAlias = Literal["enqueued", "delivered", "simulated", "checked", "called", "mocked"]
WAYS: Final[Sequence[Way]] = get_args(Way)


@dataclass(eq=False)
class ReachedJob:
    """A job with what tests do with it and what it declares; or a base class of jobs with what it declares."""

    #: As its library knows it.
    name: str
    #: The file of its body, and the line.
    file: str = ""
    line: int = 0
    cases: list[Case] = field(default_factory=list)
    #: The cases that its base classes declare: they are listed there, and each job shows them.
    inherited: list[Case] = field(default_factory=list)
    is_base: bool = False
    ways: set[Way] = field(default_factory=set)

    @property
    def unseen(self) -> list[str]:
        """The cases that no test shows."""
        return [case.text for case in self.cases if not case.is_seen]


@dataclass
class JobsReached:
    """The jobs of a project, and those that its tests reach, by their places."""

    jobs: list[ReachedJob]
    #: Whether direct calls and mocks were looked at, as `--jobs-audit` does.
    has_calls: bool = False

    @property
    def with_body(self) -> list[ReachedJob]:
        """The jobs themselves, without base classes."""
        return [job for job in self.jobs if not job.is_base]

    @property
    def unreached(self) -> list[ReachedJob]:
        """The jobs that no test reaches."""
        return [job for job in self.with_body if not job.ways]

    @property
    def only_checked(self) -> list[ReachedJob]:
        """The jobs that only checks of the tests themselves deliver."""
        return [job for job in self.with_body if job.ways == {"checked"}]

    @property
    def cases(self) -> list[Case]:
        """The rules, callbacks and schedules of all jobs."""
        return [case for job in self.jobs for case in job.cases]


def jobs_reached(
    project: Project,
    cases: Cases,
    seen: SeenSession,
    *,
    exclude: Sequence[str] = (),
    ignore: Collection[str] = (),
    others: Mapping[str, Collection[Way]] | None = None,
) -> JobsReached:
    """Return how the tests reach each job.

    Args:
        project: the source, with what the processes of the session have imported.
        cases: finds the cases of a job.
        seen: what harnesses and checks have shown.
        exclude: patterns of file names that are left out.
        ignore: the names of libraries whose jobs are left alone.
        others: by the name of the job the ways that no harness shows; None where nobody has looked.
    """
    index = _Index(project.base.resolve(), exclude, cases)
    declared = {job.registered: job for job in project.jobs}
    for registered in sorted(one.job for one in project.running.jobs):
        if registered.bridge not in ignore:
            index.add(registered, declared.get(registered))
    for job in project.jobs:
        if job.registered is None:
            index.add(SeenJob(job.library, job.name, job.module.file, first_line(job.body)), job)
    for job in project.jobs:
        index.inherit(job)
    for test in seen.tests:
        _note(test, index)
    for name, ways in (others or {}).items():
        index.named(name).ways.update(ways)
    ordered = sorted(index.jobs, key=lambda job: (job.file, job.line, job.name))
    return JobsReached(ordered, others is not None)


class _Index:
    """Jobs by their names, and by the places of their bodies."""

    def __init__(self, root: Path, exclude: Sequence[str], cases: Cases) -> None:
        self._root = root
        self._exclude = exclude
        self._cases = cases
        self.jobs: list[ReachedJob] = []
        self._found: dict[SeenJob, ReachedJob] = {}
        #: By file: the first and the last line at which a body may begin, and the job.
        self._places: dict[str, list[tuple[int, int, ReachedJob]]] = {}
        #: By the bodies of jobs, and by classes: the jobs, and the cases that they hand on.
        self._declared: dict[int, ReachedJob] = {}
        self._bases: dict[int, list[Case]] = {}

    def add(self, seen: SeenJob, declared: DeclaredJob | None) -> None:
        """Add a job, unless it is of tests or of an installed package: these count when tests reach them."""
        if self._is_left_out(seen.file):
            return
        last = seen.line if declared is None else max(seen.line, declared.body.lineno)
        job = self._add(seen, last)
        if declared is None:
            return
        job.cases = self._cases.of(declared)
        self._declared[id(declared.body)] = job
        if declared.cls is not None:
            # Each job is fired by a schedule of its own.
            self._bases[id(declared.cls)] = [one for one in job.cases if one.kind != "fired"]

    def _add(self, seen: SeenJob, last: int) -> ReachedJob:
        self._found[seen] = job = ReachedJob(seen.name, seen.file, seen.line)
        self.jobs.append(job)
        if seen.file:
            file = str(Path(seen.file).resolve())
            self._places.setdefault(file, []).append((seen.line, last, job))
        return job

    def inherit(self, declared: DeclaredJob) -> None:
        """Add the cases of its base classes to a job."""
        job = self._declared.get(id(declared.body))
        if job is not None:
            for base in self._cases.bases(declared):
                job.inherited += self._base(base)

    def _base(self, base: Base) -> list[Case]:
        """Return the cases that a base class declares; it is listed like a job if there are any."""
        module, cls = base
        if id(cls) not in self._bases:
            self._bases[id(cls)] = found = self._cases.of_base(base)
            if found and not self._is_left_out(module.file):
                name = f"{module.name}.{cls.name}"
                self.jobs.append(ReachedJob(name, module.file, cls.lineno, found, is_base=True))
        return self._bases[id(cls)]

    def _is_left_out(self, file: str) -> bool:
        path = Path(file).resolve()
        if not path.is_relative_to(self._root):
            return is_test_file(file) or not is_of_project(file)
        shown = path.relative_to(self._root)
        is_excluded = any(fnmatch(shown.as_posix(), pattern) for pattern in self._exclude)
        return is_excluded or is_of_tests(shown) or not is_of_project(file)

    def find(self, seen: SeenJob) -> ReachedJob:
        """Return the job of something that was seen."""
        if seen not in self._found:
            self._found[seen] = self._look_up(seen) or self._add(seen, seen.line)
        return self._found[seen]

    def _look_up(self, seen: SeenJob) -> ReachedJob | None:
        """Return a job that has another name where it was seen: a function that is checked, say."""
        file = str(Path(seen.file).resolve()) if seen.file else ""
        places = self._places.get(file, ())
        at_place = [job for first, last, job in places if first <= seen.line <= last]
        # Classes that inherit their body share its place, and differ by name.
        named = [job for job in at_place if job.name == seen.name]
        return next(iter(named or at_place), None) or self._look_up_name(seen.name)

    def _look_up_name(self, name: str) -> ReachedJob | None:
        return next((job for job in self.jobs if job.name == name and not job.is_base), None)

    def named(self, name: str) -> ReachedJob:
        """Return the job of a name; a new one where no job has it."""
        return self._look_up_name(name) or self._add(SeenJob("", name), 0)


def _note(test: SeenTest, index: _Index) -> None:
    """Note what was seen in one harness."""
    jobs = {record.sequence: index.find(record.job) for record in test.records}
    for record in test.records:
        job = jobs[record.sequence]
        if record.origin == "enqueue":
            job.ways.add("enqueued")
            for case in (*job.cases, *job.inherited):
                case.is_seen |= "enqueued" in case.statuses
    for delivery in test.deliveries:
        job = jobs[delivery.record]
        job.ways.add("delivered")
        _note_shown(job, delivery)
    for timeline in test.timelines:
        job = index.find(timeline.job)
        # The body of a simulated job does not run.
        job.ways.add("simulated")
        for delivery in timeline.deliveries:
            _note_shown(job, delivery)
    for check in test.checks:
        if not check.is_handoff:
            index.find(check.job).ways.add("checked")
    for firing in test.firings:
        for fired in map(jobs.get, firing.records):
            for case in fired.cases if fired is not None else ():
                case.is_seen |= case.kind == "fired" and case.name in ("", firing.key)


def _note_shown(job: ReachedJob, delivery: SeenDelivery) -> None:
    for case in _shown_by(delivery, [*job.cases, *job.inherited]):
        case.is_seen = True


_RULES: Final = ("retried", "exhausted", "discarded", "rescued")
_SUCCESS: Final = frozenset(("performed",))


def _shown_by(delivery: SeenDelivery, cases: Sequence[Case]) -> Iterator[Case]:
    """Yield the cases that a delivery, or an attempt of a simulation, shows."""
    for kind in _RULES:
        rules = [case for case in cases if case.kind == kind and delivery.status in case.statuses]
        nearest = _nearest(rules, delivery.error_classes)
        if nearest is not None:
            yield nearest
    for case in cases:
        if case.kind in ("callback", "halted") and _ran(case, delivery):
            yield case


def _ran(case: Case, delivery: SeenDelivery) -> bool:
    if case.name:
        return case.name in delivery.aftermath
    # A rescued job counts as performed, and what follows a success does not run.
    is_rescued = delivery.error and case.statuses == _SUCCESS
    return delivery.status in case.statuses and not is_rescued


def _nearest(rules: Sequence[Case], error_classes: Sequence[str]) -> Case | None:
    """Return the rule whose error is nearest to the one that was raised; the first among equals.

    A rule whose errors are not known matches every error, after the others.
    """
    best, best_distance = None, len(error_classes) + 1
    for rule in rules:
        if rule.kind == "rescued" and not error_classes:
            continue
        known = [error_classes.index(name) for name in rule.errors if name in error_classes]
        distance = min(known) if known else len(error_classes)
        if (known or not rule.errors) and distance < best_distance:
            best, best_distance = rule, distance
    return best
