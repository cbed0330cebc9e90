"""A project whose jobs are what the running libraries say, and the functions that its settings name."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from ...source.jobs import DeclaredJob
from ...source.module import Function, Module
from ...source.project import Project, body_of, options_of
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
            name, body = ("", None) if module is None else body_of(one, module)
            if module is None:
                continue
            if body is None or id(body) in found:
                self.without_text.append(one)
            else:
                found[id(body)] = _job(one, module, name, body)
        for module in self.modules:
            for job in self.named_by_settings(module):
                found.setdefault(id(job.body), job)
        return [*found.values()]


def _job(one: RegisteredJob, module: Module, name: str, body: Function) -> DeclaredJob:
    owner, _, _ = name.rpartition(".")
    cls = module.classes.get(owner)
    if cls is not None and one.job.name.endswith(f".{cls.name}"):
        name = owner
    dotted, options = f"{module.name}.{name}", options_of(body, module)
    return DeclaredJob(dotted, one.job.bridge, module, body, body, cls, options, one.is_bound)
