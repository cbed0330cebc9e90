"""A rule of the lint, what it may look at, and what it finds."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from ....bridges.libraries.known import ONLY_MADE
from ...source.enqueues import Enqueue
from ...source.jobs import DeclaredJob
from ...source.module import Module, first_line
from ...source.project import Project
from ...source.running import JobFacts
from ...source.workers import Workers, workers_of

#: Methods of results that wait.
_WAITS: Final = frozenset(("get", "join", "wait", "wait_result", "get_result", "collect", "result"))


class Fault(NamedTuple):
    """One place where a rule is broken."""

    #: The file, relative to where the user stands; the line and the column, both from one.
    path: str
    line: int
    column: int
    #: What is wrong here and what to write instead, in one or two sentences.
    message: str

    @classmethod
    def at(cls, module: Module, node: ast.AST, message: str) -> Fault:
        return cls(
            module.shown, getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1, message
        )


class Finding(NamedTuple):
    """One thing that was found."""

    rule: str
    path: str
    line: int
    column: int
    message: str

    @property
    def key(self) -> tuple[str, ...]:
        """Its names in a baseline, which have no number: a finding that moves stays the same."""
        return self.path, self.rule, " ".join(self.message.split())


class Context:
    """What a rule may look at."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.running = project.running

    @cached_property
    def workers(self) -> Workers:
        return workers_of(self.project)

    @cached_property
    def waits(self) -> list[tuple[Enqueue, ast.Call]]:
        """The enqueues for whose result their function waits, each with the call that waits."""
        by_call = {id(one.call): one for one in self.project.enqueues if one.verb not in ONLY_MADE}
        found: list[tuple[Enqueue, ast.Call]] = []
        for module in self.project.modules:
            for call in module.calls:
                if isinstance(call.func, ast.Attribute) and call.func.attr in _WAITS:
                    made: ast.expr | None = call.func.value
                    if isinstance(made, ast.Name):
                        made = module.local_value(made.id, call)
                    made = made.value if isinstance(made, ast.Await) else made
                    if id(made) in by_call:
                        found.append((by_call[id(made)], call))
        return found

    @cached_property
    def packages(self) -> set[str]:
        """The names of the packages of the project that are in no other package."""
        folders = {one.parent for one in self.project.tree.files if one.name == "__init__.py"}
        return {one.name for one in folders if one.parent not in folders}

    @cached_property
    def bodies(self) -> dict[int, DeclaredJob]:
        """The jobs, by the identity of their body."""
        return {id(job.body): job for job in self.project.jobs}

    @cached_property
    def _facts_by_place(self) -> dict[tuple[str, int], JobFacts]:
        return {
            (str(Path(job.file).resolve()), job.line): self.running.facts[job.bridge, job.name]
            for job in (one.job for one in self.running.jobs)
            if (job.bridge, job.name) in self.running.facts
        }

    def facts_of(self, job: DeclaredJob | None) -> JobFacts:
        """Return what the library of a job says of it; the facts of a silent job where it says nothing."""
        if job is None:
            return JobFacts()
        place = job.module.file, first_line(job.body)
        return self._facts_by_place.get(place, JobFacts())


Check: TypeAlias = Callable[[Context], Iterator[Fault]]


class Rule(NamedTuple):
    """A rule. Its page in the reference says the rest: `docs/reference/lint/job301.md`."""

    #: The stable id, such as `JOB301`.
    id: str
    #: Finds the faults; None where deliveries show them, while tests run with `--jobs-lint`.
    check: Check | None


class Wrong(NamedTuple):
    """A place in the file of a job, and what is wrong there."""

    node: ast.AST
    message: str


def rule(id: str) -> Callable[[Check], Rule]:
    """Make a rule of the function below, which finds the faults, and has the name of the rule."""
    return lambda check: Rule(id, check)


def of_jobs(
    id: str, *libraries: str
) -> Callable[[Callable[[DeclaredJob, Context], Iterator[Wrong]]], Rule]:
    """Make a rule of the function below, which finds what is wrong with one job.

    Args:
        id: that of the rule.
        libraries: those whose jobs are judged; without them, all.
    """
    return lambda find: Rule(
        id,
        lambda context: (
            Fault.at(job.module, *wrong)
            for job in context.project.jobs
            if not libraries or job.library in libraries
            for wrong in find(job, context)
        ),
    )


def of_enqueues(id: str) -> Callable[[Callable[[Enqueue, Context], Iterator[str]]], Rule]:
    """Make a rule of the function below, which finds what is wrong with one call that enqueues."""
    return lambda find: Rule(
        id,
        lambda context: (
            Fault.at(enqueue.module, enqueue.call, message)
            for enqueue in context.project.enqueues
            for message in find(enqueue, context)
        ),
    )
