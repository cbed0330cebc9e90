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

from ...bridges.libraries.known import EVERY, ONLY_MADE, library_named
from ...harness.records.home import is_of_tests
from ...harness.records.texts import counted
from .dependencies import required, required_libraries
from .enqueues import VERBS
from .jobs import receiver_of
from .module import Module
from .project import Project

#: What puts messages together, and the methods that enqueue the whole.
_COMPOSING: Final = frozenset(name for each in EVERY.values() for name in each.composing)
_RUNS: Final = ("delay", "apply_async", "run")
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


def indirect(project: Project) -> Iterator[tuple[Module, ast.expr]]:
    """Yield what enqueues without a call of a job's method: the method is passed on, or messages are put together.

    So do `on_commit(partial(task.delay, 1))`, `map(task.delay, ids)`, `f = task.delay`, and `chain(...).delay()`.
    """
    # The names that modules give to such methods.
    aliases = {
        f"{module.name}.{name}"
        for module in project.modules
        for name, value in module.assigned.items()
        if _is_enqueueing(value, module, project)
    }
    for module in project.modules:
        for node, around in module.parents.items():
            called = isinstance(around, ast.Call) and around.func is node
            if isinstance(node, ast.Call):
                if _runs_composed(node, module):
                    yield module, node
            elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
                found = project.resolve(module.origin(node)) if aliases else None
                is_alias = found is not None and f"{found[0].name}.{found[1]}" in aliases
                if is_alias or (not called and _is_enqueueing(node, module, project)):
                    yield module, node


def _is_enqueueing(node: ast.expr, module: Module, project: Project) -> bool:
    """Say whether an expression is the method of a job that enqueues it: `task.delay`."""
    if not isinstance(node, ast.Attribute) or node.attr not in VERBS:
        return False
    job = project.job_at(module, node.value)
    return job is not None and job.library in EVERY and node.attr in EVERY[job.library].sending


def _runs_composed(call: ast.Call, module: Module) -> bool:
    """Say whether a call enqueues messages that were put together: `chain(...).delay()`, `group(...)()`."""
    if isinstance(call.func, ast.Attribute) and call.func.attr in _RUNS:
        return _is_composed(call.func.value, module)
    return not isinstance(call.func, ast.Attribute) and _is_composed(call.func, module)


def _is_composed(node: ast.expr, module: Module, *, named: bool = True) -> bool:
    """Say whether an expression puts messages together, or is the name of what does."""
    if isinstance(node, ast.Name) and named:
        made = module.local_value(node.id, node)
        return made is not None and _is_composed(made, module, named=False)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        sides = (node.left, node.right)
        return any(
            _last_name(one) in ONLY_MADE or _is_composed(one, module, named=named) for one in sides
        )
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Attribute) and node.func.attr == "set":
        return _is_composed(node.func.value, module, named=named)
    return module.origin(node.func) in _COMPOSING


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
