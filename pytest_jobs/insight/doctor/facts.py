"""What is found about a project: facts, each with the place that shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from ...harness.records.texts import counted


class Place(NamedTuple):
    """A line of a file."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


class UsedLibrary(NamedTuple):
    """A job library that a project uses."""

    name: str
    title: str
    #: The locked version, or the specifier; empty where no file says one.
    version: str
    is_bridged: bool
    places: list[Place]
    #: What pytest-jobs needs, such as "rq>=2.8", if the version is older.
    needed: str


class Declared(NamedTuple):
    """What a decorator or a base class of a job library declares, or a list of a worker names."""

    #: The libraries that have such a decorator; one of them where the text tells.
    libraries: frozenset[str]
    place: Place
    #: Its name in its module, with those of what it stands in; empty in a list.
    name: str
    #: How it is declared.
    kind: str = "decorator"
    #: The names of its options, and what else it unpacks: dictionaries that no file writes.
    options: frozenset[str] = frozenset()
    unread: tuple[str, ...] = ()
    queue: str = ""


class Sent(NamedTuple):
    """A call that enqueues, by its name and what it is called on."""

    libraries: frozenset[str]
    place: Place
    #: Whether it gives a job to a queue or a scheduler. A method of a job counts where one of the names before it
    #: is that of something declared.
    is_of_queue: bool
    names: list[str]
    in_loop: bool
    in_transaction: bool
    #: Whether it stands in a loop that sleeps, or in what is named a scheduler.
    in_scheduler: bool


@dataclass
class Facts:
    """Everything that is found about one project."""

    libraries: list[UsedLibrary] = field(default_factory=list)
    #: By the name of a row, and what was seen of it: the places.
    seen: dict[str, dict[str, list[Place]]] = field(default_factory=dict)
    #: The files of queues and of recurring tasks that pytest-jobs can read, as the options name them.
    files: dict[str, str] = field(default_factory=dict)
    #: What declares jobs in the text, and the calls that enqueue.
    declared: list[Declared] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    #: What was not read, each as a sentence without its full stop.
    unread: list[str] = field(default_factory=list)

    def note(self, row: str, what: str, places: Iterable[Place]) -> None:
        """Add places for something that was seen; the same place once."""
        found = self.seen.setdefault(row, {})
        found[what] = [*dict.fromkeys([*found.get(what, ()), *places])]

    def jobs_of(self, library: str) -> tuple[str, list[Place]]:
        """Return what the text shows of the jobs of a library, in words, and the places."""
        found = [(one.kind, one.place) for one in self.declared if library in one.libraries]
        found += [("call", one.place) for one in self.sent if library in one.libraries]
        kinds = Counter(kind for kind, _ in found)
        words = [counted(number, kind) for kind, number in kinds.items()]
        return ", ".join([*words[:-2], " and ".join(words[-2:])]), [place for _, place in found]
