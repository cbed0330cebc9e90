"""What the text of a project shows of each job library, beside the jobs that were found.

A project may wrap what a library gives it, and then the text does not say which functions are jobs. Where that
happens is counted, so that nobody takes jobs that were not found for jobs that are not there.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ...bridges.libraries.known import EVERY, library_named
from ...harness.records.home import is_of_tests
from ...harness.records.texts import counted
from .dependencies import required, required_libraries
from .jobs import receiver_of
from .module import Module
from .project import Project

#: How many files a line names.
_NAMED: Final = 5


@dataclass
class Unseen:
    """A library that a project depends on, and of which no job was found."""

    #: Its name in sentences.
    title: str
    decorators: int
    calls: int

    def __str__(self) -> str:
        decorators, calls = counted(self.decorators, "decorator"), counted(self.calls, "call")
        return (
            f"{self.title} is a dependency, and 0 jobs of it were found. The text has {decorators} and "
            f"{calls} that look like it."
        )


@dataclass
class Handoffs:
    """What the text shows, and what of it nobody could resolve."""

    #: The libraries of which no job was found.
    unseen: list[Unseen] = field(default_factory=list)
    #: The calls that look like an enqueue, and whose job was not found.
    unresolved: list[tuple[str, int]] = field(default_factory=list)
    #: The files with a word about jobs that no test has imported; nothing where nobody has imported any.
    unimported: list[str] = field(default_factory=list)
    #: What libraries say of the names that several jobs have.
    shared: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """Yield what is to be said of it, beside the number of calls."""
        yield from (f"Not looked at: {one}" for one in self.shared)
        if self.unimported:
            named = ", ".join(self.unimported[:_NAMED])
            more = f" and {len(self.unimported) - _NAMED} more" if self.unimported[_NAMED:] else ""
            yield f"Not imported by any test, so their jobs are not known: {named}{more}."
        for one in self.unseen:
            yield f"{one} Let the tests import the modules that declare its jobs, and run `pytest --jobs-lint`."


def handoffs(project: Project) -> tuple[Handoffs, list[tuple[Module, ast.Call]]]:
    """Return what the text of a project shows beside its jobs, and the calls whose job was not found.

    What only its tests import is no dependency.
    """
    unresolved: list[tuple[Module, ast.Call]] = []
    modules = [module for module in project.modules if not is_of_tests(Path(module.shown))]
    requirements, _ = required(project.tree, project.shown)
    libraries = {*required_libraries(requirements)}
    for module in modules:
        libraries.update(map(library_named, module.imported.values()))
    libraries.discard("")
    # Of two libraries that have a word the first one counts.
    ordered = sorted(libraries, reverse=True)
    making = {word: library for library in ordered for word in EVERY[library].decorating}
    calling = {word: library for library in ordered for word in EVERY[library].calls}
    enqueues = {id(one.call): one for one in project.enqueues}
    decorators, calls = dict.fromkeys(libraries, 0), dict.fromkeys(libraries, 0)
    found = Handoffs(shared=sorted(project.running.shared))
    for module in modules:
        called = [call for call in module.calls if _last_name(call) in calling]
        declared = [
            {making[name] for name in map(_last_name, thing.decorator_list) if name in making}
            for thing in (*module.functions.values(), *module.classes.values())
        ]
        decorated = [min(several) for several in declared if several]
        imported = project.running.files
        if imported and (decorated or called) and module.file not in imported:
            found.unimported.append(module.shown)
        for library in decorated:
            decorators[library] += 1
        for call in called:
            enqueue = enqueues.get(id(call))
            library = enqueue.library if enqueue else calling[_last_name(call)]
            calls[library] = calls.get(library, 0) + 1
            is_open = enqueue.job is None if enqueue else not _is_of_others(call, module, project)
            if is_open and not _is_known(call, module, project):
                unresolved.append((module, call))
    jobs = [job for job in project.jobs if not is_of_tests(Path(job.module.shown))]
    known = {job.library for job in jobs} | {one.job.bridge for one in project.without_text}
    found.unseen = [
        Unseen(EVERY[library].title, decorators[library], calls[library])
        for library in sorted(libraries - known)
        if decorators[library] or not jobs
    ]
    found.unresolved = [(module.shown, call.lineno) for module, call in unresolved]
    return found, unresolved


def _is_known(call: ast.Call, module: Module, project: Project) -> bool:
    """Say whether a namespace knows what a call is, or the call is a schedule: `add_job(tell.send)`."""
    receiver, first = receiver_of(call), call.args[0] if call.args else None
    # A chain or a group of Celery, whose parts are calls of their own.
    is_canvas = isinstance(receiver, ast.Call) and bool(library_named(module.origin(receiver.func)))
    return (
        is_canvas
        or project.is_known(module, receiver)
        or (first is not None and project.is_known(module, first))
        or (isinstance(first, ast.Attribute) and project.job_at(module, first.value) is not None)
    )


def _is_of_others(call: ast.Call, module: Module, project: Project) -> bool:
    """Say whether the receiver of a call, or its class, is of a package that has nothing to do with jobs."""
    receiver = receiver_of(call)
    made_by = project.type_of(module, receiver)
    imported = {one.partition(".")[0] for one in module.imported.values()}
    if (
        made_by.rpartition(".")[2][:1].isupper()
        and made_by.partition(".")[0] in imported
        and not project.has(made_by)
        and not library_named(made_by)
    ):
        return True
    while isinstance(receiver, ast.Attribute | ast.Call):
        receiver = receiver.value if isinstance(receiver, ast.Attribute) else receiver.func
    origin = module.imported.get(receiver.id, "") if isinstance(receiver, ast.Name) else ""
    return bool(origin) and not library_named(origin) and not project.has(origin)


def _last_name(node: ast.expr) -> str:
    node = node.func if isinstance(node, ast.Call) else node
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
