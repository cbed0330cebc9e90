"""The jobs that a checked job enqueues, and those that these enqueue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from ...harness.records.record import JobRecord
from ..engine.run import Run

#: A clean run that enqueues more does not come to an empty queue: a job most likely enqueues itself for ever.
MOST_CHILDREN: Final = 200
#: A job that plans its own next run so often in a clean run recurs, and would go on for ever.
MOST_TURNS: Final = 24

#: A job that was enqueued runs when its turn comes, which may be before a killed delivery is made again, or while
#: the delivery that enqueued it stands still. What `recover=` names finds lost work of a handoff.
Occasion: TypeAlias = Literal["then", "before delivery 2:", "meanwhile", "recover"]


class Child(NamedTuple):
    """One delivery of a job that the checked job has enqueued."""

    record: JobRecord
    run: Run
    when: Occasion = "then"

    @property
    def is_early(self) -> bool:
        """Whether it ran between a killed delivery and the next one."""
        return self.when == "before delivery 2:"


class Children:
    """What the clean runs have shown of the jobs that a job enqueues.

    Two ends are compared when the queue is empty: what was enqueued is performed, and an enqueue is no effect of
    its own. An idempotent child that is enqueued twice is then no difference, and a harmful one is named by its
    harm. An enqueue stays an effect where its job cannot be performed in the world of the check.
    """

    def __init__(self) -> None:
        #: Why jobs of a name are not performed, so that their enqueues are effects.
        self.not_performed: dict[str, str] = {}
        #: The names of the jobs that did nothing that is seen. That one of them is enqueued is compared all the
        #: same, and how often it is enqueued is not.
        self.unseen: set[str] = set()
        #: The names of the jobs that have enqueued others.
        self.hands_off: Sequence[str] = ()
        #: The names of all jobs that the clean runs have performed.
        self._performed: set[str] = set()

    def is_performed(self, record: JobRecord) -> bool:
        """Return whether a job is performed; another service's job has no body here."""
        if record.name in self.not_performed:
            return False
        if not isinstance(record.source.job_of(record), str):
            return True
        self.not_performed[record.name] = "it has no body here"
        return False

    def leave(self, records: Iterable[JobRecord], why: str) -> None:
        """Note the names of jobs that are still pending, after as many as are performed at most."""
        self.not_performed.update({record.name: why for record in records})

    def learn(self, children: Iterable[Child]) -> None:
        """Learn from the children of a clean run. One that fails is not performed in others."""
        children = list(children)
        for record, run, _ in children:
            if run.failed:
                where = f" at {run.origin}" if run.origin is not None else ""
                self.not_performed[record.name] = f"it ends with {run.error!r}{where}"
        self.hands_off = list(
            dict.fromkeys(
                child.record.name
                for child in children
                if any(act.kind == "enqueue" for act in child.run.acts)
            )
        )
        self.unseen = unseen_of(children)
        self._performed = {child.record.name for child in children}

    def unseen_in(self, children: Iterable[Child]) -> set[str]:
        """Return the names of the jobs whose enqueues are compared in a history, since nobody sees what they do.

        A job that the clean runs do not know may be among its children.
        """
        return self.unseen | (unseen_of(children) - self._performed)


def unseen_of(children: Iterable[Child]) -> set[str]:
    """Return the names of the jobs that did nothing outside of the memory of their process."""
    acted: dict[str, int] = {}
    for record, run, _ in children:
        acted[record.name] = acted.get(record.name, 0) + run.acted
    return {name for name, count in acted.items() if not count}
