"""What is found about a project: facts, each with the place that shows it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ...harness.records.texts import counted

_KINDS: Final = ("derived job", "decorator", "listed function", "call")


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


class Declared(NamedTuple):
    """A function or class that a decorator or a base class of a job library declares."""

    #: The libraries that have such a decorator; one of them where the text tells.
    libraries: frozenset[str]
    place: Evidence
    #: Its name in its module, with those of what it stands in.
    name: str
    #: Whether a base class declares it, and no decorator.
    is_derived: bool
    #: How many statements it has, whether it logs, and whether its declaration says something about retries.
    statements: int
    logs: bool
    retries: bool
    queue: str = ""


class Sent(NamedTuple):
    """A call that enqueues, by its name and what it is called on."""

    libraries: frozenset[str]
    place: Evidence
    #: Whether it gives a job to a queue or a scheduler. A method of a job counts where one of the names before it
    #: is that of something declared.
    is_of_queue: bool
    names: list[str]
    in_loop: bool
    in_transaction: bool


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
    #: Queues that the commands of workers name.
    queues: dict[str, list[Evidence]] = field(default_factory=dict)
    #: Who is told of a job that failed.
    failures: dict[str, list[Evidence]] = field(default_factory=dict)
    #: Files of queues and of recurring tasks that pytest-jobs can read.
    files: dict[str, list[Evidence]] = field(default_factory=dict)
    #: What declares jobs in the text, the entries in the lists of workers, and the calls that enqueue.
    declared: list[Declared] = field(default_factory=list)
    listed: list[tuple[str, Evidence]] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    #: Methods and functions whose name ends in `_later`.
    later: list[Evidence] = field(default_factory=list)
    #: Views that send a mail or wait for another service.
    waiting: list[Evidence] = field(default_factory=list)
    #: What was not read, each as a sentence without its full stop.
    unread: list[str] = field(default_factory=list)

    def names(self) -> set[str]:
        return {library.name for library in self.libraries}

    def seen(self, library: str) -> tuple[str, list[Evidence]]:
        """Return what the text shows of a library, in words, and the places."""
        kinds: Counter[str] = Counter()
        places: list[Evidence] = []
        for one in self.declared:
            if library in one.libraries:
                kinds["derived job" if one.is_derived else "decorator"] += 1
                places.append(one.place)
        for name, place in self.listed:
            if name == library:
                kinds["listed function"] += 1
                places.append(place)
        for call in self.sent:
            if library in call.libraries:
                kinds["call"] += 1
                places.append(call.place)
        words = [counted(kinds[kind], kind) for kind in _KINDS if kinds[kind]]
        return ", ".join([*words[:-2], " and ".join(words[-2:])]), places


def note(facts: dict[str, list[Evidence]], name: str, evidence: Evidence) -> None:
    """Add evidence for something; the same place once."""
    places = facts.setdefault(name, [])
    if evidence not in places:
        places.append(evidence)
