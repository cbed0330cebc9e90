"""The places that hand work off, and those of them to which a check of a handoff came."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...bridges.libraries.known import ONLY_MADE
from ...exploration.histories.exploration import Exploration
from ...harness.records.home import is_of_tests
from ...insight.source.handoffs import handoffs, indirect
from ...insight.source.module import Module
from ...insight.source.project import Project


@dataclass(frozen=True)
class Site:
    """A place of the project that enqueues a job."""

    file: str
    line: int
    #: The last line of the expression.
    end: int
    #: The function around it; "" at the top of a module.
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass
class Handoffs:
    """The places that enqueue a job, and are in no job themselves: a broker repeats those."""

    sites: list[Site]
    unchecked: list[Site]

    @classmethod
    def of(
        cls, project: Project, schedules: Collection[int], passed: Collection[tuple[str, int]]
    ) -> Handoffs:
        """Look for them.

        Args:
            project: the source.
            schedules: the calls that make a job recur, by identity: they enqueue nothing.
            passed: the files and lines to which checks of handoffs came.
        """
        sites = sorted({*_sites(project, schedules)}, key=lambda site: (site.file, site.line))

        def is_checked(site: Site) -> bool:
            file = str((project.base / site.file).resolve())
            return any((file, line) in passed for line in range(site.line, site.end + 1))

        return cls(sites, [site for site in sites if not is_checked(site)])

    def to_dict(self) -> dict[str, Any]:
        """Return it as values that JSON has."""
        return {"places": len(self.sites), "unchecked": [*map(str, self.unchecked)]}


def _sites(project: Project, schedules: Collection[int]) -> Iterator[Site]:
    jobs = {id(job.body) for job in project.jobs}
    for module, node in _enqueueing(project, schedules):
        around = module.function_around(node)
        if id(around) not in jobs and not is_of_tests(Path(module.shown)):
            end = node.end_lineno or node.lineno
            yield Site(module.shown, node.lineno, end, getattr(around, "name", ""))


def _enqueueing(project: Project, schedules: Collection[int]) -> Iterator[tuple[Module, ast.expr]]:
    """Yield what enqueues a job of the project, or one that the text does not say."""
    for enqueue in project.enqueues:
        job = enqueue.job
        is_of_project = job is None or not is_of_tests(Path(job.module.shown))
        is_enqueue = enqueue.verb not in ONLY_MADE and id(enqueue.call) not in schedules
        if is_of_project and is_enqueue:
            yield enqueue.module, enqueue.call
    yield from handoffs(project)[1]
    for module, node in indirect(project):
        # A name that a module gives to it enqueues nothing yet.
        if module.function_around(node) is not None:
            yield module, node


def lines_of_handoffs(explorations: Iterable[Exploration]) -> Iterator[tuple[str, int]]:
    """Yield the files and lines to which a check of a handoff came; nothing of other checks."""
    for exploration in explorations:
        if "dies" in exploration.known:
            for point in exploration.reference.points:
                yield point.filename, point.line
