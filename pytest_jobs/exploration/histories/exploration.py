"""What a search has found: histories that fail, and how many were tried."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...harness.records.texts import counted, short_repr
from ..engine.ending.log import HistoryLog
from ..engine.points import Point
from ..engine.run import Run
from ..stores.account import Account, Item
from .children import Child
from .equivalent_points import Chosen
from .plans import HISTORIES, AnyHistory, Plan, stands_for_all
from .verdicts import Verdict


@dataclass(frozen=True)
class Failure:
    """A history that did not end as one clean run does."""

    plan: Plan
    verdict: Verdict
    runs: tuple[Run, ...]
    log: HistoryLog = field(default_factory=HistoryLog)
    #: The deliveries of the jobs that the job has enqueued.
    children: tuple[Child, ...] = ()


@dataclass
class Rest:
    """The histories that were tried after the first failure, and that failure."""

    #: All failures, the first one included.
    failures: list[Failure]
    tried: Counter[AnyHistory] = field(default_factory=Counter)
    #: How many there was no time for, or no need to try, by name.
    left: Counter[AnyHistory] = field(default_factory=Counter)
    #: How many could not be carried out, by name.
    unclear: Counter[AnyHistory] = field(default_factory=Counter)

    def of(self, name: AnyHistory) -> list[Failure]:
        return [failure for failure in self.failures if failure.plan.name == name]

    def passed(self) -> Iterator[AnyHistory]:
        """Yield the names of which all histories were tried and none failed."""
        for name in self.tried:
            done = self.tried[name] and not self.left[name] and not self.unclear[name]
            if done and not self.of(name):
                yield name


@dataclass
class Exploration:
    """What was explored for one set of arguments."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    #: The names of the histories that the check asked for.
    names: Sequence[AnyHistory]
    depth: int = 1
    #: The names of all histories that such a check may ask for.
    known: Sequence[AnyHistory] = HISTORIES
    #: The clean run.
    reference: Run = field(default_factory=lambda: Run(1))
    #: The points that were tried; None if one history was replayed.
    chosen: Chosen | None = None
    #: The simplest history that fails.
    failure: Failure | None = None
    #: What was tried after it; None if nothing failed, or nothing was tried.
    rest: Rest | None = None
    #: The histories that were carried out; some of them may be `inconclusive`.
    tried: list[Plan] = field(default_factory=list)
    histories: int = 0
    planned: int = 0
    #: How long they took, in seconds of computing.
    seconds: float = 0.0
    #: The names of the histories that the job, or its library as configured, gives nothing to try for.
    nothing_to_try: Sequence[AnyHistory] = ()
    #: Why nobody would see what the job does twice; empty if somebody would.
    unseen: str = ""
    #: Histories that show nothing because one delivery waited for another, and the line at which it did.
    inconclusive: list[tuple[Plan, str]] = field(default_factory=list)
    #: What the job did in threads that it started, where it was not interrupted.
    elsewhere: Sequence[str] = ()
    #: Functions of the project that ran and are not traced.
    untraced: Sequence[str] = ()
    #: What the world copied from the test; "" if it copied nothing.
    world: str = ""
    #: What the job wrote and the world does not show: what is compared, and what is not, with the reason.
    unshown: dict[Item, None] = field(default_factory=dict)
    not_compared: dict[str, None] = field(default_factory=dict)

    #: The errors after which the library does not deliver again and the check did, each with the histories that
    #: passed by that.
    only_by_redelivery: dict[str, dict[AnyHistory, None]] = field(default_factory=dict)
    #: The name of the library.
    library: str = ""
    #: What the library does with the job when it raises or is killed, in one line; and the line that carries out
    #: the failure alone; "" without one.
    semantics: str = ""
    replay: str = ""
    #: The jobs that the job enqueues and that are not performed, each with the reason.
    not_performed: Mapping[str, str] = field(default_factory=dict)
    #: The places of values that the job computes from chance, and from the time, which compare by their pattern.
    by_chance: Sequence[str] = ()
    by_time: Sequence[str] = ()
    #: The parts of the state that end differently when the job runs later.
    on_time: Sequence[str] = ()
    #: Whether the library may lose a job that is killed, and at how many points it then has done only a part, each
    #: value of which is as before the job or as after it.
    may_be_lost: bool = False
    half_done: int = 0
    #: What else its reader is to know.
    notes: dict[str, None] = field(default_factory=dict)

    def add_unshown(self, account: Account) -> None:
        """Take over what is compared, and what is not, in one history."""
        self.unshown.update(dict.fromkeys(account.compared))
        self.not_compared.update(account.not_compared)

    @property
    def is_of_call(self) -> bool:
        """Whether it is of a call that nobody repeats, rather than of a job."""
        return "dies" in self.known

    @property
    def points(self) -> Sequence[Point]:
        return self.reference.points

    @property
    def time_for_all(self) -> str:
        """How long all planned histories take, by the pace of those that were tried; "" if none was."""
        if not self.histories:
            return ""
        return (
            f"All of them take about {math.ceil(self.seconds / self.histories * self.planned)} s. "
        )

    @property
    def places(self) -> str:
        """How many points there are, and which were tried for all."""
        count = len(self.points)
        text = f"{count} {'point' if count == 1 else 'points'}"
        stands_for = "" if self.chosen is None else stands_for_all(self.chosen, self.names)
        return f"{text} ({stands_for})" if stands_for else text

    @property
    def call(self) -> str:
        named = (f"{name}={short_repr(value)}" for name, value in self.kwargs.items())
        return f"({', '.join((*map(short_repr, self.args), *named))})"

    @property
    def not_asked(self) -> list[AnyHistory]:
        """The names of the histories that the check did not ask for."""
        return [
            name
            for name in self.known
            if name not in self.names
            and (name != "limit_fires" or self.reference.has_limit)
            and (name != "abandoned" or self.may_be_lost)
        ]

    @property
    def depth_reached(self) -> int:
        """How many deliveries were interrupted in one history: less than asked for if a simpler one failed."""
        failure = self.failure
        return 1 if failure is not None and failure.plan.second is None else self.depth

    def __str__(self) -> str:
        text = f"Explored {self.histories} of {self.planned} histories at {self.places}."
        if self.inconclusive:
            calls = dict.fromkeys(call for _, call in self.inconclusive)
            text += (
                f" {len(self.inconclusive)} of them show nothing, since one delivery waited for the other at "
                f"{', '.join(calls)}."
            )
        if self.unseen:
            text += " With these arguments the job changes nothing that is compared."
        not_performed = [f"{name} ({why})" for name, why in self.not_performed.items()]
        for what, names in (
            ("Nothing to try for", self.nothing_to_try),
            ("Not explored", self.not_asked),
            ("In other threads, and so not interrupted", self.elsewhere),
            ("Compared unasked", list(map(str, self.unshown))),
            ("Not compared", list(self.not_compared)),
            ("Not performed, so that enqueueing it is an effect", not_performed),
            ("Another value in each run, by chance", self.by_chance),
            ("Another value in each run, by the time", self.by_time),
            ("Depends on the time", self.on_time),
            ("Lines not explored of", self.untraced),
        ):
            if names:
                text += f" {what}: {', '.join(names)}."
        if self.half_done:
            text += (
                f"\nabandoned: half done at {counted(self.half_done, 'point')}, where each value is as before "
                "the job or as after it."
            )
        for error, histories in self.only_by_redelivery.items():
            text += f"\n{', '.join(histories)}: passed only by a redelivery that "
            text += f"{self.library} does not make ({error})."
        text += "".join(f"\nnote: {note}" for note in self.notes)
        if self.world:
            text += f"\nworld: {self.world}"
        return text
