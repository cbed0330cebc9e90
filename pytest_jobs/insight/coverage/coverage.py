"""The coverage of the jobs of a project by a test session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from ...harness.records.home import is_of_tests
from ..lint.basis.settings import LintSettings
from ..seen.session import SeenDelivery, SeenJob, SeenSession, SeenTest
from ..source.handoffs import Handoffs, handoffs
from ..source.jobs import DeclaredJob
from ..source.project import Project
from ..source.running import Running
from ..source.tree import Tree
from ..source.workers import workers_of
from .cases import Base, Case, Cases, Kind
from .matching import shown_by

#: Folders of code that is not of the project.
_INSTALLED: Final = frozenset(("site-packages", "dist-packages"))
#: What happens to one job alone, and not to all that derive from it.
_OF_ONE_JOB: Final = frozenset(("enqueued", "performed", "explored", "fired"))


@dataclass
class CoveredCase:
    """A case of a job, and how often it was seen."""

    case: Case
    count: int = 0

    @property
    def kind(self) -> Kind:
        return self.case.kind

    @property
    def text(self) -> str:
        return self.case.text


@dataclass
class CoveredJob:
    """A job of the project, its cases, and what checks explored of it."""

    #: Its dotted name in the source.
    name: str
    library: str
    #: The file of its body, relative to the root of the project, and the line.
    file: str
    line: int
    cases: list[CoveredCase]
    #: The cases that its base classes declare: they are listed there, and each job shows them.
    inherited: list[CoveredCase] = field(default_factory=list)
    #: The histories that were explored, and the most points of one check.
    histories: list[str] = field(default_factory=list)
    points: int = 0

    @property
    def covered(self) -> int:
        """How many of the cases were seen."""
        return sum(1 for case in self.cases if case.count)

    @property
    def missing(self) -> list[CoveredCase]:
        """The cases that no test shows."""
        return [case for case in self.cases if not case.count]

    @property
    def is_seen(self) -> bool:
        """Whether any test enqueued, performed, simulated or checked it."""
        return any(case.count for case in self.cases)

    def count(self, kind: Kind, times: int = 1) -> None:
        """Count the cases of a kind."""
        for case in self.cases:
            if case.kind == kind:
                case.count += times


@dataclass
class JobCoverage:
    """The coverage of all jobs of a project."""

    #: The jobs, and base classes of jobs with rules and callbacks, in the order of the files.
    jobs: list[CoveredJob]
    #: The jobs that tests and installed packages define: they ran, and do not count.
    left_out: list[str] = field(default_factory=list)
    #: Files that could not be read, each with the reason.
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    #: The jobs whose files lie outside of the folder: they ran, and do not count.
    outside: list[str] = field(default_factory=list)
    #: What the text shows beside the jobs.
    handoffs: Handoffs = field(default_factory=Handoffs)

    @property
    def cases(self) -> int:
        """How many cases there are."""
        return sum(len(job.cases) for job in self.jobs)

    @property
    def covered(self) -> int:
        """How many of them were seen."""
        return sum(job.covered for job in self.jobs)

    @property
    def percent(self) -> float:
        """How many in a hundred were seen, rounded down to a tenth, so that only all of them are 100.

        Without jobs it is 0: nobody knows what was not found.
        """
        return 1000 * self.covered // self.cases / 10 if self.cases else 0.0


def job_coverage(
    seen: SeenSession, root: Path, settings: LintSettings, running: Running | None = None
) -> JobCoverage:
    """Return the coverage of the jobs below a folder.

    Args:
        seen: what the tests have seen.
        root: the folder of the project.
        settings: those of the lint: further jobs, and files that are left out.
        running: what the processes of the session have imported.
    """
    project = Project(
        Tree(root), base=root, jobs=settings.jobs, exclude=settings.exclude, running=running
    )
    cases = Cases(project, workers_of(project))
    index = _Index(root, settings.exclude)
    for job in project.jobs:
        index.declare(job, cases)
    for job in project.jobs:
        index.inherit(job, cases)
    for one in sorted(project.without_text):
        index.register(one.job)
    for test in seen.tests:
        _count(test, index)
    unreadable = [(shown, f"line {line}: {why}") for shown, line, why in project.unreadable]
    return JobCoverage(
        index.sorted(),
        sorted(index.left_out),
        unreadable,
        sorted(index.outside),
        handoffs(project),
    )


class _Index:
    """The jobs of the project, by the places of their bodies."""

    def __init__(self, root: Path, exclude: Sequence[str]) -> None:
        self._root = root.resolve()
        self._exclude = exclude
        self._jobs: list[CoveredJob] = []
        #: By file: the first and the last line at which a body may begin, and the job.
        self._places: dict[str, list[tuple[int, int, CoveredJob]]] = {}
        #: By the bodies of jobs, and by classes: the jobs, and the cases that they hand on.
        self._declared: dict[int, CoveredJob] = {}
        self._bases: dict[int, list[CoveredCase]] = {}
        self._found: dict[SeenJob, CoveredJob | None] = {}
        self.left_out: set[str] = set()
        self.outside: set[str] = set()

    def declare(self, job: DeclaredJob, cases: Cases) -> None:
        """Add a job of the source, unless it is in a file of the tests."""
        shown, body = job.module.shown, job.body
        if is_of_tests(Path(shown)):
            return
        found = CoveredJob(job.name, job.library, shown, body.lineno, _covered(cases.of(job)))
        first = min([body.lineno, *(one.lineno for one in body.decorator_list)])
        self._jobs.append(found)
        self._places.setdefault(shown, []).append((first, body.lineno, found))
        self._declared[id(body)] = found
        if job.cls is not None:
            self._bases[id(job.cls)] = [one for one in found.cases if one.kind not in _OF_ONE_JOB]

    def register(self, job: SeenJob) -> None:
        """Add a job that a running library knows, and whose function is a wrapper that others may share."""
        shown = Path(job.file).resolve().relative_to(self._root).as_posix()
        if not is_of_tests(Path(shown)):
            self._found[job] = self._new_job(job, shown)

    def inherit(self, job: DeclaredJob, cases: Cases) -> None:
        """Add the cases of its base classes to a job that was declared."""
        found = self._declared.get(id(job.body))
        if found is not None:
            for base in cases.bases(job):
                found.inherited += self._base(base, job, cases)

    def _base(self, base: Base, job: DeclaredJob, cases: Cases) -> list[CoveredCase]:
        """Return the cases that a base class declares; it is listed like a job if there are any."""
        module, cls = base
        if id(cls) not in self._bases:
            found = _covered(cases.of_base(base))
            self._bases[id(cls)] = found
            if found and not is_of_tests(Path(module.shown)):
                name = f"{module.name}.{cls.name}"
                self._jobs.append(CoveredJob(name, job.library, module.shown, cls.lineno, found))
        return self._bases[id(cls)]

    def find(self, seen: SeenJob) -> CoveredJob | None:
        """Return the job of something that was seen; None if it does not count."""
        if seen not in self._found:
            self._found[seen] = self._look_up(seen)
        return self._found[seen]

    def sorted(self) -> list[CoveredJob]:
        return sorted(self._jobs, key=lambda job: (job.file, job.line, job.name))

    def _look_up(self, seen: SeenJob) -> CoveredJob | None:
        path = Path(seen.file).resolve()
        shown = path.relative_to(self._root).as_posix() if path.is_relative_to(self._root) else ""
        at_place = [
            job
            for first, last, job in self._places.get(shown, ())
            if shown and first <= seen.line <= last
        ]
        by_name = [job for job in self._jobs if job.name == seen.name]
        # Libraries may name a job without its module. Then its file must be the same, if it is known.
        by_name += [
            job
            for job in self._jobs
            if job.name.rpartition(".")[2] == seen.name
            and job.file in (shown, seen.file or job.file)
        ]
        # Classes that inherit their body share its place, and differ by name.
        found = [job for job in at_place if job in by_name] or at_place or by_name
        if found:
            return found[0]
        if not seen.file:
            return None
        if (
            is_of_tests(Path(shown or path.name))
            or {*path.parts} & _INSTALLED
            or any(fnmatch(shown, pattern) for pattern in self._exclude)
        ):
            self.left_out.add(seen.name)
            return None
        if not shown:
            self.outside.add(f"{seen.name} in {path}")
            return None
        return self._add_undeclared(seen, shown)

    def _add_undeclared(self, seen: SeenJob, shown: str) -> CoveredJob:
        """Add a job that the source does not show, such as a function that is enqueued by a computed name."""
        job = self._new_job(seen, shown)
        self._places.setdefault(shown, []).append((seen.line, seen.line, job))
        return job

    def _new_job(self, seen: SeenJob, shown: str) -> CoveredJob:
        kinds: list[tuple[Kind, str]] = [
            ("enqueued", "enqueued"),
            ("performed", "performed"),
            ("explored", "check_idempotent"),
        ]
        cases = [CoveredCase(Case(kind, text, seen.line)) for kind, text in kinds]
        job = CoveredJob(seen.name, seen.bridge, shown, seen.line, cases)
        self._jobs.append(job)
        return job


def _count(test: SeenTest, index: _Index) -> None:
    """Count what was seen in one harness."""
    jobs = {record.sequence: index.find(record.job) for record in test.records}
    _count_records(test, jobs)
    for timeline in test.timelines:
        job = index.find(timeline.job)
        # The body of a simulated job does not run.
        for delivery in timeline.deliveries:
            _count_shown(job, delivery)
    for check in test.checks:
        job = index.find(check.job)
        if job is not None:
            job.count("performed")
            job.count("explored", check.histories)
            names = [name for name in check.names if name not in check.nothing_to_try]
            job.histories += [name for name in names if name not in job.histories]
            job.points = max(job.points, len(check.points))


def _count_records(test: SeenTest, jobs: Mapping[int, CoveredJob | None]) -> None:
    for record in test.records:
        job = jobs[record.sequence]
        if job is not None and record.origin == "enqueue":
            job.count("enqueued")
            for case in (*job.cases, *job.inherited):
                case.count += "enqueued" in case.case.statuses
    for delivery in test.deliveries:
        job = jobs.get(delivery.record)
        if job is not None and delivery.status == "performed":
            job.count("performed")
        _count_shown(job, delivery)
    for firing in test.firings:
        for job in map(jobs.get, firing.records):
            for case in job.cases if job is not None else ():
                case.count += case.kind == "fired" and case.case.name in ("", firing.key)


def _count_shown(job: CoveredJob | None, delivery: SeenDelivery) -> None:
    if job is None:
        return
    known = [*job.cases, *job.inherited]
    for case in shown_by(delivery, [one.case for one in known]):
        for covered in known:
            covered.count += covered.case is case


def _covered(cases: Iterable[Case]) -> list[CoveredCase]:
    return [CoveredCase(case) for case in cases]
