"""Which queues workers serve, and in which order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from ...core.locks.keys import nearest
from ...errors import CriterionError, QueuesError, UnservedQueueError
from ..records.record import JobRecord
from ..records.texts import short_name

if TYPE_CHECKING:
    from .ledger import Ledger
    from .selection import Selection


#: One queue: its name, maybe with a weight.
Listed = str | tuple[str, int]


class Queues:
    """The queues that workers serve, in strict order or by weights, and what else a file says of the workers.

    `load_queues` reads them from a file. Under a harness `jobs.serve(queues)` lets the verbs take jobs
    as such workers do; nothing here runs in production.
    """

    __slots__ = (
        "concurrency",
        "dead_max_jobs",
        "dead_timeout",
        "left_out",
        "max_retries",
        "names",
        "seed",
        "source",
        "weights",
    )

    #: The names of the queues, in the order in which they are listed.
    names: tuple[str, ...]
    #: The weights of the queues by their names; empty for a strict order.
    weights: Mapping[str, int]
    #: From what the draws of weighted queues follow: the same seed draws the same in every run.
    seed: int
    #: How many jobs the workers perform at once: for `jobs.drain(workers=)`. None when nothing is said.
    concurrency: int | None
    #: How often a job is retried that says nothing of it: one less than `attempts`. None when nothing is said.
    max_retries: int | None
    #: How many dead letters are kept; None when nothing is said.
    dead_max_jobs: int | None
    #: For how many seconds dead letters are kept; None when nothing is said.
    dead_timeout: int | None
    #: How messages call them.
    source: str
    #: What else the file says, of which nothing is made here.
    left_out: tuple[str, ...]

    def __init__(
        self,
        queues: Iterable[Listed] | Mapping[str, int],
        *,
        seed: int = 0,
        concurrency: int | None = None,
        max_retries: int | None = None,
        dead_max_jobs: int | None = None,
        dead_timeout: int | None = None,
        source: str = "the queues",
        left_out: Iterable[str] = (),
    ) -> None:
        """Take a list of queues.

        Args:
            queues: names in a strict order, the first always before the second; or weights by names, or
                pairs of both: a queue of weight 2 is taken from twice as often as one of weight 1, which
                is that of a name without any beside others that have one. In a strict order `"mail*"` stands for
                every queue that begins so, and `["*"]` for all queues, without an order among them.
            seed: from what the draws follow.
            concurrency: how many jobs the workers perform at once.
            max_retries: how often a job is retried that says nothing of it.
            dead_max_jobs: how many dead letters are kept.
            dead_timeout: for how many seconds dead letters are kept.
            source: how messages call them.
            left_out: what else a file says.

        Raises:
            QueuesError: when they cannot be meant.
        """
        self.source = source
        listed = _listed(queues, source)
        self.names = tuple(name for name, _ in listed)
        weighted = any(weight is not None for _, weight in listed)
        weights = {name: 1 if weight is None else weight for name, weight in listed}
        self.weights = MappingProxyType(weights if weighted else {})
        self._check_wildcards()
        if type(seed) is not int:
            raise QueuesError(f"{source}: seed={seed!r} is no seed: write an int.")
        self.seed = seed
        self.concurrency = _number(concurrency, "concurrency", 1, source)
        self.max_retries = _number(max_retries, "max_retries", 0, source)
        self.dead_max_jobs = _number(dead_max_jobs, "dead_max_jobs", 1, source)
        self.dead_timeout = _number(dead_timeout, "dead_timeout", 1, source)
        self.left_out = tuple(left_out)

    @property
    def strict(self) -> bool:
        """Whether they are in a strict order, and not weighted."""
        return not self.weights

    @property
    def attempts(self) -> int | None:
        """`max_retries` as a number of runs, for `retry_on(attempts=)`; None when nothing is said."""
        return None if self.max_retries is None else self.max_retries + 1

    @property
    def described(self) -> str:
        """The order in words."""
        if self.weights:
            weighted = ", ".join(f"{name} {weight}" for name, weight in self.weights.items())
            return f"{weighted}, seed {self.seed}"
        return " before ".join(self.names)

    def place_of(self, queue: str | None) -> int | None:
        """Return where in the list a queue stands, counted from 0; None when it is not served."""
        if queue is None:
            return 0 if self.names == ("*",) else None
        for place, name in enumerate(self.names):
            if name == queue or (name.endswith("*") and queue.startswith(name[:-1])):
                return place
        return None

    def _check_wildcards(self) -> None:
        for name in self.names:
            if "*" in name[:-1]:
                raise QueuesError(
                    f"{self.source}: {name!r} has a * in its midst: it stands at the end, as in 'mail*'."
                )
            if name.endswith("*") and self.weights:
                raise QueuesError(
                    f"{self.source}: {name!r} stands for several queues and cannot have a weight: name them."
                )
        if "*" in self.names and len(self.names) > 1:
            raise QueuesError(
                f"{self.source}: '*' beside others takes from all queues by priority alone, as Solid Queue does, "
                "so that the others would mean nothing: write '*' alone, or leave it out."
            )

    def __repr__(self) -> str:
        return f"<Queues {self.described}>"


def _listed(queues: object, source: str) -> list[tuple[str, int | None]]:
    """Return names with their weights, or None for those that have none."""
    if isinstance(queues, str) or not isinstance(queues, Iterable):
        raise QueuesError(
            f"{source}: {queues!r} is no list of queues: write ['critical', 'default'], or weights as in "
            "{'critical': 3, 'default': 1}."
        )
    entries: list[object] = [*queues.items()] if isinstance(queues, Mapping) else [*queues]
    if not entries:
        raise QueuesError(f"{source}: there are no queues, so workers would serve none: name one.")
    listed: dict[str, int | None] = {}
    for entry in entries:
        name, weight = _name_and_weight(entry, source)
        if name in listed:
            raise QueuesError(
                f"{source}: {name!r} is there twice: name it once, with a weight if it is to be taken from "
                "more often."
            )
        listed[name] = weight
    return [*listed.items()]


def _name_and_weight(entry: object, source: str) -> tuple[str, int | None]:
    name, weight = entry, None
    if isinstance(entry, tuple | list):
        if len(entry) != 2:
            raise QueuesError(
                f"{source}: {entry!r} is no queue: write a name, or a name and its weight."
            )
        name, weight = entry
        if type(weight) is not int or weight < 1:
            raise QueuesError(
                f"{source}: {name!r} has the weight {weight!r}: write an int of at least 1, or leave the queue "
                "out for workers that are not to serve it."
            )
    if not isinstance(name, str) or not name.strip():
        raise QueuesError(f"{source}: {name!r} names no queue: write a text such as 'mailers'.")
    return name, weight


def _number(given: object, name: str, least: int, source: str) -> int | None:
    if given is None:
        return None
    if type(given) is not int or given < least:
        raise QueuesError(f"{source}: {name} is {given!r}: write an int of at least {least}.")
    return given


#: The shelf of workers that take from every queue, without an order among them.
_EVERY = "*"


class Serving:
    """Says from which shelf workers take next. The jobs of a queue stand on a shelf of its name."""

    __slots__ = ("_places", "_random", "queues")

    def __init__(self, queues: Queues) -> None:
        self.queues = queues
        self._places: dict[str | None, int | None] = {}
        self._random = random.Random(queues.seed)  # noqa: S311 - the same draws in every run

    def shelf(self, queue: str | None) -> str | None:
        """Return on which shelf the jobs of a queue stand; None when no worker serves it."""
        if self._place(queue) is None:
            return None
        return _EVERY if queue is None or self.queues.names == (_EVERY,) else queue

    def choose(self, shelves: Sequence[str]) -> str:
        """Return from which of the shelves a job is taken next; on each there is one."""
        in_order = sorted(shelves, key=lambda shelf: (self._place(shelf) or 0, shelf))
        if self.queues.strict:
            return in_order[0]
        weights = [self.queues.weights[shelf] for shelf in in_order]
        return self._random.choices(in_order, weights)[0]

    def _place(self, queue: str | None) -> int | None:
        try:
            return self._places[queue]
        except KeyError:
            place = self._places[queue] = self.queues.place_of(queue)
            return place


def checked_queues(queues: object) -> Queues | None:
    """Return what is to be served.

    Raises:
        CriterionError: when it is neither queues nor None.
    """
    if queues is None or isinstance(queues, Queues):
        return queues
    raise CriterionError(
        f"jobs.serve({queues!r}) is given no queues: write jobs.serve(load_queues('config/sidekiq.yml')), or "
        "jobs.serve(Queues(['critical', 'default']))."
    )


def check_served(ledger: Ledger, selection: Selection, verb: str, until_ns: int | None) -> None:
    """Raise when a job that a verb was to perform is in a queue that no worker serves.

    Args:
        ledger: has the records.
        selection: the filters of the verb.
        verb: how the message calls it.
        until_ns: what is due after this was not to be performed; None for no end.

    Raises:
        UnservedQueueError: with those jobs, and the queues that are served.
    """
    error = unserved(ledger, selection, verb, until_ns)
    if error is not None:
        raise error


def unserved(
    ledger: Ledger, selection: Selection, verb: str, until_ns: int | None
) -> UnservedQueueError | None:
    """Return the error that `check_served` raises; None when there is no reason."""
    if ledger.serving is None:
        return None
    left = [
        record
        for record in ledger.unserved()
        if _comes(record, until_ns) and selection.admits(record)
    ]
    return UnservedQueueError(_text(left, ledger.serving.queues, verb)) if left else None


def _comes(record: JobRecord, until_ns: int | None) -> bool:
    due_ns = record.envelope.due_ns
    return until_ns is None or due_ns is None or due_ns <= until_ns


def _text(left: Iterable[JobRecord], queues: Queues, verb: str) -> str:
    counts = Counter((short_name(record.name), record.queue) for record in left)
    jobs = ", ".join(f"{count} {name} in {queue!r}" for (name, queue), count in counts.items())
    names = {queue for _, queue in counts if queue is not None}
    meant = [nearest(name, queues.names) for name in names]
    hint = f" ({meant[0][2:]})" if len(names) == 1 and meant[0] != "." else ""
    return (
        f"{verb} leaves jobs that no worker serves, and which would wait for ever: {jobs}{hint}. Served are "
        f"{', '.join(queues.names)}, by {queues.source}. Name the queue there, enqueue the job into one of these, "
        "or leave it to other workers by exclude= or queue=."
    )
