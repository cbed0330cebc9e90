"""What is found about a project: facts, each with the place that shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from ...source.handoffs import Handoffs


class Evidence(NamedTuple):
    """A place in a file, and what stands there."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.text}"


class UsedLibrary(NamedTuple):
    """A job library that a project uses."""

    name: str
    title: str
    #: The locked version, or the specifier; empty where no file says one.
    version: str
    is_bridged: bool
    evidence: list[Evidence]
    #: What pytest-jobs needs, such as "rq>=2.10", if the version is older.
    needed: str


class FirstJob(NamedTuple):
    """A job that a test can name by a plain import."""

    #: The file, relative to the project, the name of its module, and the name there.
    path: str
    module: str
    name: str


@dataclass
class Facts:
    """Everything that is found about one project."""

    libraries: list[UsedLibrary] = field(default_factory=list)
    brokers: dict[str, list[Evidence]] = field(default_factory=dict)
    backends: dict[str, list[Evidence]] = field(default_factory=dict)
    schedulers: dict[str, list[Evidence]] = field(default_factory=dict)
    locks: dict[str, list[Evidence]] = field(default_factory=dict)
    transactions: dict[str, list[Evidence]] = field(default_factory=dict)
    tenants: dict[str, list[Evidence]] = field(default_factory=dict)
    tests: dict[str, list[Evidence]] = field(default_factory=dict)
    #: Files of queues and of recurring tasks that pytest-jobs can read.
    files: dict[str, list[Evidence]] = field(default_factory=dict)
    #: The jobs of the project, by their dotted names.
    jobs: list[Evidence] = field(default_factory=list)
    #: What the text shows beside these jobs.
    handoffs: Handoffs = field(default_factory=Handoffs)
    #: A job for a first test.
    first_job: FirstJob | None = None
    #: The jobs that are long.
    fat: list[Evidence] = field(default_factory=list)
    #: Methods and functions whose name ends in `_later`.
    later: list[Evidence] = field(default_factory=list)
    #: Places where a record is passed instead of an id, and where an effect has no guard.
    records: list[Evidence] = field(default_factory=list)
    unguarded: list[Evidence] = field(default_factory=list)
    #: Enqueues in loops, and enqueues inside an open transaction.
    loops: list[Evidence] = field(default_factory=list)
    early: list[Evidence] = field(default_factory=list)
    retries: list[Evidence] = field(default_factory=list)
    #: What was not read, each as a sentence without its full stop.
    unread: list[str] = field(default_factory=list)

    def names(self) -> set[str]:
        return {library.name for library in self.libraries}


def note(facts: dict[str, list[Evidence]], name: str, evidence: Evidence) -> None:
    """Add evidence for something; the same place once."""
    places = facts.setdefault(name, [])
    if evidence not in places:
        places.append(evidence)
