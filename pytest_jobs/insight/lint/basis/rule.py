"""A rule of the lint: what it looks for, and everything that its page says."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeAlias

from ...source.jobs import DeclaredJob
from ...source.module import Module
from ...source.project import Project
from ...source.workers import Workers, workers_of
from .settings import LintSettings
from .story import Story


class Fault(NamedTuple):
    """One place where a rule is broken."""

    #: The file; its name when it is not Python.
    module: Module | str
    #: The place in the file; the line when it is not Python.
    node: ast.AST | int
    #: What is wrong here and what to write instead, in one or two sentences.
    message: str

    @property
    def shown(self) -> str:
        return self.module if isinstance(self.module, str) else self.module.shown

    @property
    def place(self) -> tuple[int, int]:
        """The line and the column, both from one."""
        if isinstance(self.node, int):
            return self.node, 1
        return getattr(self.node, "lineno", 1), getattr(self.node, "col_offset", 0) + 1


class Context:
    """What a rule may look at."""

    def __init__(self, project: Project, settings: LintSettings) -> None:
        self.project = project
        self.settings = settings
        self._stories: dict[int, Story] = {}

    @cached_property
    def workers(self) -> Workers:
        return workers_of(self.project)

    def story(self, job: DeclaredJob) -> Story:
        """Return what a job does; it is read once for all rules."""
        key = id(job)
        if key not in self._stories:
            self._stories[key] = Story(job, self.project, self.settings.effects)
        return self._stories[key]


Check: TypeAlias = Callable[[Context], Iterator[Fault]]


class Example(NamedTuple):
    """A planted fault, and its mended twin."""

    #: What a reader should not write.
    bad: str
    good: str
    #: The other files of the example, by their names, as they are in both.
    files: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, eq=False)
class Rule:
    """A rule: the tests plant its examples, and its page is made of these words."""

    #: The stable id, such as `JOB301`.
    id: str
    #: A name of a few words, joined by hyphens.
    name: str
    #: What is wrong, as a sentence.
    title: str
    #: What happens in production.
    why: str
    #: The first example stands on the page.
    examples: tuple[Example, ...]
    check: Check
    #: Whether deliveries answer it, while tests run with `--jobs-lint`. Its examples are tests.
    is_watched: bool = False
