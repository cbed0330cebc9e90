"""A project whose jobs are what the running libraries say, and the functions that its settings name."""

from __future__ import annotations

import ast
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path

from ...source.jobs import UNKNOWN, DeclaredJob, unpacked
from ...source.module import Function, Module
from ...source.project import Project
from ...source.running import RegisteredJob


class RegisteredProject(Project):
    """The modules below some paths, and the jobs of the processes that have imported them.

    What the text looks like makes no job: a wrapper, a factory or a list may stand in between.
    """

    @cached_property
    def jobs(self) -> list[DeclaredJob]:
        """The jobs of the project, each once."""
        modules = {module.file: module for module in self.modules}
        found: dict[int, DeclaredJob] = {}
        for one in sorted(self.running.jobs):
            module = modules.get(str(Path(one.job.file).resolve()))
            name, body = ("", None) if module is None else _body(one, module)
            if module is None:
                continue
            if body is None or id(body) in found:
                self.without_text.append(one)
            else:
                found[id(body)] = _job(one, module, name, body)
        for module in self.modules:
            for name, body in module.functions.items():
                dotted = f"{module.name}.{name}"
                is_asked = any(fnmatch(dotted, pattern) for pattern in self._patterns)
                if is_asked and "." not in name and not name.startswith("_"):
                    job = DeclaredJob(dotted, "function", module, body, body)
                    found.setdefault(id(body), job)
        return [*found.values()]


def _body(one: RegisteredJob, module: Module) -> tuple[str, Function | None]:
    """Return the function of a job, and its name in the module."""
    name, body = module.function_at(one.job.line)
    short = one.job.name.rpartition(".")[2]
    if (body is None or "." in name) and short in module.functions:
        # A wrapper that does not say what it wraps; the library has the name of the function.
        return short, module.functions[short]
    return name, body


def _job(one: RegisteredJob, module: Module, name: str, body: Function) -> DeclaredJob:
    owner, _, _ = name.rpartition(".")
    cls = module.classes.get(owner)
    if cls is not None and one.job.name.endswith(f".{cls.name}"):
        name = owner
    # Nobody knows which options a wrapper adds.
    options: dict[str, ast.expr] = {UNKNOWN: ast.Constant(None)}
    for decorator in body.decorator_list:
        if isinstance(decorator, ast.Call):
            options |= unpacked(decorator, module)
    dotted = f"{module.name}.{name}"
    return DeclaredJob(dotted, one.job.bridge, module, body, body, cls, options, one.is_bound)
