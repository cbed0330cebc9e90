"""The coverage of the jobs of a project by a test session: which cases something that was seen shows."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from ...bridges.libraries.known import ONLY_MADE
from ...harness.records.home import is_in_packages, is_of_tests
from ..lint.settings import LintSettings
from ..seen.session import SeenCheck, SeenDelivery, SeenJob, SeenSession, SeenTest
from ..source.handoffs import Handoffs, handoffs
from ..source.jobs import DeclaredJob
from ..source.module import Module
from ..source.project import Project
from ..source.running import Running
from ..source.tree import Tree
from ..source.workers import workers_of
from .cases import OF_EVERY_JOB, Base, Case, Cases, Kind

#: What happens to one job alone, and not to all that derive from it.
_OF_ONE_JOB: Final = frozenset((*OF_EVERY_JOB, "fired"))


@dataclass
class Site:
    """A place of the project that enqueues a job."""

    file: str
    line: int
    #: The last line of the call.
    end: int
    #: The function around it; "" at the top of a module; and whether that is the body of a job.
    function: str = ""
    in_job: bool = False
    count: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass
class CoveredJob:
    """A job of the project, its cases, and what checks explored of it."""

    #: Its dotted name in the source.
    name: str
    library: str
    #: The file of its body, relative to the root of the project, and the line.
    file: str
    line: int
    cases: list[Case]
    #: The cases that its base classes declare: they are listed there, and each job shows them.
    inherited: list[Case] = field(default_factory=list)
    #: The places that enqueue it.
    sites: list[Site] = field(default_factory=list)
    #: The histories that were explored, the most points of one check, and whether one tried all and found nothing.
    histories: list[str] = field(default_factory=list)
    points: int = 0
    is_explored: bool = False
    #: The verdict of a check that has found something; and of one in a test that passed, which had foreseen it.
    found: str = ""
    foreseen: str = ""

    @property
    def covered(self) -> int:
        """How many of the cases were seen."""
        return sum(1 for case in self.cases if case.count)

    @property
    def missing(self) -> list[Case]:
        """The cases that no test shows."""
        return [case for case in self.cases if not case.count]

    @property
    def is_seen(self) -> bool:
        """Whether any test enqueued, performed, simulated or checked it."""
        return any(case.count for case in self.cases)

    @property
    def unseen_sites(self) -> list[Site]:
        """The places that enqueue it, and did not in any test."""
        return [site for site in self.sites if not site.count]

    def gaps(self) -> Iterator[str]:
        """Yield everything that is missing, without lines, which change: for a baseline."""
        yield from (f"{self.name}: {case.text}" for case in self.missing)
        for site in self.unseen_sites:
            yield f"{self.name}: enqueued in {site.file} {site.function}".rstrip()
        if self.has_body and (self.verdict or not self.is_explored):
            yield f"{self.name}: {self.verdict or 'not explored'}"

    @property
    def has_body(self) -> bool:
        """Whether it can be performed; a base class that only has rules cannot."""
        return any(case.kind == "performed" for case in self.cases)

    def count(self, *kinds: Kind) -> None:
        """Count the cases of some kinds."""
        for case in self.cases:
            case.count += case.kind in kinds

    @property
    def verdict(self) -> str:
        """What is known to be wrong with it; "" for nothing."""
        return self.found or ("" if self.is_explored else self.foreseen)

    def explore(self, check: SeenCheck, *, has_passed: bool) -> None:
        """Take note of a check, and whether its test has passed."""
        self.count("performed", "asserted")
        self.histories += [name for name in check.names if name not in self.histories]
        self.points = max(self.points, check.points)
        self.is_explored |= check.is_whole and not check.verdict
        if has_passed:
            self.foreseen = self.foreseen or check.verdict
        else:
            self.found = self.found or check.verdict


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
    #: The places that enqueue something of which nobody knows whose job it is.
    open_sites: list[Site] = field(default_factory=list)

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

    @property
    def sites(self) -> list[Site]:
        """All places that enqueue a job."""
        return [*(site for job in self.jobs for site in job.sites), *self.open_sites]

    def with_body(self) -> list[CoveredJob]:
        """Return the jobs that can be performed."""
        return [job for job in self.jobs if job.has_body]


def job_coverage(
    seen: SeenSession, root: Path, settings: LintSettings, running: Running
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
    beside, unresolved = handoffs(project)
    for enqueue in project.enqueues:
        if enqueue.verb not in ONLY_MADE and id(enqueue.call) not in cases.schedules:
            index.add_site(enqueue.module, enqueue.call, enqueue.job)
    for module, call in unresolved:
        index.add_site(module, call, None)
    for test in seen.tests:
        _count(test, index)
    for covered in index.placeless:
        covered.sites = [site for site in covered.sites if site.count]
    # What a test has enqueued there is known now.
    left = {(site.file, site.line) for site in index.open_sites}
    beside.unresolved = [place for place in beside.unresolved if place in left]
    unreadable = [(shown, f"line {line}: {why}") for shown, line, why in project.unreadable]
    return JobCoverage(
        index.sorted(),
        sorted(index.left_out),
        unreadable,
        sorted(index.outside),
        beside,
        index.open_sites,
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
        self._bases: dict[int, list[Case]] = {}
        self._found: dict[SeenJob, CoveredJob | None] = {}
        #: By file: the places that enqueue a job.
        self._sites: dict[str, list[Site]] = {}
        self.open_sites: list[Site] = []
        self.placeless: list[CoveredJob] = []
        self.left_out: set[str] = set()
        self.outside: set[str] = set()

    def declare(self, job: DeclaredJob, cases: Cases) -> None:
        """Add a job of the source, unless it is in a file of the tests."""
        shown, body = job.module.shown, job.body
        if is_of_tests(Path(shown)):
            return
        found = CoveredJob(job.name, job.library, shown, body.lineno, cases.of(job))
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

    def _base(self, base: Base, job: DeclaredJob, cases: Cases) -> list[Case]:
        """Return the cases that a base class declares; it is listed like a job if there are any."""
        module, cls = base
        if id(cls) not in self._bases:
            found = cases.of_base(base)
            self._bases[id(cls)] = found
            if found and not is_of_tests(Path(module.shown)):
                name = f"{module.name}.{cls.name}"
                self._jobs.append(CoveredJob(name, job.library, module.shown, cls.lineno, found))
        return self._bases[id(cls)]

    def add_site(self, module: Module, call: ast.Call, job: DeclaredJob | None) -> None:
        """Add a place of the source that enqueues a job, unless it is in a file of the tests."""
        found = None if job is None else self._declared.get(id(job.body))
        if (job is None) == (found is None) and not is_of_tests(Path(module.shown)):
            around = module.function_around(call)
            function, in_job = getattr(around, "name", ""), id(around) in self._declared
            end = call.end_lineno or call.lineno
            self._add_site(Site(module.shown, call.lineno, end, function, in_job), found)

    def _add_site(self, site: Site, job: CoveredJob | None) -> None:
        of_file = self._sites.setdefault(site.file, [])
        if not any(known.line == site.line and known.end == site.end for known in of_file):
            of_file.append(site)
            (self.open_sites if job is None else job.sites).append(site)

    def enqueued_at(self, file: str, line: int, job: CoveredJob) -> None:
        """Count the place that has enqueued a job. One that the source does not show is added."""
        shown = self._shown(file)
        if not shown or self._is_left_out(shown):
            return
        around = [one for one in self._sites.get(shown, ()) if one.line <= line <= one.end]
        if not around:
            around = [Site(shown, line, line)]
            self._add_site(around[0], job)
        # Of calls inside of one another the inner one has enqueued.
        site = min(around, key=lambda one: one.end - one.line)
        site.count += 1
        if site in self.open_sites:
            self.open_sites.remove(site)
            job.sites.append(site)

    def _shown(self, file: str) -> str:
        """Return a file as tables show it; "" for one outside of the folder."""
        path = Path(file).resolve()
        return path.relative_to(self._root).as_posix() if path.is_relative_to(self._root) else ""

    def _is_left_out(self, shown: str) -> bool:
        return (
            is_of_tests(Path(shown))
            or is_in_packages(shown)
            or any(fnmatch(shown, pattern) for pattern in self._exclude)
        )

    def find(self, seen: SeenJob) -> CoveredJob | None:
        """Return the job of something that was seen; None if it does not count."""
        if seen not in self._found:
            self._found[seen] = self._look_up(seen)
        return self._found[seen]

    def sorted(self) -> list[CoveredJob]:
        return sorted(self._jobs, key=lambda job: (job.file, job.line, job.name))

    def _look_up(self, seen: SeenJob) -> CoveredJob | None:
        shown = self._shown(seen.file) if seen.file else ""
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
        if self._is_left_out(shown or seen.file):
            self.left_out.add(seen.name)
            return None
        if not shown:
            self.outside.add(f"{seen.name} in {Path(seen.file).resolve()}")
            return None
        # The source does not show it: a function that is enqueued by a computed name, say.
        job = self._new_job(seen, shown)
        self._places.setdefault(shown, []).append((seen.line, seen.line, job))
        return job

    def _new_job(self, seen: SeenJob, shown: str) -> CoveredJob:
        cases = [Case(kind, kind, seen.line) for kind in OF_EVERY_JOB]
        job = CoveredJob(seen.name, seen.bridge, shown, seen.line, cases)
        self._jobs.append(job)
        return job


def _count(test: SeenTest, index: _Index) -> None:
    """Count what was seen in one harness."""
    _count_records(test, index)
    for timeline in test.timelines:
        # The body of a simulated job does not run.
        for delivery in timeline.deliveries:
            _count_shown(index.find(timeline.job), delivery)
    for check in test.checks:
        job = index.find(check.job)
        if job is not None:
            job.explore(check, has_passed=test.outcome == "passed")


def _count_records(test: SeenTest, index: _Index) -> None:
    jobs = {record.sequence: index.find(record.job) for record in test.records}
    for record in test.records:
        job = jobs[record.sequence]
        if job is not None and record.origin == "enqueue":
            job.count("enqueued")
            for case in (*job.cases, *job.inherited):
                case.count += "enqueued" in case.statuses
            if record.file:
                index.enqueued_at(record.file, record.line, job)
            else:
                # A background task is enqueued when the response is sent: nobody knows by which line.
                index.placeless.append(job)
    for delivery in test.deliveries:
        job = jobs.get(delivery.record)
        if job is not None and delivery.status == "performed":
            job.count("performed")
            if delivery.asserted and test.outcome == "passed":
                job.count("asserted")
        _count_shown(job, delivery)
    for firing in test.firings:
        for job in map(jobs.get, firing.records):
            for case in job.cases if job is not None else ():
                case.count += case.kind == "fired" and case.name in ("", firing.key)


def _count_shown(job: CoveredJob | None, delivery: SeenDelivery) -> None:
    if job is not None:
        for case in shown_by(delivery, [*job.cases, *job.inherited]):
            case.count += 1


_RULES: Final = ("retried", "exhausted", "discarded", "rescued")
_SUCCESS: Final = frozenset(("performed",))


def shown_by(delivery: SeenDelivery, cases: Sequence[Case]) -> Iterator[Case]:
    """Yield the cases that a delivery shows, other than that the job was performed.

    Args:
        delivery: a delivery, or an attempt of a simulation.
        cases: the cases of the job.
    """
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
